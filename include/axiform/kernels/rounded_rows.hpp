/// @file
/// Rows of floats rounded to numbers of 8 bits in groups of 32, as products with weights in blocks take them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packed_blocks.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <bit>
#include <limits>

#include <axiform/kernels/integer_arithmetic.hpp>
#include <axiform/simd/batch.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Rows of `k` inputs in memory of `bytes` bytes. A group of 32 inputs has
///
///     scale   max |x| / 127, a float
///     number  x * (127 / max |x|) rounded to the nearest integer, of two the even one: from -127 to 127
///     offset  -zero * (sum of its numbers), an integer; with a format that has minima scale * (sum of its numbers), a float
///
/// A group without anything of 2^-100 or more is zeros. One with an infinity or NaN has NaN as its scale, so that every result of the row is NaN.
struct RoundedRows {
  std::byte* memory;         ///< At a multiple of 64 bytes.
  std::size_t rows;          ///< How many there are.
  std::size_t k;             ///< Inputs of a row, a multiple of 32.
  std::size_t number_bytes;  ///< Of a number: what the format's `IntegerArithmetic` takes.

  /// Groups of a row.
  constexpr std::size_t groups() const noexcept { return k / weights_of_group; }
  /// All bytes.
  constexpr std::size_t bytes() const noexcept { return rows * (k * number_bytes + groups() * 8); }
  /// [rows, k].
  std::byte* numbers(std::size_t row) const noexcept { return memory + row * k * number_bytes; }
  /// [rows, groups].
  float* scales(std::size_t row) const noexcept { return reinterpret_cast<float*>(numbers(rows)) + row * groups(); }
  /// [rows, groups]; floats where there are minima.
  std::int32_t* offsets(std::size_t row) const noexcept { return reinterpret_cast<std::int32_t*>(numbers(rows)) + (rows + row) * groups(); }
};

/// Rows for products with weights of a format of blocks.
RoundedRows rounded_rows(WeightFormat format, std::byte* memory, std::size_t rows, std::size_t k) noexcept;

/// Rounds rows [first, last).
/// @param a The whole matrix, rows `a_stride` floats apart. @param format That of the weights.
void round_rows(WeightFormat format, float const* a, std::size_t a_stride, std::size_t first, std::size_t last,
                RoundedRows target) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Groups whose scales are made together, so that one division serves a register of them.
inline constexpr std::size_t groups_at_once = 16;

// The bits of the greatest magnitude of a group: by their bits NaN is the greatest.
[[gnu::always_inline]] inline std::int32_t greatest_of_group(float const* a) noexcept {
  simd::Ints greatest(0);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < weights_of_group; i += simd::lanes)
    greatest = xsimd::max(greatest, xsimd::bitwise_cast<std::int32_t>(simd::load(a + i)) & simd::Ints(0x7fffffff));
  return xsimd::reduce_max(greatest);
}

// The scales of groups, and what their floats are multiplied with: from the bits of the greatest magnitudes.
inline void scales_of_groups(std::int32_t const (&greatest)[groups_at_once], float (&inverses)[groups_at_once], float* scales,
                             std::size_t count) noexcept {
  using simd::Floats;
  for (std::size_t i = 0; i < count; i += simd::lanes) {
    Floats const magnitude = xsimd::bitwise_cast<float>(simd::Ints::load_unaligned(greatest + i));
    Floats const least = simd::broadcast(0x1p-100f), infinity = simd::broadcast(std::numeric_limits<float>::infinity());
    auto const is_number = magnitude < infinity, is_something = is_number & (magnitude >= least);
    Floats const zero = simd::broadcast(0.0f), nan = simd::broadcast(std::numeric_limits<float>::quiet_NaN());
    Floats const divisor = xsimd::select(is_something, magnitude, simd::broadcast(1.0f));
    simd::store(inverses + i, xsimd::select(is_something, simd::divide(simd::broadcast(127.0f), divisor), zero));
    Floats const scale = xsimd::select(is_something, simd::divide(magnitude, simd::broadcast(127.0f)), xsimd::select(is_number, zero, nan));
    simd::store_partial(scales + i, scale, std::min(simd::lanes, count - i));
  }
}

// Rounds a group, whose numbers it writes, and returns their sum.
template <class Number>
[[gnu::always_inline]] inline std::int32_t round_group(float const* a, float inverse, Number* numbers) noexcept {
  using simd::Ints;
  bool const is_something = inverse != 0.0f;  // infinity times zero would be no number
  Ints sum(0);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < weights_of_group; i += simd::lanes) {
    Ints const number = is_something ? simd::rounded(simd::load(a + i) * simd::broadcast(inverse)) : Ints(0);
    sum += number;
    if constexpr (sizeof(Number) == 1) {
      simd::store_bytes(numbers + i, number);
    } else {
      simd::store_halves_by_twos(numbers + i, number);
    }
  }
  return xsimd::reduce_add(sum);
}

template <class Blocks>
void round_row(float const* a, RoundedRows target, std::size_t row) noexcept {
  using Number = typename IntegerArithmetic<Blocks>::Number;
  for (std::size_t first = 0; first < target.groups(); first += groups_at_once) {
    std::size_t const count = std::min(groups_at_once, target.groups() - first);
    std::int32_t greatest[groups_at_once] = {};
    float inverses[groups_at_once];
    float const* const from = a + first * weights_of_group;
    float* const scales = target.scales(row) + first;
    for (std::size_t g = 0; g < count; ++g) greatest[g] = greatest_of_group(from + g * weights_of_group);
    scales_of_groups(greatest, inverses, scales, count);
    auto* const numbers = reinterpret_cast<Number*>(target.numbers(row)) + first * weights_of_group;
    for (std::size_t g = 0; g < count; ++g) {
      std::int32_t const sum = round_group(from + g * weights_of_group, inverses[g], numbers + g * weights_of_group);
      target.offsets(row)[first + g] =
          Blocks::has_minimum ? std::bit_cast<std::int32_t>(scales[g] * static_cast<float>(sum)) : -Blocks::zero * sum;
    }
  }
}

}  // namespace detail

AXIFORM_INLINE RoundedRows rounded_rows(WeightFormat format, std::byte* memory, std::size_t rows, std::size_t k) noexcept {
  RoundedRows result{memory, rows, k, 1};
  with_block_weights(format, [&]<class Blocks>(Blocks) { result.number_bytes = sizeof(typename IntegerArithmetic<Blocks>::Number); });
  return result;
}

AXIFORM_INLINE void round_rows(WeightFormat format, float const* a, std::size_t a_stride, std::size_t first, std::size_t last,
                               RoundedRows target) noexcept {
  with_block_weights(format, [&]<class Blocks>(Blocks) {
    for (std::size_t row = first; row < last; ++row) detail::round_row<Blocks>(a + row * a_stride, target, row);
  });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
