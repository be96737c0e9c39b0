/// @file
/// BERT's normaliser: cleaning, spaces round ideographs, accents, lower case, in this order, with the place that each result came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/text/normal_forms.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// The settings of BERT's normaliser, under Hugging Face's names.
struct BertNormalizerOptions {
  bool clean_text = true;                            ///< Drops control characters, makes all whitespace spaces.
  bool handle_chinese_chars = true;                  ///< Makes each ideograph a word.
  std::optional<bool> strip_accents = std::nullopt;  ///< Decomposes and drops nonspacing marks; as `lowercase` says when not given.
  bool lowercase = true;                             ///< Each character by itself.

  /// What `strip_accents` comes to.
  bool strips_accents() const noexcept { return strip_accents.value_or(lowercase); }
};

namespace detail {

/// Normalises text piece by piece; owns the buffers for it.
class BertNormalizer {
 public:
  explicit BertNormalizer(BertNormalizerOptions const& options) : options_(options) {}

  /// The normal form of `text`, which is valid UTF-8 and begins at byte `base` of the original. Valid until the next call.
  std::vector<NormalizedCodePoint> const& normalize(std::string_view text, std::uint32_t base) {
    cleaned_.clear();
    bool decomposes = false;
    for (char const *p = text.data(), *const end = p + text.size(); p != end;) {
      auto [c, length] = decode_valid_utf8(p);
      auto const properties = properties_of(c);
      auto const begin = base + static_cast<std::uint32_t>(p - text.data());
      p += length;
      if (options_.clean_text) {
        if (properties.is_dropped()) continue;
        if (properties.is_whitespace()) c = U' ';
      }
      bool const spaced = options_.handle_chinese_chars && properties.is_ideograph();
      if (spaced) cleaned_.push_back({U' ', begin, begin + length});
      cleaned_.push_back({c, begin, begin + length});
      if (spaced) cleaned_.push_back({U' ', begin, begin + length});
      decomposes |= properties.decomposes() || properties.is_mark() || properties.is_combining();
    }
    if (decomposes && options_.strips_accents()) strip_accents();
    if (options_.lowercase) make_lower_case();
    return cleaned_;
  }

 private:
  /// Canonical decomposition with canonical order, then without nonspacing marks.
  void strip_accents() {
    Realigner realigner(cleaned_, decomposed_);
    decomposer_.decompose_all(cleaned_, Decomposition::canonical, [&](char32_t c, std::uint32_t taken) {
      if (properties_of(c).is_mark())
        realigner.skip(taken);
      else
        realigner.put(c, taken);
    });
    cleaned_.swap(decomposed_);
  }

  void make_lower_case() {
    bool grows = false;
    for (NormalizedCodePoint& point : cleaned_) {
      if (point.value == U'\u0130')
        grows = true;
      else if (properties_of(point.value).has_lower_case())
        lower_case(point.value, [&](char32_t c) { point.value = c; });
    }
    if (!grows) return;
    decomposed_.clear();
    for (NormalizedCodePoint const& point : cleaned_) {
      if (point.value == U'\u0130')
        lower_case(point.value, [&](char32_t c) { decomposed_.push_back({c, point.begin, point.end}); });
      else
        decomposed_.push_back(point);
    }
    cleaned_.swap(decomposed_);
  }

  BertNormalizerOptions options_;
  std::vector<NormalizedCodePoint> cleaned_;
  std::vector<NormalizedCodePoint> decomposed_;
  Decomposer decomposer_;
};

}  // namespace detail

}  // namespace axiform
