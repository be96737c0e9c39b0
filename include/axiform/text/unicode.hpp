/// @file
/// Unicode as Hugging Face's tokenizers see it: what each code point is, its decomposition and its lower case.
///
/// The tables are generated from the pinned crate, which mixes several Unicode versions; `char32_t` arguments may be any value, and what is
/// no scalar value has no properties.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>

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
  constexpr bool is_numeric() const noexcept { return (bits_ >> 14 & 1) != 0; }  ///< A digit to the pre-tokenizer `Digits`.
  constexpr bool is_accent() const noexcept { return (bits_ >> 15 & 1) != 0; }   ///< A mark of any kind: the normalizer `StripAccents` drops it.
  constexpr bool is_compatible() const noexcept { return (bits_ >> 16 & 1) != 0; }  ///< Has a compatibility decomposition of its own.
  /// Which of at most 32 classes regular expressions see: `general_classes` names them.
  constexpr unsigned general_class() const noexcept { return (bits_ >> 7 & 3) | (bits_ >> 11 & 7) << 2; }

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

/// Sets of general classes, one bit each.
namespace general_classes {
inline constexpr std::uint32_t other = 1u << 0, other_letter = 1u << 1, other_number = 1u << 2, space = 1u << 3, mark = 1u << 4,
                               upper = 1u << 5, digit = 1u << 6, punctuation = 1u << 8, lower = 1u << 9, symbol = 1u << 12,
                               title = 1u << 13, modifier = 1u << 17;
inline constexpr std::uint32_t letter = other_letter | upper | lower | title | modifier, number = other_number | digit,
                               all = other | letter | number | space | mark | punctuation | symbol;
}  // namespace general_classes

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
  for (std::uint32_t i = 0; i < (place & 31); ++i) emit(static_cast<char32_t>(tables::decomposition_pool[(place >> 5) + i]));
}

/// The same of the compatibility decomposition of `c`, which `is_compatible()`.
template <class Emit>
constexpr void decompose_compatibly(char32_t c, Emit emit) {
  namespace tables = unicode_tables;
  auto const* const key = std::lower_bound(std::begin(tables::compatibility_keys), std::end(tables::compatibility_keys), c);
  auto const place = tables::compatibility_places[key - std::begin(tables::compatibility_keys)];
  for (std::uint32_t i = 0; i < (place & 31); ++i) emit(static_cast<char32_t>(tables::compatibility_pool[(place >> 5) + i]));
}

/// What two code points compose to.
constexpr std::optional<char32_t> compose(char32_t first, char32_t second) noexcept {
  namespace tables = unicode_tables;
  if (char32_t const vowel = second - 0x1161; first - 0x1100 < 19 && vowel < 21) return 0xAC00 + (first - 0x1100) * 588 + vowel * 28;
  if (char32_t const syllable = first - 0xAC00; syllable < 11172 && syllable % 28 == 0 && second - 0x11A8 < 27) return first + (second - 0x11A7);
  if (second < 0x300) return std::nullopt;
  std::uint64_t const pair = std::uint64_t{first} << 32 | second;
  auto const* const key = std::lower_bound(std::begin(tables::composition_keys), std::end(tables::composition_keys), pair);
  if (key == std::end(tables::composition_keys) || *key != pair) return std::nullopt;
  return static_cast<char32_t>(tables::composition_values[key - std::begin(tables::composition_keys)]);
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
