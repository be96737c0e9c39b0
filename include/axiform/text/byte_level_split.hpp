/// @file
/// How GPT-2 and RoBERTa split text before byte-pair encoding (Radford et al. 2019), without a regular-expression engine.
#pragma once

#include <array>
#include <cstdint>

#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// The class of each ASCII character.
inline constexpr std::array<RegexClass, 128> ascii_regex_classes = [] {
  std::array<RegexClass, 128> result{};
  for (unsigned c = 0; c < 128; ++c) result[c] = properties_of(c).regex_class();
  return result;
}();

struct ClassifiedCharacter {
  RegexClass regex_class;
  std::uint32_t length;
};

inline ClassifiedCharacter classify(char const* p) noexcept {
  auto const lead = static_cast<unsigned char>(*p);
  if (lead < 0x80) return {ascii_regex_classes[lead], 1};
  auto const [c, length] = decode_valid_utf8(p);
  return {properties_of(c).regex_class(), length};
}

/// Bytes of the contraction at `p`: `'s 't 'm 'd 're 've 'll`, in lower case only; 0 when there is none.
inline int contraction_at(char const* p, char const* end) noexcept {
  if (*p != '\'' || end - p < 2) return 0;
  switch (p[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return end - p >= 3 && p[2] == 'e' ? 3 : 0;
    case 'l':
      return end - p >= 3 && p[2] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

/// The end of the piece that begins at `p` < `end`, as this expression, tried at each place, would find it:
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// The look-ahead leaves the last whitespace before a word to the next piece.
inline char const* end_of_piece(char const* p, char const* end) noexcept {
  if (int const length = contraction_at(p, end)) return p + length;
  ClassifiedCharacter first = classify(p);
  char const* q = p + first.length;
  if (*p == ' ' && q != end) {
    if (ClassifiedCharacter const second = classify(q); second.regex_class != RegexClass::space) {
      first = second;
      q += second.length;
    }
  }
  char const* last = p;  // Where the last character of the run begins.
  while (q != end) {
    ClassifiedCharacter const next = classify(q);
    if (next.regex_class != first.regex_class) break;
    last = q;
    q += next.length;
  }
  return first.regex_class == RegexClass::space && q != end && last != p ? last : q;
}

}  // namespace axiform::detail
