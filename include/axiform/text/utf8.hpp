/// @file
/// UTF-8: decoding, encoding, and what becomes of bytes that are not UTF-8.
///
/// Text comes from anywhere. What is invalid is replaced as Python's `errors="replace"` (and the Unicode Standard's "substitution of
/// maximal subparts") does: each longest run of bytes that begins a character but does not complete it becomes one U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform {

/// Appends one code point. What is no scalar value (a surrogate, above U+10FFFF) becomes U+FFFD.
inline void append_utf8(std::string& text, char32_t code_point) {
  auto const c = static_cast<std::uint32_t>(code_point > 0x10FFFF || (code_point >> 11) == 0x1B ? 0xFFFD : code_point);
  auto const put = [&text](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

namespace detail {
/// Whether a byte of valid UTF-8 is the first of its character.
inline bool begins_character(char byte) noexcept { return (byte & '\xC0') != '\x80'; }
}  // namespace detail

/// The number of code points in valid UTF-8.
inline std::size_t count_code_points(std::string_view text) noexcept {
  std::size_t count = 0;
  for (char const c : text) count += detail::begins_character(c);
  return count;
}

/// Whether all bytes of `text` are below 0x80: then bytes are code points, and any bytes are valid.
inline bool is_ascii(std::string_view text) noexcept {
  std::uint64_t high = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + i, 8);
    high |= eight;
  }
  for (; i < text.size(); ++i) high |= static_cast<unsigned char>(text[i]);
  return (high & 0x8080808080808080u) == 0;
}

/// What `scan_utf8` found at the front of a text.
struct Utf8Scan {
  std::size_t valid;    ///< Bytes that are whole characters.
  std::size_t invalid;  ///< Bytes after them that one U+FFFD stands for; 0 at the end of the text.
};

/// Whole characters at the front of `text`, and the maximal subpart that follows them. `invalid` reaches the end of the text also when more
/// bytes could still complete the character; see `is_incomplete_utf8`.
inline Utf8Scan scan_utf8(std::string_view text) noexcept {
  auto const* const bytes = reinterpret_cast<unsigned char const*>(text.data());
  std::size_t const size = text.size();
  std::size_t i = 0;
  while (i < size) {
    while (size - i >= 8) {
      std::uint64_t eight;
      std::memcpy(&eight, bytes + i, 8);
      if (eight & 0x8080808080808080u) break;
      i += 8;
    }
    if (i == size) break;
    unsigned const lead = bytes[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t const length = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length == 1) return {i, 1};
    unsigned const lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;   // no overlong forms
    unsigned const highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;  // no surrogates, nothing above U+10FFFF
    std::size_t good = 1;
    while (good < length && i + good < size) {
      unsigned const byte = bytes[i + good];
      if (good == 1 ? byte < lowest || byte > highest : (byte & 0xC0) != 0x80) break;
      ++good;
    }
    if (good < length) return {i, good};
    i += length;
  }
  return {size, 0};
}

/// Whether `text` is valid UTF-8.
inline bool is_valid_utf8(std::string_view text) noexcept { return scan_utf8(text).valid == text.size(); }

/// Whether all of `text` (what `scan_utf8` called invalid, at the end of a text) could begin a character that more bytes complete.
inline bool is_incomplete_utf8(std::string_view text) noexcept {
  if (text.empty()) return false;
  unsigned const lead = static_cast<unsigned char>(text.front());
  std::size_t const length = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return text.size() < length && scan_utf8(text).invalid == text.size();
}

/// `text` with U+FFFD for each maximal subpart that is not UTF-8; `text` itself when it is valid.
inline std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    auto const [valid, invalid] = scan_utf8(text);
    result.append(text.substr(0, valid));
    if (invalid != 0) result.append("\xEF\xBF\xBD");
    text.remove_prefix(valid + invalid);
  }
  return result;
}

namespace detail {

struct DecodedCodePoint {
  char32_t value;
  std::uint32_t length;
};

/// The code point at `p`, which begins a character of valid UTF-8.
inline DecodedCodePoint decode_valid_utf8(char const* p) noexcept {
  auto const byte = [p](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(p[i])); };
  std::uint32_t const lead = byte(0);
  if (lead < 0x80) return {static_cast<char32_t>(lead), 1};
  if (lead < 0xE0) return {static_cast<char32_t>((lead & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
  if (lead < 0xF0) return {static_cast<char32_t>((lead & 0xF) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3};
  return {static_cast<char32_t>((lead & 7) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F)), 4};
}

}  // namespace detail

}  // namespace axiform
