/// @file
/// Unicode as Hugging Face's tokenizers see it: what each code point is, its decomposition and its lower case.
///
/// The tables are generated from the pinned crate, which mixes several Unicode versions; `char32_t` arguments may be any value, and what is
/// no scalar value has no properties.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <axiform/text/unicode_tables.hpp>

namespace axiform {

/// What the regular expressions of byte-level tokenizers tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum class RegexClass : std::uint8_t { other, letter, number, space };

/// The properties of one code point.
class CodePointProperties {
 public:
  /// From a record of the generated tables.
  constexpr explicit CodePointProperties(std::uint32_t bits) noexcept : bits_(bits) {}

  constexpr bool is_dropped() const noexcept { return (bits_ & 1) != 0; }       ///< Removed by the cleaning of BERT's normalizer.
  constexpr bool is_whitespace() const noexcept { return (bits_ & 2) != 0; }    ///< Separates words.
  constexpr bool is_ideograph() const noexcept { return (bits_ & 4) != 0; }     ///< BERT puts spaces round it.
  constexpr bool is_mark() const noexcept { return (bits_ & 8) != 0; }          ///< A nonspacing mark: stripped as an accent.
  constexpr bool is_punctuation() const noexcept { return (bits_ & 16) != 0; }  ///< A word by itself in BERT.
  constexpr bool decomposes() const noexcept { return (bits_ & 32) != 0; }      ///< Its canonical decomposition is not itself.
  constexpr bool has_lower_case() const noexcept { return (bits_ & 64) != 0; }  ///< Its lower case is not itself.
  /// What `\p{L}`, `\p{N}` and `\s` see.
  constexpr RegexClass regex_class() const noexcept { return static_cast<RegexClass>(bits_ >> 7 & 3); }
  constexpr bool is_word() const noexcept { return (bits_ & 512) != 0; }        ///< `\w`: added tokens of `single_word` keep away from it.
  constexpr bool is_combining() const noexcept { return (bits_ & 1024) != 0; }  ///< Its canonical combining class is not zero.

 private:
  std::uint32_t bits_;
};

/// The properties of `c`.
constexpr CodePointProperties properties_of(char32_t c) noexcept {
  namespace tables = detail::unicode_tables;
  if (c > 0x10FFFF) return CodePointProperties(0);
  auto const block = static_cast<std::uint32_t>(tables::stage1[c >> tables::shift]);
  auto const index = tables::stage2[block << tables::shift | (c & ((1u << tables::shift) - 1))] - '0';
  return CodePointProperties(tables::records[index]);
}

namespace detail {

/// Calls `emit` with each code point of the canonical decomposition of `c`, which `decomposes()`.
template <class Emit>
constexpr void decompose(char32_t c, Emit emit) {
  namespace tables = unicode_tables;
  if (char32_t const syllable = c - 0xAC00; syllable < 11172) {
    emit(static_cast<char32_t>(0x1100 + syllable / 588));
    emit(static_cast<char32_t>(0x1161 + syllable % 588 / 28));
    if (syllable % 28 != 0) emit(static_cast<char32_t>(0x11A7 + syllable % 28));
    return;
  }
  auto const* const key = std::lower_bound(std::begin(tables::decomposition_keys), std::end(tables::decomposition_keys), c);
  auto const place = tables::decomposition_places[key - std::begin(tables::decomposition_keys)];
  for (int i = 0; i < (place & 7); ++i) emit(static_cast<char32_t>(tables::decomposition_pool[(place >> 3) + i]));
}

/// Calls `emit` with each code point of the lower case of `c`, which `has_lower_case()`.
template <class Emit>
constexpr void lower_case(char32_t c, Emit emit) {
  namespace tables = unicode_tables;
  auto const* const key = std::lower_bound(std::begin(tables::lower_case_keys), std::end(tables::lower_case_keys), c);
  emit(static_cast<char32_t>(tables::lower_case_values[key - std::begin(tables::lower_case_keys)]));
  if (c == 0x130) emit(U'\u0307');
}

/// The canonical combining class of `c`, which `is_combining()`.
constexpr std::uint8_t combining_class(char32_t c) noexcept {
  auto const* const range = std::lower_bound(std::begin(unicode_tables::combining_classes), std::end(unicode_tables::combining_classes), c,
                                             [](auto const& entry, char32_t value) { return entry.last < value; });
  return range->value;
}

}  // namespace detail

}  // namespace axiform
