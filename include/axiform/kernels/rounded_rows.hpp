/// @file
/// Rows of floats rounded to numbers of 8 bits in groups of 32, as products with weights in blocks take them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packed_blocks.hpp>

#if AXIFORM_DEFINES(kernels)
#include <bit>

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
  constexpr std::size_t groups() const noexcept { return k / weights_of_block; }
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

// The scale of a group, and 1 / scale, from the bits of its greatest magnitude.
struct GroupScale {
  float scale, inverse;

  explicit GroupScale(std::int32_t greatest_bits) noexcept {
    constexpr float least = 0x1p-100f;  // 127 times its inverse is a float
    float const greatest = std::bit_cast<float>(greatest_bits);
    bool const is_finite = greatest_bits < 0x7f800000, is_zeros = greatest < least;
    scale = !is_finite ? std::bit_cast<float>(0x7fc00000) : is_zeros ? 0.0f : greatest / 127.0f;
    inverse = !is_finite || is_zeros ? 0.0f : 127.0f / greatest;
  }
};

template <class Blocks>
void round_row(float const* a, RoundedRows target, std::size_t row) noexcept {
  using simd::Floats, simd::Ints;
  using Number = typename IntegerArithmetic<Blocks>::Number;
  constexpr std::size_t vectors = weights_of_block / simd::lanes;
  for (std::size_t g = 0; g < target.groups(); ++g, a += weights_of_block) {
    Floats values[vectors];
    // By their bits, as NaN is the greatest then.
    Ints greatest(0);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      values[v] = simd::load(a + v * simd::lanes);
      greatest = xsimd::max(greatest, xsimd::bitwise_cast<std::int32_t>(values[v]) & Ints(0x7fffffff));
    }
    GroupScale const group(xsimd::reduce_max(greatest));
    bool const is_nothing = group.inverse == 0.0f;  // infinity times zero would be no number
    Ints sum(0);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      Ints const number = is_nothing ? Ints(0) : simd::rounded(values[v] * simd::broadcast(group.inverse));
      sum += number;
      auto* const to = reinterpret_cast<Number*>(target.numbers(row)) + g * weights_of_block + v * simd::lanes;
      if constexpr (sizeof(Number) == 1) {
        simd::store_bytes(to, number);
      } else {
        simd::store_halves_by_twos(to, number);
      }
    }
    std::int32_t const total = xsimd::reduce_add(sum);
    target.scales(row)[g] = group.scale;
    target.offsets(row)[g] =
        Blocks::has_minimum ? std::bit_cast<std::int32_t>(group.scale * static_cast<float>(total)) : -Blocks::zero * total;
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
