/// @file
/// `Float16` and `BFloat16`: numbers of two bytes as elements of tensors. They are stored; whoever computes with them computes with floats.
#pragma once

#include <cstdint>

#include <axiform/core/weight_format.hpp>

namespace axiform {

/// An IEEE 754 binary16: 11 bits of precision, up to 65 504.
struct Float16 {
  std::uint16_t bits = 0;  ///< As they are stored.

  constexpr Float16() = default;
  /// The nearest of `value`, of two equally near the even one.
  constexpr explicit Float16(float value) noexcept : bits(half_from_float(value)) {}
  constexpr operator float() const noexcept { return float_from_half(bits); }  ///< Its value, exactly.
};

/// A bfloat16: the upper half of a float, 8 bits of precision in its whole range.
struct BFloat16 {
  std::uint16_t bits = 0;  ///< As they are stored.

  constexpr BFloat16() = default;
  /// The nearest of `value`, of two equally near the even one.
  constexpr explicit BFloat16(float value) noexcept : bits(bfloat16_from_float(value)) {}
  constexpr operator float() const noexcept { return float_from_bfloat16(bits); }  ///< Its value, exactly.
};

}  // namespace axiform
