/// @file
/// The products of every row of one matrix with every row of another, neither of them packed: scores of embeddings.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>

#include <axiform/simd/batch.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// result[i][j] = the product of row i of a and row j of b. Each has the same bits in any blocks, and whichever of the two comes first.
///
/// @param a      [a_rows, columns], rows `a_stride` floats apart.
/// @param b      [b_rows, columns], rows `b_stride` floats apart.
/// @param result [a_rows, b_rows], rows `result_stride` floats apart.
void row_products(float const* a, std::size_t a_stride, std::size_t a_rows, float const* b, std::size_t b_stride, std::size_t b_rows,
                  std::size_t columns, float* result, std::size_t result_stride) noexcept;

/// target[i] = the greatest number of row i. Which numbers count when some are NaN depends on the instruction set.
/// @param values [rows, columns], rows `stride` floats apart. @pre columns > 0.
void greatest_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// One tile: `Left` rows of a by `Right` rows of b. A pair has one vector of sums, whichever tile it falls in, and the last, partial vector
// of a row is filled with zeros: a product has one order of summation. 4 x 3 keeps 12 sums in flight, as many as hide the latency of fma,
// and loads 7 vectors for them, about one for two fma.
template <std::size_t Left, std::size_t Right>
void row_products_tile(float const* a, std::size_t a_stride, float const* b, std::size_t b_stride, std::size_t columns, float* result,
                       std::size_t result_stride) noexcept {
  simd::Floats sums[Left][Right];
  for (auto& row : sums)
    for (simd::Floats& sum : row) sum = simd::broadcast(0.0F);
  auto const add = [&](auto load) {
    simd::Floats right[Right];
#pragma GCC unroll 4
    for (std::size_t j = 0; j < Right; ++j) right[j] = load(b + j * b_stride);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Left; ++i) {
      simd::Floats const left = load(a + i * a_stride);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Right; ++j) sums[i][j] = simd::fma(left, right[j], sums[i][j]);
    }
  };
  std::size_t const whole = columns / simd::lanes * simd::lanes, rest = columns - whole;
  for (std::size_t k = 0; k < whole; k += simd::lanes) add([k](float const* row) { return simd::load(row + k); });
  if (rest != 0) add([=](float const* row) { return simd::load_partial(row + whole, rest); });
  for (std::size_t i = 0; i < Left; ++i)
    for (std::size_t j = 0; j < Right; ++j) result[i * result_stride + j] = simd::sum_lanes(sums[i][j]);
}

template <std::size_t Left>
void row_products_strip(float const* a, std::size_t a_stride, float const* b, std::size_t b_stride, std::size_t b_rows, std::size_t columns,
                        float* result, std::size_t result_stride) noexcept {
  std::size_t const whole = b_rows / 3 * 3;
  for (std::size_t j = 0; j < whole; j += 3)
    row_products_tile<Left, 3>(a, a_stride, b + j * b_stride, b_stride, columns, result + j, result_stride);
  for (std::size_t j = whole; j < b_rows; ++j)
    row_products_tile<Left, 1>(a, a_stride, b + j * b_stride, b_stride, columns, result + j, result_stride);
}

}  // namespace detail

AXIFORM_INLINE void row_products(float const* a, std::size_t a_stride, std::size_t a_rows, float const* b, std::size_t b_stride,
                                 std::size_t b_rows, std::size_t columns, float* result, std::size_t result_stride) noexcept {
  std::size_t const whole = a_rows / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4)
    detail::row_products_strip<4>(a + i * a_stride, a_stride, b, b_stride, b_rows, columns, result + i * result_stride, result_stride);
  for (std::size_t i = whole; i < a_rows; ++i)
    detail::row_products_strip<1>(a + i * a_stride, a_stride, b, b_stride, b_rows, columns, result + i * result_stride, result_stride);
}

AXIFORM_INLINE void greatest_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns,
                                     float* target) noexcept {
  std::size_t const whole = columns / simd::lanes * simd::lanes;
  for (std::size_t i = 0; i < rows; ++i) {
    float const* const row = values + i * stride;
    float greatest = row[0];
    if (whole != 0) {
      simd::Floats greatest_of_lanes = simd::load(row);
      for (std::size_t j = simd::lanes; j < whole; j += simd::lanes) greatest_of_lanes = simd::max(greatest_of_lanes, simd::load(row + j));
      greatest = simd::max_lanes(greatest_of_lanes);
    }
    for (std::size_t j = whole; j < columns; ++j) greatest = std::max(greatest, row[j]);
    target[i] = greatest;
  }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
