/// @file
/// BERT's normaliser: cleaning, spaces round ideographs, accents, lower case, in this order, with the place that each result came from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// A code point of the normalised text and the bytes [begin, end) of the original text that it stands for.
struct NormalizedCodePoint {
  char32_t value;
  std::uint32_t begin;
  std::uint32_t end;
};

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
  struct Pending {
    std::uint8_t combining_class;
    bool is_first;  // Of the code points that one code point decomposes into.
    char32_t value;
    std::size_t order;  // Of equal classes, what came first stays first.
  };

  /// Canonical decomposition with canonical order, then without nonspacing marks. The crate aligns what comes out in order: the n-th first
  /// code point of a decomposition takes the place of the n-th code point that went in, also where marks have changed places.
  void strip_accents() {
    decomposed_.clear();
    pending_.clear();
    std::size_t taken = 0;
    auto const emit = [&](char32_t c, bool is_first) {
      if (is_first) ++taken;
      if (!properties_of(c).is_mark()) decomposed_.push_back({c, cleaned_[taken - 1].begin, cleaned_[taken - 1].end});
    };
    auto const flush = [&] {
      std::sort(pending_.begin(), pending_.end(), [](Pending const& a, Pending const& b) {
        return a.combining_class != b.combining_class ? a.combining_class < b.combining_class : a.order < b.order;
      });
      for (Pending const& p : pending_) emit(p.value, p.is_first);
      pending_.clear();
    };
    auto const put = [&](char32_t c, bool is_first) {
      if (properties_of(c).is_combining()) {
        pending_.push_back({combining_class(c), is_first, c, pending_.size()});
      } else {
        if (!pending_.empty()) flush();
        emit(c, is_first);
      }
    };
    for (NormalizedCodePoint const& point : cleaned_) {
      bool is_first = true;
      if (properties_of(point.value).decomposes()) {
        decompose(point.value, [&](char32_t c) {
          put(c, is_first);
          is_first = false;
        });
      } else {
        put(point.value, true);
      }
    }
    flush();
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
  std::vector<Pending> pending_;
};

}  // namespace detail

}  // namespace axiform
