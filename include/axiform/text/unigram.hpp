/// @file
/// The Unigram model (Kudo 2018), the one of XLM-R, T5 and ALBERT: of all ways to cut a piece of text into tokens, the one whose scores have the
/// greatest sum.
///
/// Ids, offsets and ties are those of the `tokenizers` crate (`encode_optimized`): a character that is no token counts as the worst score less 10;
/// neighbouring ones are one unknown token, or the tokens of their bytes, `<0xF0>` and so on, where the vocabulary has them all.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/unigram_trie.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform {

/// The settings of a Unigram model, under Hugging Face's names.
struct UnigramOptions {
  std::vector<double> scores = {};               ///< Of each token of the model, by id: logarithms of what is likely.
  std::optional<TokenId> unk_id = std::nullopt;  ///< For characters that are in no token; without it, text that has some is an error.
  bool byte_fallback = false;                    ///< Such characters are the tokens of their bytes, when all of them are there.
};

namespace detail {

/// The model. Immutable but for notes of which tokens stand for themselves, which change no result; buffers are the caller's.
class Unigram {
 public:
  /// The best way to a place in a word.
  struct Step {
    double score;
    std::uint32_t begin;     // Of the last token.
    UnigramTrie::Node node;  // Where it ends in the trie; `none` for a character that is unknown.
  };
  /// Buffers of one thread.
  struct Scratch {
    explicit Scratch(Unigram const&) {}
    std::vector<Step> best;  // By place.
    std::vector<std::uint32_t> ends;
    std::string word;  // With its mark.
  };

  /// @throws FormatError when a token has no score or one that is no number, or `unk_id` is none of the tokens.
  Unigram(Vocabulary const& vocabulary, UnigramOptions options, std::string const& name) : options_(std::move(options)) {
    auto const& scores = options_.scores;
    if (scores.size() != vocabulary.size())
      throw_format_error({name, ": found ", std::to_string(scores.size()), " scores, expected one for each of ",
                          std::to_string(vocabulary.size()), " tokens"});
    if (options_.unk_id && (*options_.unk_id < 0 || static_cast<std::size_t>(*options_.unk_id) >= vocabulary.size()))
      throw_format_error({name, ": unk_id: found ", std::to_string(*options_.unk_id), ", expected the id of one of ",
                          std::to_string(vocabulary.size()), " tokens"});
    double least = std::numeric_limits<double>::infinity();
    std::vector<UnigramTrie::Entry> entries;
    entries.reserve(scores.size());
    for (std::size_t id = 0; id < scores.size(); ++id) {
      if (!std::isfinite(scores[id])) throw_format_error({name, ": the score of token ", std::to_string(id), " is not a finite number"});
      least = std::min(least, scores[id]);
      std::string const& token = vocabulary.tokens()[id];
      if (!token.empty()) entries.push_back({token, static_cast<TokenId>(id), scores[id]});
    }
    unknown_score_ = least - 10.0;
    trie_ = UnigramTrie(std::move(entries));
    is_itself_ = std::make_unique<std::atomic<std::uint8_t>[]>(scores.size());
    for (unsigned b = 0; b < 256; ++b) byte_ids_[b] = trie_.find(byte_token(static_cast<unsigned char>(b)));
  }

  UnigramOptions const& options() const noexcept { return options_; }

  /// Appends the tokens of one piece, the bytes [begin, end) of `text`.
  /// @throws ArgumentError for a character that is in no token when there is no unknown token.
  void encode_word(AlignedText const& text, std::size_t begin, std::size_t end, Scratch& scratch, TokenSink& sink) const {
    add_best(
        text.text.substr(begin, end - begin), [&](std::size_t b, std::size_t e) { return text.place(begin + b, begin + e); }, scratch,
        sink);
  }

  /// Appends the tokens of all words of `text` with a mark before each, as `Metaspace` and the model by themselves have it, but without a text that is
  /// put together in between. False, and nothing is done, where that would not be the same: `text` has a mark itself.
  bool encode_words(AlignedText const& text, MarkedWords words, Scratch& scratch, TokenSink& sink) const {
    std::string_view const all = text.text;
    if (all.find(space_mark) != all.npos) return false;
    char const* const first = all.data();
    char const* const last = first + all.size();
    bool const at_whitespace = words == MarkedWords::at_whitespace;
    for (char const* p = first; p != last;) {
      char const* begin = p;
      if (at_whitespace) {
        if (std::uint32_t const length = whitespace_at(p)) {
          p += length;
          continue;
        }
      } else if (*p == ' ') {
        ++begin;  // It becomes the mark.
      }
      char const* end = begin;
      while (end != last) {
        if (static_cast<unsigned char>(*end) > ' ' && static_cast<unsigned char>(*end) < 0x80)
          ++end;
        else if (at_whitespace ? whitespace_at(end) != 0 : *end == ' ')
          break;
        else
          end += decode_valid_utf8(end).length;
      }
      auto const place = [first](char const* c) { return static_cast<std::size_t>(c - first); };
      add_marked(text, place(p), place(begin), place(end), scratch, sink);
      sink.end_word();
      p = end;
    }
    return true;
  }

 private:
  enum : std::uint8_t { unseen, itself, parts };

  /// The crate fuses what has the id of the unknown token, be it this token's own text.
  bool is_unknown(UnigramTrie::Node node) const noexcept { return node == UnigramTrie::none || trie_.id(node) == options_.unk_id; }

  static std::uint32_t whitespace_at(char const* p) noexcept {
    auto const byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) return byte == ' ' || (byte >= '\t' && byte <= '\r');
    auto const [c, length] = decode_valid_utf8(p);
    return properties_of(c).is_whitespace() ? length : 0;
  }

  /// The word [begin, end) of `text` with a mark, which has the place of the character at `mark`.
  void add_marked(AlignedText const& text, std::size_t mark, std::size_t begin, std::size_t end, Scratch& scratch, TokenSink& sink) const {
    constexpr std::size_t shift = space_mark.size();
    Offset const mark_place = text.place(mark, mark + 1);
    auto const place = [&](std::size_t b, std::size_t e) -> Offset {
      if (e <= shift) return mark_place;
      if (b >= shift) return text.place(begin + b - shift, begin + e - shift);
      return {mark_place.begin, text.place(begin, begin + e - shift).end};
    };
    scratch.word.assign(space_mark).append(text.text.substr(begin, end - begin));
    add_best(scratch.word, place, scratch, sink);
  }

  /// Appends the tokens of `word`, of whose bytes [b, e) `place(b, e)` says where they lie.
  template <class Place>
  void add_best(std::string_view word, Place place, Scratch& scratch, TokenSink& sink) const {
    auto& ends = scratch.ends;
    ends.clear();
    UnigramTrie::Node const whole = trie_.walk(word);
    TokenId const id = whole == UnigramTrie::none ? StringTable::absent : trie_.id(whole);
    if (id != StringTable::absent && is_itself_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed) == itself) {
      auto const [first, last] = place(std::size_t{0}, word.size());
      sink.add(id, first, last);
      return;
    }
    find_best(word, scratch.best);
    for (auto end = static_cast<std::uint32_t>(word.size()); end > 0; end = scratch.best[end].begin) ends.push_back(end);
    if (id != StringTable::absent)
      is_itself_[static_cast<std::size_t>(id)].store(ends.size() == 1 && !is_unknown(whole) ? itself : parts, std::memory_order_relaxed);
    std::uint32_t done = 0;
    for (std::size_t i = ends.size(); i > 0; --i) {
      UnigramTrie::Node const node = scratch.best[ends[i - 1]].node;
      if (is_unknown(node)) {
        while (i > 1 && is_unknown(scratch.best[ends[i - 2]].node)) --i;
        add_unknown(word.substr(done, ends[i - 1] - done), place(done, ends[i - 1]), sink);
      } else {
        auto const [first, last] = place(done, ends[i - 1]);
        sink.add(trie_.id(node), first, last);
      }
      done = ends[i - 1];
    }
  }

  void find_best(std::string_view word, std::vector<Step>& best) const {
    constexpr std::uint32_t unreached = std::numeric_limits<std::uint32_t>::max();
    best.assign(word.size() + 1, {0.0, unreached, UnigramTrie::none});
    auto const reach = [&](std::size_t place, double score, std::size_t begin, UnigramTrie::Node node) {
      Step& step = best[place];
      if (step.begin == unreached || score > step.score) step = {score, static_cast<std::uint32_t>(begin), node};
    };
    for (std::size_t begin = 0; begin < word.size();) {
      double const so_far = best[begin].score;
      std::size_t const character = decode_valid_utf8(word.data() + begin).length;
      bool is_known = false;
      UnigramTrie::Node node = UnigramTrie::root;
      for (std::size_t place = begin; place < word.size();) {
        node = trie_.child(node, word[place++]);
        if (node == UnigramTrie::none) break;
        double const score = trie_.score(node);
        if (score != score) continue;  // No token ends here.
        reach(place, score + so_far, begin, node);
        is_known |= place == begin + character;
      }
      if (!is_known) {
        if (!options_.unk_id)
          throw_argument_error({"the character ", in_quotes(word.substr(begin, character)),
                                " is in no token, and the tokenizer has none for what is unknown"});
        reach(begin + character, unknown_score_ + so_far, begin, UnigramTrie::none);
      }
      begin += character;
    }
  }

  /// What the unknown characters `text` become. Where the token is not written as the vocabulary has it, the crate writes it as the text.
  void add_unknown(std::string_view text, Offset place, TokenSink& sink) const {
    TokenId const id = trie_.find(text);
    if (id != StringTable::absent) {
      sink.add(id, place.begin, place.end);
      return;
    }
    auto const has_byte = [this](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] != StringTable::absent; };
    if (options_.byte_fallback && std::all_of(text.begin(), text.end(), has_byte)) {
      for (char const byte : text) sink.add(byte_ids_[static_cast<unsigned char>(byte)], place.begin, place.end);
      return;
    }
    sink.spellings.push_back({sink.ids.size(), std::string(text)});
    sink.add(*options_.unk_id, place.begin, place.end);
  }

  UnigramOptions options_;
  double unknown_score_ = 0;
  UnigramTrie trie_;
  std::array<TokenId, 256> byte_ids_{};
  std::unique_ptr<std::atomic<std::uint8_t>[]> is_itself_;  // By id: whether this token is the best way to cut its own text.
};

}  // namespace detail

}  // namespace axiform
