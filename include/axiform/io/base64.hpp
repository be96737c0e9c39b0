/// @file
/// Base64: bytes in a JSON file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// The bytes that `text` stands for in base64 (RFC 4648, with padding); nothing when it is no such text.
inline std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr std::array<std::int8_t, 256> digits = [] {
    std::array<std::int8_t, 256> result{};
    result.fill(-1);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) result[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
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
