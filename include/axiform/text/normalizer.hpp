/// @file
/// Normalizers that a tokenizer.json puts together: Unicode's normal forms, lower case, accents, replacements, one step after another, with the
/// place that each code point came from.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/printable.hpp>
#include <axiform/text/bert_normalizer.hpp>
#include <axiform/text/charsmap.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/grapheme_clusters.hpp>
#include <axiform/text/normal_forms.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// One step of a normalizer.
struct NormalizerStep {
  /// What it does.
  enum class Kind : std::uint8_t {
    nfc,                     ///< Composes canonically.
    nfd,                     ///< Decomposes canonically.
    nfkc,                    ///< Composes what is decomposed compatibly.
    nfkd,                    ///< Decomposes compatibly.
    lowercase,               ///< Each character by itself.
    strip_accents,           ///< Drops marks of every kind.
    strip_nonspacing_marks,  ///< Drops nonspacing marks, as `BertNormalizer` does.
    clean_text,              ///< Drops control characters, makes all whitespace spaces, as `BertNormalizer` does.
    space_ideographs,        ///< Puts spaces round each ideograph, as `BertNormalizer` does.
    nmt,            ///< Drops control characters, makes spaces of line ends and of what is invisible, as SentencePiece's nmt rules do.
    precompiled,    ///< What SentencePiece's character map says, whose bytes are `content`.
    replace,        ///< `content` for each `pattern`.
    replace_runs,   ///< `content` for each run of two or more spaces.
    replace_begin,  ///< `content` for the `pattern` that the text begins with.
    prepend,        ///< `content` before text that is not empty.
    strip_left,     ///< Drops whitespace at the begin.
    strip_right,    ///< Drops whitespace at the end.
    strip_spaces,   ///< Drops U+0020 at both ends, and no other whitespace.
  };
  Kind kind = Kind::nfc;     ///< What it does.
  std::string pattern = {};  ///< Of `replace` and `replace_begin`, not empty.
  std::string content = {};  ///< Of `replace` and its kin, `prepend` and `precompiled`.
};

namespace detail {

/// What BERT's normalizer does, step by step.
AXIFORM_COLD inline std::vector<NormalizerStep> steps_of(BertNormalizerOptions const& options) {
  using enum NormalizerStep::Kind;
  std::vector<NormalizerStep> steps;
  if (options.clean_text) steps.push_back({clean_text});
  if (options.handle_chinese_chars) steps.push_back({space_ideographs});
  if (options.strips_accents()) steps.insert(steps.end(), {{nfd}, {strip_nonspacing_marks}});
  if (options.lowercase) steps.push_back({lowercase});
  return steps;
}

inline std::u32string code_points_of(std::string_view text) {
  std::u32string result;
  for (char const *p = text.data(), *const end = p + text.size(); p != end;) {
    auto const [c, length] = decode_valid_utf8(p);
    result.push_back(c);
    p += length;
  }
  return result;
}

/// The steps, ready to run. Immutable; buffers are the caller's.
class Normalizer {
 public:
  /// Buffers of one thread; `points` is the result.
  struct Scratch {
    std::vector<NormalizedCodePoint> points;
    std::vector<NormalizedCodePoint> next;
    Decomposer decomposer;
    Composer composer;
    std::string bytes;  // Of a grapheme cluster.
  };

  Normalizer() = default;
  /// @throws FormatError for a text to replace that is empty, or a character map that cannot be read. Texts are valid UTF-8.
  AXIFORM_COLD Normalizer(std::vector<NormalizerStep> const& steps, std::string const& where) {
    using enum NormalizerStep::Kind;
    for (NormalizerStep const& step : steps) {
      if ((step.kind == replace || step.kind == replace_begin) && step.pattern.empty())
        throw_format_error({where, ": a normalizer that replaces the empty text"});
      Step& added = steps_.emplace_back();
      added.kind = step.kind;
      added.pattern = code_points_of(step.pattern);
      if (step.kind == precompiled)
        added.charsmap.emplace(step.content, where);
      else
        added.content = code_points_of(step.content);
      if (step.kind == replace) added.borders = borders_of(added.pattern);
      note_changes(step, added);
    }
  }

  /// Whether it is known at a glance that `text` is its own normal form.
  bool keeps(std::string_view text) const noexcept {
    if (steps_.empty() || text.empty()) return true;
    if (changes_ends_ && (is_space_or_more(text.front()) || is_space_or_more(text.back()))) return false;
    char previous = '\0';
    for (char const c : text) {
      if (changes_[static_cast<unsigned char>(c)] || (changes_runs_ && c == ' ' && previous == ' ')) return false;
      previous = c;
    }
    return true;
  }

  /// The normal form of `text`, which is valid UTF-8 and begins at byte `base` of the original, in `scratch.points`. Nothing is prepended to a
  /// text that goes on with another. @throws ArgumentError when replacements make it absurdly long.
  void normalize(std::string_view text, std::uint32_t base, TextBefore before, Scratch& scratch) const {
    scratch.points.clear();
    for (char const *p = text.data(), *const end = p + text.size(); p != end;) {
      auto const [c, length] = decode_valid_utf8(p);
      auto const begin = base + static_cast<std::uint32_t>(p - text.data());
      scratch.points.push_back({c, begin, begin + length});
      p += length;
    }
    std::size_t const limit = (std::size_t{1} << 16) + 64 * text.size();
    for (Step const& step : steps_) {
      if (step.kind != NormalizerStep::Kind::prepend || before != TextBefore::text) run(step, scratch, limit);
      if (scratch.points.empty()) return;
    }
  }

 private:
  using Points = std::vector<NormalizedCodePoint>;
  struct Step {
    NormalizerStep::Kind kind;
    std::u32string pattern;
    std::u32string content;
    std::vector<std::size_t> borders;  // For each prefix of `pattern`, the longest that it also ends with (Knuth, Morris, Pratt 1977).
    std::optional<Charsmap> charsmap;
  };

  static bool is_space_or_more(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r') || static_cast<unsigned char>(c) >= 0x80; }

  /// Notes which bytes a text must not have to be its own normal form.
  void note_changes(NormalizerStep const& step, Step const& ready) {
    using enum NormalizerStep::Kind;
    auto const change = [this](unsigned first, unsigned end) { std::fill(changes_.begin() + first, changes_.begin() + end, true); };
    switch (step.kind) {
      case nfc:  // No code point below U+0300, which begins with the byte 0xCC, is changed by composition alone.
        change(0xCC, 0x100);
        break;
      case nfd:
      case nfkc:
      case nfkd:
      case strip_accents:
      case strip_nonspacing_marks:
        change(0x80, 0x100);
        break;
      case precompiled:
        for (unsigned c = 0; c < 0x80; ++c) {
          char const character = static_cast<char>(c);
          if (ready.charsmap->find({&character, 1})) change(c, c + 1);
        }
        change('\r', '\r' + 1);  // Which with a line end is one cluster.
        change(0x80, 0x100);
        break;
      case replace:
      case replace_begin: {
        auto const first = static_cast<unsigned char>(step.pattern.front());
        change(first, first + 1u);
        break;
      }
      case replace_runs:
        changes_runs_ = true;
        break;
      case strip_left:
      case strip_right:
      case strip_spaces:
        changes_ends_ = true;
        break;
      case lowercase:
      case nmt:
      case clean_text:
      case space_ideographs:
      case prepend:
        change(0, 0x100);
        break;
    }
  }

  static std::vector<std::size_t> borders_of(std::u32string const& pattern) {
    std::vector<std::size_t> borders(pattern.size(), 0);
    for (std::size_t i = 1, length = 0; i < pattern.size(); ++i) {
      while (length > 0 && pattern[i] != pattern[length]) length = borders[length - 1];
      if (pattern[i] == pattern[length]) ++length;
      borders[i] = length;
    }
    return borders;
  }

  static void check_length(std::size_t length, std::size_t limit) {
    if (length > limit)
      throw_argument_error({"the tokenizer's normalizer makes more than ", std::to_string(limit), " characters of the text"});
  }

  static void run(Step const& step, Scratch& scratch, std::size_t limit) {
    using enum NormalizerStep::Kind;
    Points& points = scratch.points;
    auto const drop = [&](auto drops) {
      std::erase_if(points, [&](NormalizedCodePoint const& p) { return drops(properties_of(p.value)); });
    };
    auto const is_space = [](NormalizedCodePoint const& p) { return properties_of(p.value).is_whitespace(); };
    switch (step.kind) {
      case nfd:
      case nfkd: {
        Realigner realigner(points, scratch.next);
        scratch.decomposer.decompose_all(points, step.kind == nfd ? Decomposition::canonical : Decomposition::compatible,
                                         [&](char32_t c, std::uint32_t taken) { realigner.put(c, taken); });
        points.swap(scratch.next);
        break;
      }
      case nfc:
      case nfkc: {
        Realigner realigner(points, scratch.next);
        auto const emit = [&](char32_t c, std::uint32_t taken) { realigner.put(c, taken); };
        scratch.decomposer.decompose_all(points, step.kind == nfc ? Decomposition::canonical : Decomposition::compatible,
                                         [&](char32_t c, std::uint32_t taken) { scratch.composer.put(c, taken, emit); });
        scratch.composer.finish(emit);
        points.swap(scratch.next);
        break;
      }
      case lowercase:
        rewrite(scratch, [](NormalizedCodePoint p, Points& output) {
          if (!properties_of(p.value).has_lower_case())
            output.push_back(p);
          else
            lower_case(p.value, [&](char32_t c) { output.push_back({c, p.begin, p.end}); });
        });
        break;
      case strip_accents:
        drop([](CodePointProperties p) { return p.is_accent(); });
        break;
      case strip_nonspacing_marks:
        drop([](CodePointProperties p) { return p.is_mark(); });
        break;
      case clean_text:
        drop([](CodePointProperties p) { return p.is_dropped(); });
        for (NormalizedCodePoint& p : points)
          if (is_space(p)) p.value = U' ';
        break;
      case space_ideographs:
        rewrite(scratch, [](NormalizedCodePoint p, Points& output) {
          bool const is_ideograph = properties_of(p.value).is_ideograph();
          if (is_ideograph) output.push_back({U' ', p.begin, p.end});
          output.push_back(p);
          if (is_ideograph) output.push_back({U' ', p.begin, p.end});
        });
        break;
      case nmt:
        std::erase_if(points, [](NormalizedCodePoint const& p) { return is_nmt_control(p.value); });
        for (NormalizedCodePoint& p : points)
          if (is_nmt_space(p.value)) p.value = U' ';
        break;
      case precompiled:
        map_clusters(*step.charsmap, scratch, limit);
        break;
      case replace:
        replace_all(step, scratch, limit);
        break;
      case replace_runs:
        replace_space_runs(step, scratch, limit);
        break;
      case replace_begin:
        if (points.size() >= step.pattern.size() && std::equal(step.pattern.begin(), step.pattern.end(), points.begin(),
                                                               [](char32_t c, NormalizedCodePoint const& p) { return c == p.value; })) {
          NormalizedCodePoint const last = points[step.pattern.size() - 1];
          points.erase(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(step.pattern.size()));
          insert_content(step, last, points, limit);
        }
        break;
      case prepend:
        insert_content(step, points.front(), points, limit);
        break;
      case strip_left:
        points.erase(points.begin(), std::find_if_not(points.begin(), points.end(), is_space));
        break;
      case strip_right:
        while (!points.empty() && is_space(points.back())) points.pop_back();
        break;
      case strip_spaces: {
        auto const is_blank = [](NormalizedCodePoint const& p) { return p.value == U' '; };
        points.erase(points.begin(), std::find_if_not(points.begin(), points.end(), is_blank));
        while (!points.empty() && is_blank(points.back())) points.pop_back();
        break;
      }
    }
  }

  template <class Rewrite>
  static void rewrite(Scratch& scratch, Rewrite one) {
    scratch.next.clear();
    for (NormalizedCodePoint const& point : scratch.points) one(point, scratch.next);
    scratch.points.swap(scratch.next);
  }

  /// Puts the content before the points, at the place of one that was or is there.
  static void insert_content(Step const& step, NormalizedCodePoint place, Points& points, std::size_t limit) {
    check_length(points.size() + step.content.size(), limit);
    points.insert(points.begin(), step.content.size(), place);
    for (std::size_t i = 0; i < step.content.size(); ++i) points[i].value = step.content[i];
  }

  static bool is_nmt_control(char32_t c) noexcept {
    return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  }
  static bool is_nmt_space(char32_t c) noexcept {
    return c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
           c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  }

  /// Clusters of less than six bytes are looked up whole, else character by character: as the crate does it, which says of itself that this is weird.
  /// Places are the crate's, too: what is dropped counts for what stands before it, and is forgotten where nothing does.
  static void map_clusters(Charsmap const& charsmap, Scratch& scratch, std::size_t limit) {
    Points const& points = scratch.points;
    Realigner realigner(points, scratch.next);
    std::optional<char32_t> last;  // What comes next, when it is known how much it takes.
    std::uint32_t last_taken = 0;
    auto const put = [&](char32_t c, std::uint32_t taken) {
      if (last) realigner.put(*last, last_taken);
      last = c;
      last_taken = taken;
    };
    auto const replace = [&](std::string_view text, std::uint32_t taken) {
      check_length(scratch.next.size() + text.size(), limit);
      for (char const *p = text.data(), *const end = p + text.size(); p != end;) {
        auto const [c, length] = decode_valid_utf8(p);
        put(c, taken == 0 ? 0 : 1);
        taken -= taken == 0 ? 0 : 1;
        p += length;
      }
      last_taken += taken;
    };
    GraphemeClusters clusters;
    std::string& bytes = scratch.bytes;
    for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
      bytes.clear();
      if (begin == 0) clusters.begins(points[0].value);
      do append_utf8(bytes, points[end++].value);
      while (end < points.size() && !clusters.begins(points[end].value));
      if (bytes.size() < 6) {
        if (auto const text = charsmap.find(bytes)) {
          replace(*text, static_cast<std::uint32_t>(end - begin));
          continue;
        }
      }
      std::string_view rest = bytes;
      for (std::size_t i = begin; i < end; ++i) {
        std::size_t const length = decode_valid_utf8(rest.data()).length;
        if (auto const text = charsmap.find(rest.substr(0, length)))
          replace(*text, 1);
        else
          put(points[i].value, 1);
        rest.remove_prefix(length);
      }
    }
    if (last) realigner.put(*last, last_taken);
    scratch.points.swap(scratch.next);
  }

  static void replace_space_runs(Step const& step, Scratch& scratch, std::size_t limit) {
    Points const& points = scratch.points;
    Points& output = scratch.next;
    output.clear();
    for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
      for (end = begin; end < points.size() && points[end].value == U' ';) ++end;
      if (end < begin + 2) {
        output.push_back(points[begin]);
        end = begin + 1;
        continue;
      }
      check_length(output.size() + step.content.size(), limit);
      for (char32_t const c : step.content) output.push_back({c, points[end - 1].begin, points[end - 1].end});
    }
    scratch.points.swap(output);
  }

  /// What stands for a match has the place of the match's last code point.
  static void replace_all(Step const& step, Scratch& scratch, std::size_t limit) {
    Points& output = scratch.next;
    output.clear();
    std::size_t length = 0;  // Of the pattern, how much the text so far ends with.
    for (NormalizedCodePoint const& point : scratch.points) {
      output.push_back(point);
      while (length > 0 && point.value != step.pattern[length]) length = step.borders[length - 1];
      if (point.value == step.pattern[length]) ++length;
      if (length < step.pattern.size()) continue;
      length = 0;
      output.resize(output.size() - step.pattern.size());
      check_length(output.size() + step.content.size(), limit);
      for (char32_t const c : step.content) output.push_back({c, point.begin, point.end});
    }
    scratch.points.swap(output);
  }

  std::vector<Step> steps_;
  std::array<bool, 256> changes_{};  // Text without these bytes is its own normal form
  bool changes_runs_ = false;        // if it has no two spaces beside each other
  bool changes_ends_ = false;        // and no whitespace at its ends, where these say so.
};

}  // namespace detail

}  // namespace axiform
