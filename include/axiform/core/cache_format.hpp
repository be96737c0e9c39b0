/// @file
/// The formats that a key-value cache is kept in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform {

/// What the keys and values of a cache are kept in. Arithmetic is in float whatever the format.
enum class CacheFormat : std::uint8_t {
  f32,   ///< IEEE 754 binary32: a float.
  bf16,  ///< bfloat16: the upper half of a float, rounded to the nearest.
  int8,  ///< Numbers from -127 to 127 times a scale, which each key and each value of a head has for itself: its greatest magnitude / 127.
};

/// All of them, in the order of the enumeration.
inline constexpr std::array cache_formats{CacheFormat::f32, CacheFormat::bf16, CacheFormat::int8};

/// Its name: "bf16".
constexpr std::string_view name_of(CacheFormat format) noexcept {
  switch (format) {
    case CacheFormat::f32:
      return "f32";
    case CacheFormat::bf16:
      return "bf16";
    case CacheFormat::int8:
      return "int8";
  }
  return "";
}

/// The format of that name, or nothing.
constexpr std::optional<CacheFormat> cache_format_named(std::string_view name) noexcept {
  for (CacheFormat const format : cache_formats)
    if (name_of(format) == name) return format;
  return std::nullopt;
}

/// Bytes of a number.
constexpr std::size_t bytes_of_number(CacheFormat format) noexcept {
  return format == CacheFormat::f32 ? 4 : format == CacheFormat::bf16 ? 2 : 1;
}

}  // namespace axiform
