/// @file
/// Pre-tokenizers that a tokenizer.json puts together: what splits text before the model does, one step after another.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_tokens.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/normal_forms.hpp>
#include <axiform/text/split_expression.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// What becomes of the matches by which text is split, under Hugging Face's names.
enum class SplitBehavior : std::uint8_t {
  isolated,              ///< Each is a piece.
  removed,               ///< They are left out.
  merged_with_previous,  ///< Each ends the piece before it.
  merged_with_next,      ///< Each begins the piece behind it.
  contiguous,            ///< Neighbouring ones are one piece.
};

/// Which pieces the mark of a space is put before, unless they begin with it, under Hugging Face's names.
enum class PrependScheme : std::uint8_t {
  always,  ///< Each.
  first,   ///< That with which the text begins.
  never,   ///< None.
};

/// One step of a pre-tokenizer.
struct PreTokenizerStep {
  /// What it does: puts a space before pieces, makes characters of bytes, or splits at matches.
  enum class Kind : std::uint8_t {
    whitespace,    ///< Matches each character of whitespace.
    words,         ///< Matches words, and runs of what is neither a part of words nor whitespace.
    punctuation,   ///< Matches each punctuation mark.
    digits,        ///< Matches each digit.
    literal,       ///< Matches `pattern` itself, which is not empty; not behind `bytes`.
    any_of,        ///< Matches any of `patterns`, of several the longest; none is empty, and they are not behind `bytes`.
    expression,    ///< Matches the regular expression `pattern`, of `detail::known_expressions`.
    prefix_space,  ///< Puts a space before each piece that does not begin with one.
    marks,         ///< Puts `pattern`, a character that is not a space, in the place of spaces, and before pieces as `prepend` says.
    bytes,         ///< What follows sees the characters by which byte-level tokens write bytes.
  };
  Kind kind = Kind::whitespace;                      ///< What it does.
  std::string pattern = {};                          ///< Of `literal`, `expression` and `marks`.
  SplitBehavior behavior = SplitBehavior::isolated;  ///< What becomes of the matches.
  bool invert = false;                               ///< What is no match counts as one, and matches do not.
  PrependScheme prepend = PrependScheme::always;     ///< Of `marks`.
  std::vector<std::string> patterns = {};            ///< Of `any_of`.
};

namespace detail {

/// BERT's pre-tokenizer: at whitespace, and round punctuation.
AXIFORM_COLD inline std::vector<PreTokenizerStep> bert_steps() {
  using enum PreTokenizerStep::Kind;
  return {{.kind = whitespace, .behavior = SplitBehavior::removed}, {.kind = punctuation}};
}

/// The pre-tokenizer of byte-level models.
AXIFORM_COLD inline std::vector<PreTokenizerStep> byte_level_steps(bool add_prefix_space, bool use_regex) {
  using enum PreTokenizerStep::Kind;
  std::vector<PreTokenizerStep> steps;
  if (add_prefix_space) steps.push_back({.kind = prefix_space});
  if (use_regex) steps.push_back({.kind = expression, .pattern = std::string(gpt2_expression)});
  steps.push_back({.kind = bytes});
  return steps;
}

/// The pre-tokenizer `Metaspace`: a mark for each space, and before pieces, each of which a mark begins.
inline std::vector<PreTokenizerStep> marked_words(PrependScheme prepend, std::string const& mark = "\u2581") {
  using enum PreTokenizerStep::Kind;
  return {{.kind = marks, .pattern = mark, .prepend = prepend},
          {.kind = literal, .pattern = mark, .behavior = SplitBehavior::merged_with_next}};
}

/// A text after normalisation, and where each of its bytes comes from.
struct AlignedText {
  std::string_view text;       // Valid UTF-8.
  std::uint32_t base = 0;      // Where it lies in the original text, of which it is a part when it has no places.
  std::vector<Offset> places;  // For each byte, its place in the original text; empty when `text` is the original.
  std::string changed;         // Owns `text` when it has places.

  /// `text` itself.
  void keep(std::string_view original, std::uint32_t begin) {
    text = original;
    base = begin;
    places.clear();
  }
  /// The normal form of it.
  void assign(std::vector<NormalizedCodePoint> const& points) {
    changed.clear();
    places.clear();
    for (NormalizedCodePoint const& point : points) {
      append_utf8(changed, point.value);
      places.resize(changed.size(), {point.begin, point.end});
    }
    if (changed.size() > std::numeric_limits<std::uint32_t>::max() / 2)
      throw_argument_error({"a text of ", std::to_string(changed.size()), " bytes when it is normalised is too long to tokenize at once"});
    text = changed;
  }

  /// The place of the bytes [begin, end), of which there is one; parts of a character have the whole one's.
  Offset place(std::size_t begin, std::size_t end) const {
    if (!places.empty()) return {places[begin].begin, places[end - 1].end};
    while (!begins_character(text[begin])) --begin;
    while (end < text.size() && !begins_character(text[end])) ++end;
    return {base + static_cast<std::uint32_t>(begin), base + static_cast<std::uint32_t>(end)};
  }
};

/// A part of an `AlignedText` that the model gets, or an added token that was found there.
struct Piece {
  std::uint32_t begin;
  std::uint32_t end;
  std::optional<TokenId> added = std::nullopt;
};

/// Steps that cut a text at spaces, and put a mark before each word, which need no text in between: `Metaspace` alone, and behind `WhitespaceSplit`.
enum class MarkedWords : std::uint8_t { no, at_spaces, at_whitespace };

/// The steps, ready to run. Immutable; buffers are the caller's.
class PreTokenizer {
 public:
  PreTokenizer() = default;
  /// @throws CheckpointError for an expression that is not known, FormatError for matches of the empty text.
  AXIFORM_COLD PreTokenizer(std::vector<PreTokenizerStep> steps, std::string const& where) {
    for (PreTokenizerStep& step : steps) {
      if (step.kind == PreTokenizerStep::Kind::literal && step.pattern.empty())
        throw_format_error({where, ": a pre-tokenizer that splits at the empty text"});
      Step& added = steps_.emplace_back();
      if (step.kind == PreTokenizerStep::Kind::expression) added.compiled.emplace(step.pattern, where);
      if (step.kind == PreTokenizerStep::Kind::any_of) added.matcher = matcher_of(step.patterns);
      static_cast<PreTokenizerStep&>(added) = std::move(step);
    }
    marked_words_ = find_marked_words();
  }

  /// Whether the steps are such: then what begins a text has a mark before it, too.
  MarkedWords marked_words() const noexcept { return marked_words_; }

  bool empty() const noexcept { return steps_.empty(); }

  /// Splits `pieces` of `text`, which follows `before`; puts spaces into it where a step says so. `next` is a buffer.
  void split(AlignedText& text, TextBefore before, std::vector<Piece>& pieces, std::vector<Piece>& next) const {
    bool sees_bytes = false;
    for (Step const& step : steps_) {
      using enum PreTokenizerStep::Kind;
      if (step.kind == bytes) {
        sees_bytes = true;
        continue;
      }
      next.clear();
      if (step.kind == prefix_space || step.kind == marks)
        add_spaces(step, text, before, pieces, next);
      else if (sees_bytes)
        split_pieces<ByteCharacters>(step, text.text, pieces, next);
      else
        split_pieces<Utf8Characters>(step, text.text, pieces, next);
      pieces.swap(next);
    }
  }

 private:
  struct Step : PreTokenizerStep {
    std::optional<SplitExpression> compiled;
    AddedTokenMatcher matcher = {};
  };

  MarkedWords find_marked_words() const noexcept {
    using enum PreTokenizerStep::Kind;
    bool const is_split =
        steps_.size() == 3 && steps_[0].kind == whitespace && steps_[0].behavior == SplitBehavior::removed && !steps_[0].invert;
    if (!is_split && steps_.size() != 2) return MarkedWords::no;
    Step const& mark = steps_[steps_.size() - 2];
    Step const& at = steps_.back();
    bool const is_marked = mark.kind == marks && mark.pattern == "\u2581" && mark.prepend == PrependScheme::always && at.kind == literal &&
                           at.pattern == mark.pattern && at.behavior == SplitBehavior::merged_with_next && !at.invert;
    return !is_marked ? MarkedWords::no : is_split ? MarkedWords::at_whitespace : MarkedWords::at_spaces;
  }

  static AddedTokenMatcher matcher_of(std::vector<std::string> const& patterns) {
    std::vector<AddedTokenMatcher::Entry> entries;
    for (std::string const& pattern : patterns)
      if (!pattern.empty()) entries.push_back({pattern, 0, false, false, false});
    return AddedTokenMatcher(std::move(entries));
  }

  /// A space that is put before a piece shares the place of the character that it stands before.
  static void add_spaces(PreTokenizerStep const& step, AlignedText& text, TextBefore before, std::vector<Piece> const& pieces,
                         std::vector<Piece>& next) {
    bool const has_marks = step.kind == PreTokenizerStep::Kind::marks;
    std::string_view const space = has_marks ? std::string_view(step.pattern) : " ";
    AlignedText spaced;
    for (Piece const& piece : pieces) {
      auto const begin = static_cast<std::uint32_t>(spaced.changed.size());
      std::string_view const old = text.text.substr(piece.begin, piece.end - piece.begin);
      if (!piece.added && !old.starts_with(space) && !(has_marks && old.starts_with(' '))) {
        Offset const place = text.place(piece.begin, piece.begin + 1);
        bool const is_first = place.begin == 0;
        bool const has_space = is_first && before == TextBefore::text ? false
                               : !has_marks                           ? true
                               : step.prepend == PrependScheme::first ? is_first && before == TextBefore::nothing
                                                                      : step.prepend == PrependScheme::always;
        if (has_space) {
          spaced.changed.append(space);
          spaced.places.resize(spaced.changed.size(), place);
        }
      }
      for (std::uint32_t i = piece.begin; i < piece.end; ++i) {
        if (has_marks && !piece.added && text.text[i] == ' ')
          spaced.changed.append(space);
        else
          spaced.changed.push_back(text.text[i]);
        spaced.places.resize(spaced.changed.size(), text.place(i, i + 1));
      }
      next.push_back({begin, static_cast<std::uint32_t>(spaced.changed.size()), piece.added});
    }
    if (spaced.places.empty()) return;
    text.changed.swap(spaced.changed);
    text.places.swap(spaced.places);
    text.text = text.changed;
  }

  template <class Characters>
  static void split_pieces(Step const& step, std::string_view text, std::vector<Piece> const& pieces, std::vector<Piece>& next) {
    for (Piece const& piece : pieces) {
      if (piece.added) {
        next.push_back(piece);
        continue;
      }
      std::size_t const before = next.size();
      bool was_match = false;
      auto const put = [&](std::uint32_t begin, std::uint32_t end, bool is_match) {
        is_match = is_match != step.invert;
        bool const is_first = next.size() == before;
        switch (step.behavior) {
          case SplitBehavior::isolated:
            next.push_back({begin, end});
            break;
          case SplitBehavior::removed:
            if (!is_match) next.push_back({begin, end});
            break;
          case SplitBehavior::contiguous:
            if (!is_first && is_match == was_match)
              next.back().end = end;
            else
              next.push_back({begin, end});
            break;
          case SplitBehavior::merged_with_previous:
            if (!is_first && is_match && !was_match)
              next.back().end = end;
            else
              next.push_back({begin, end});
            break;
          case SplitBehavior::merged_with_next:
            // A match takes what follows along, unless that is a match, too.
            if (!is_first && !is_match && was_match)
              next.back().end = end;
            else
              next.push_back({begin, end});
            break;
        }
        was_match = is_match;
      };
      find_matches<Characters>(step, text, piece, put);
    }
  }

  /// Calls `put(begin, end, is_match)` for all parts of a piece, in order.
  template <class Characters, class Put>
  static void find_matches(Step const& step, std::string_view text, Piece const& piece, Put put) {
    using enum PreTokenizerStep::Kind;
    char const* const origin = text.data();
    char const* const last = origin + piece.end;
    auto const place = [origin](char const* p) { return static_cast<std::uint32_t>(p - origin); };
    char const* done = origin + piece.begin;
    auto const put_match = [&](char const* begin, char const* end) {
      if (done != begin) put(place(done), place(begin), false);
      put(place(begin), place(end), true);
      done = end;
    };
    auto const match_characters = [&](auto is_match) {
      for (char const* p = done; p != last;) {
        auto const [c, length] = Characters::at(p);
        if (is_match(properties_of(c))) put_match(p, p + length);
        p += length;
      }
    };
    switch (step.kind) {
      case whitespace:
        match_characters([](CodePointProperties p) { return p.is_whitespace(); });
        break;
      case punctuation:
        match_characters([](CodePointProperties p) { return p.is_punctuation(); });
        break;
      case digits:
        match_characters([](CodePointProperties p) { return p.is_numeric(); });
        break;
      case words: {
        auto const kind = [](char32_t c) { return properties_of(c).is_word() ? 2 : properties_of(c).is_whitespace() ? 0 : 1; };
        for (char const* p = done; p != last;) {
          int const first = kind(Characters::at(p).value);
          char const* q = p;
          do q += Characters::at(q).length;
          while (q != last && kind(Characters::at(q).value) == first);
          if (first != 0) put_match(p, q);
          p = q;
        }
        break;
      }
      case literal:
        for (std::string_view rest(done, static_cast<std::size_t>(last - done)); !rest.empty();) {
          std::size_t const found = rest.find(step.pattern);
          if (found == rest.npos) break;
          put_match(rest.data() + found, rest.data() + found + step.pattern.size());
          rest.remove_prefix(found + step.pattern.size());
        }
        break;
      case any_of:
        step.matcher.split(
            std::string_view(done, static_cast<std::size_t>(last - done)), [](std::size_t, std::size_t) {},
            [&, first = done](AddedTokenMatcher::Match const& match) { put_match(first + match.begin, first + match.end); });
        break;
      case expression:
        for (char const* p = done; p != last;) {
          char const* const end = step.compiled->template match<Characters>(p, last);
          if (end != nullptr) put_match(p, end);
          p = end != nullptr ? end : p + Characters::at(p).length;
        }
        break;
      case prefix_space:
      case marks:
      case bytes:
        break;
    }
    if (done != last) put(place(done), place(last), false);
  }

  std::vector<Step> steps_;
  MarkedWords marked_words_ = MarkedWords::no;
};

}  // namespace detail

}  // namespace axiform
