/// @file
/// Normalizers that a tokenizer.json puts together: Unicode's normal forms, lower case, accents, replacements, one step after another, with the
/// place that each code point came from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/text/bert_normalizer.hpp>
#include <axiform/text/encoding.hpp>
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
    replace,                 ///< `content` for each `pattern`.
    prepend,                 ///< `content` before text that is not empty.
    strip_left,              ///< Drops whitespace at the begin.
    strip_right,             ///< Drops whitespace at the end.
  };
  Kind kind = Kind::nfc;     ///< What it does.
  std::string pattern = {};  ///< Of `replace`, not empty.
  std::string content = {};  ///< Of `replace` and `prepend`.
};

namespace detail {

/// What BERT's normalizer does, step by step.
inline std::vector<NormalizerStep> steps_of(BertNormalizerOptions const& options) {
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
  };

  Normalizer() = default;
  /// @throws FormatError for a text to replace that is empty. Texts are valid UTF-8.
  Normalizer(std::vector<NormalizerStep> const& steps, std::string const& where) {
    using enum NormalizerStep::Kind;
    if (!steps.empty()) unchanged_below_ = 0xCC;
    for (NormalizerStep const& step : steps) {
      if (step.kind == replace && step.pattern.empty()) throw FormatError(where + ": a normalizer that replaces the empty text");
      steps_.push_back({step.kind, code_points_of(step.pattern), code_points_of(step.content), {}});
      if (step.kind == replace) steps_.back().borders = borders_of(steps_.back().pattern);
      bool const is_form =
          step.kind == nfd || step.kind == nfkc || step.kind == nfkd || step.kind == strip_accents || step.kind == strip_nonspacing_marks;
      // No code point below U+0300, which begins with the byte 0xCC, is changed by composition alone.
      unchanged_below_ = step.kind == nfc ? unchanged_below_ : is_form ? std::min(unchanged_below_, 0x80u) : 0;
    }
  }

  /// Whether it is known at a glance that `text` is its own normal form.
  bool keeps(std::string_view text) const noexcept {
    if (steps_.empty()) return true;
    if (unchanged_below_ == 0x80) return is_ascii(text);
    return unchanged_below_ != 0 && std::ranges::all_of(text, [this](char c) { return static_cast<unsigned char>(c) < unchanged_below_; });
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
  };

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
      throw ArgumentError("the tokenizer's normalizer makes more than " + std::to_string(limit) + " characters of the text");
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
      case replace:
        replace_all(step, scratch, limit);
        break;
      case prepend: {
        auto const [first, begin, end] = points.front();
        check_length(points.size() + step.content.size(), limit);
        points.insert(points.begin(), step.content.size(), {U' ', begin, end});
        for (std::size_t i = 0; i < step.content.size(); ++i) points[i].value = step.content[i];
        break;
      }
      case strip_left:
        points.erase(points.begin(), std::ranges::find_if_not(points, is_space));
        break;
      case strip_right:
        while (!points.empty() && is_space(points.back())) points.pop_back();
        break;
    }
  }

  template <class Rewrite>
  static void rewrite(Scratch& scratch, Rewrite one) {
    scratch.next.clear();
    for (NormalizedCodePoint const& point : scratch.points) one(point, scratch.next);
    scratch.points.swap(scratch.next);
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
  unsigned unchanged_below_ = 0x100;  // Text whose bytes are all below it is its own normal form.
};

}  // namespace detail

}  // namespace axiform
