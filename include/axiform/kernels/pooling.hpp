/// @file
/// Many rows to one: sums, means and maxima of columns, and rows scaled to unit length.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// target = the sum of each column, in the order of rows; zeros when there is no row.
/// @param values [rows, columns], rows `stride` floats apart.
void sum_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept;

/// target = the mean of each column, summed in the order of rows; zeros when there is no row.
/// @param values [rows, columns], rows `stride` floats apart.
void mean_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept;

/// target = the mean of each column with the weights first_weight, first_weight + 1 …, summed in the order of rows; zeros when there is no
/// row.
/// @param values [rows, columns], rows `stride` floats apart.
void rising_mean_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t first_weight,
                         float* target) noexcept;

/// target = the maximum of each column; zeros when there is no row.
/// @param values [rows, columns], rows `stride` floats apart.
void maximum_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept;

/// The product of two rows, summed in double in the order of columns.
double dot(float const* a, float const* b, std::size_t columns) noexcept;

/// Scales a row to a Euclidean length of 1. As torch's `normalize`: a length below 1e-12 counts as 1e-12, so zeros stay.
void normalize_row(float* values, std::size_t columns) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void sum_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept {
  std::fill_n(target, columns, 0.0f);
  for (std::size_t row = 0; row < rows; ++row) add_row(values + row * stride, target, columns);
}

AXIFORM_INLINE void mean_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns, float* target) noexcept {
  sum_of_rows(values, stride, rows, columns, target);
  if (rows != 0) scale_row(target, columns, 1.0f / static_cast<float>(rows));
}

AXIFORM_INLINE void rising_mean_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns,
                                        std::size_t first_weight, float* target) noexcept {
  std::fill_n(target, columns, 0.0f);
  double weights = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    auto const weight = static_cast<float>(first_weight + row);
    detail::combine_row(values + row * stride, target, columns,
                        [weight](simd::Floats value, simd::Floats sum) { return simd::fma(value, simd::broadcast(weight), sum); });
    weights += weight;
  }
  if (rows != 0) scale_row(target, columns, static_cast<float>(1.0 / weights));
}

AXIFORM_INLINE void maximum_of_rows(float const* values, std::size_t stride, std::size_t rows, std::size_t columns,
                                    float* target) noexcept {
  if (rows == 0) {
    std::fill_n(target, columns, 0.0f);
    return;
  }
  std::copy_n(values, columns, target);
  for (std::size_t row = 1; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column) target[column] = std::max(target[column], values[row * stride + column]);
}

AXIFORM_INLINE double dot(float const* a, float const* b, std::size_t columns) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < columns; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

AXIFORM_INLINE void normalize_row(float* values, std::size_t columns) noexcept {
  scale_row(values, columns, static_cast<float>(1.0 / std::max(std::sqrt(dot(values, values, columns)), 1e-12)));
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
