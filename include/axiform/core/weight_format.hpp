/// @file
/// The formats that weights are kept in, and the conversions between their numbers and `float`.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform {

/// What a matrix or a table of weights is kept in.
enum class WeightFormat : std::uint8_t {
  f32,   ///< IEEE 754 binary32: a float.
  bf16,  ///< bfloat16: the upper half of a float, 8 bits of precision in its whole range.
  f16,   ///< IEEE 754 binary16: 11 bits of precision, up to 65 504.
  q8_0,  ///< Blocks of 32 weights of a row: a scale, which is a binary16, and numbers of 8 bits. A weight is scale * number.
  q4_0,  ///< The same with numbers of 4 bits, from -8 to 7.
  q4_1,  ///< The same with numbers of 4 bits, from 0 to 15, and a minimum besides: a weight is scale * number + minimum.
  q4_k,  ///< Blocks of 256 weights of a row: numbers of 4 bits, as q4_1's; a group of 32 has a scale and a minimum of 6 bits each, the block their scales.
};

/// All of them, in the order of the enumeration.
inline constexpr std::array weight_formats{WeightFormat::f32,  WeightFormat::bf16, WeightFormat::f16, WeightFormat::q8_0,
                                           WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k};

/// Its name: "bf16".
constexpr std::string_view name_of(WeightFormat format) noexcept {
  switch (format) {
    case WeightFormat::f32:
      return "f32";
    case WeightFormat::bf16:
      return "bf16";
    case WeightFormat::f16:
      return "f16";
    case WeightFormat::q8_0:
      return "q8_0";
    case WeightFormat::q4_0:
      return "q4_0";
    case WeightFormat::q4_1:
      return "q4_1";
    case WeightFormat::q4_k:
      return "q4_k";
  }
  return "";
}

/// The format of that name, or nothing.
constexpr std::optional<WeightFormat> weight_format_named(std::string_view name) noexcept {
  for (WeightFormat const format : weight_formats)
    if (name_of(format) == name) return format;
  return std::nullopt;
}

/// Whether weights are kept in blocks (core/weight_blocks.hpp): one by itself has no place in memory and no value then.
constexpr bool is_in_blocks(WeightFormat format) noexcept {
  return format == WeightFormat::q8_0 || format == WeightFormat::q4_0 || format == WeightFormat::q4_1 || format == WeightFormat::q4_k;
}

/// The weights of a row that have a scale of their own, in every format of blocks.
inline constexpr std::size_t weights_of_group = 32;

/// The weights of a block: a group, of q4_k eight of them.
/// @pre The format is one of blocks.
constexpr std::size_t weights_of_block(WeightFormat format) noexcept {
  return format == WeightFormat::q4_k ? 8 * weights_of_group : weights_of_group;
}
/// The most that a block has.
inline constexpr std::size_t most_weights_of_block = weights_of_block(WeightFormat::q4_k);

/// The bytes of `count` weights; in blocks, of whole ones.
constexpr std::size_t bytes_of(WeightFormat format, std::size_t count) noexcept {
  switch (format) {
    case WeightFormat::f32:
      return count * 4;
    case WeightFormat::bf16:
    case WeightFormat::f16:
      return count * 2;
    case WeightFormat::q8_0:
      return count / weights_of_group * 34;
    case WeightFormat::q4_0:
      return count / weights_of_group * 18;
    case WeightFormat::q4_1:
      return count / weights_of_group * 20;
    case WeightFormat::q4_k:
      return count / most_weights_of_block * 144;
  }
  return 0;
}

/// The bytes of a block, of the format whose blocks are the largest.
inline constexpr std::size_t most_bytes_of_block = bytes_of(WeightFormat::q4_k, most_weights_of_block);

/// What rows of `columns` weights are kept in when `format` is asked for: where blocks do not come out even q4_1 instead of q4_k, and bf16 where groups of
/// 32 do not either.
constexpr WeightFormat format_of_rows(WeightFormat format, std::size_t columns) noexcept {
  if (!is_in_blocks(format) || columns % weights_of_block(format) == 0) return format;
  return columns % weights_of_group == 0 ? WeightFormat::q4_1 : WeightFormat::bf16;
}

/// The value of an IEEE 754 binary16, exactly; a NaN keeps its sign and payload.
///
/// Only integer operations and one subtraction, so loops over it vectorise; no step meets a subnormal float, so flush-to-zero modes do not
/// matter.
constexpr float float_from_half(std::uint16_t half) noexcept {
  std::uint32_t const magnitude = (half & 0x7fffu) << 13;  // Exponent and fraction, where a float has them.
  std::uint32_t const sign = (half & 0x8000u) << 16;
  constexpr std::uint32_t rebias = (127u - 15u) << 23;
  std::uint32_t const normal = magnitude + rebias;
  // A subnormal f * 2^-24 with exponent field 113 reads as 2^-14 + f * 2^-24.
  std::uint32_t const subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(normal + (1u << 23)) - 0x1p-14f);
  std::uint32_t const special = normal + rebias;  // Infinity and NaN: the exponent field 31 becomes 255.
  // Selects by mask: behind a condition GCC 12 moves the subtraction into a branch, and loops are not vectorised.
  std::uint32_t const is_subnormal = 0u - static_cast<std::uint32_t>(magnitude < (1u << 23));
  std::uint32_t const is_special = 0u - static_cast<std::uint32_t>(magnitude >= (31u << 23));
  return std::bit_cast<float>(sign | (subnormal & is_subnormal) | (special & is_special) | (normal & ~(is_subnormal | is_special)));
}

/// The value of a bfloat16, exactly: the upper half of a float.
constexpr float float_from_bfloat16(std::uint16_t bfloat16) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bfloat16) << 16);
}

/// The nearest IEEE 754 binary16, of two equally near the even one; from 65 520 on infinity. A NaN keeps its sign and the upper bits of its
/// payload, and is quiet. Vectorises, and minds no mode, as `float_from_half`.
constexpr std::uint16_t half_from_float(float value) noexcept {
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(value);
  std::uint32_t const sign = bits >> 16 & 0x8000u;
  std::uint32_t const magnitude = bits & 0x7fffffffu;
  constexpr std::uint32_t rebias = (127u - 15u) << 23;
  constexpr std::uint32_t least_normal = 113u << 23, infinity = 255u << 23;
  // Just below half of what is cut off, and the last bit that stays: a tie goes up where that bit is odd. A carry runs into the exponent.
  std::uint32_t const normal = std::min((magnitude - rebias + 0xfffu + (magnitude >> 13 & 1u)) >> 13, 0x7c00u);
  // The unit of 1/2 as a float is 2^-24, as that of subnormal halves: the sum rounds to it.
  std::uint32_t const small = std::min(magnitude, least_normal);
  std::uint32_t const subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(small) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f);
  std::uint32_t const nan = 0x7e00u | (magnitude >> 13 & 0x3ffu);
  std::uint32_t const is_subnormal = 0u - static_cast<std::uint32_t>(magnitude < least_normal);
  std::uint32_t const is_nan = 0u - static_cast<std::uint32_t>(magnitude > infinity);
  return static_cast<std::uint16_t>(sign | (subnormal & is_subnormal) | (nan & is_nan) | (normal & ~(is_subnormal | is_nan)));
}

/// The nearest bfloat16, of two equally near the even one; beyond the greatest infinity. A NaN keeps its sign and the upper bits of its
/// payload, and is quiet.
constexpr std::uint16_t bfloat16_from_float(float value) noexcept {
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(value);
  std::uint32_t const rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  std::uint32_t const nan = bits >> 16 | 0x40u;
  std::uint32_t const is_nan = 0u - static_cast<std::uint32_t>((bits & 0x7fffffffu) > (255u << 23));
  return static_cast<std::uint16_t>((nan & is_nan) | (rounded & ~is_nan));
}

/// `value` as the format keeps it: what a weight is after it was written and read back.
/// @pre The format is not one of blocks.
constexpr float rounded_to(WeightFormat format, float value) noexcept {
  switch (format) {
    default:
      break;
    case WeightFormat::bf16:
      return float_from_bfloat16(bfloat16_from_float(value));
    case WeightFormat::f16:
      return float_from_half(half_from_float(value));
  }
  return value;
}

}  // namespace axiform
