/// @file
/// Base64: bytes in a JSON file or a page.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends bytes in base64 (RFC 4648, with padding).
inline void append_base64(std::string& text, std::string_view bytes) {
  auto const byte = [&](std::size_t i) { return i < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[i])} : 0u; };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t const three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    text += base64_digits[three >> 18];
    text += base64_digits[three >> 12 & 63];
    text += i + 1 < bytes.size() ? base64_digits[three >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? base64_digits[three & 63] : '=';
  }
}

/// The bytes that `text` stands for in base64 (RFC 4648, with padding); nothing when it is no such text.
inline std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::array<std::int8_t, 256> digits = [] {
    std::array<std::int8_t, 256> result{};
    result.fill(-1);
    for (std::size_t i = 0; i < base64_digits.size(); ++i)
      result[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::int8_t>(i);
    return result;
  }();
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    bool const is_last = i + 4 == text.size();
    std::size_t const padding = !is_last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4 - padding; ++k) {
      std::int8_t const digit = digits[static_cast<unsigned char>(text[i + k])];
      if (digit < 0) return std::nullopt;
      bits |= static_cast<std::uint32_t>(digit) << (18 - 6 * k);
    }
    if ((bits & (padding == 0 ? 0u : padding == 1 ? 0xFFu : 0xFFFFu)) != 0) return std::nullopt;
    for (std::size_t k = 0; k < 3 - padding; ++k) bytes.push_back(static_cast<char>(bits >> (16 - 8 * k) & 0xFF));
  }
  return bytes;
}

}  // namespace axiform::detail
