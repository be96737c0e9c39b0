/// @file
/// Layer normalisation of rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// What a row is shifted and scaled by: y = (x - shift) * scale + offset is normalised.
struct Normalization {
  float shift;
  float scale;
  float offset;
};

// The mean, then the deviations from it; both passes find the row in L1. The deviations' own mean is what rounding the mean lost: it is
// taken out again, or a row of equal elements would come out as noise with an epsilon as small as BERT's (1e-12).
[[gnu::always_inline]] inline Normalization normalization_of(float const* x, std::size_t columns, float epsilon) noexcept {
  float const count = static_cast<float>(columns);
  std::size_t const whole = columns / simd::lanes * simd::lanes, rest = columns - whole;

  Sums sums;
  for_vectors(columns, [&](std::size_t v, std::size_t i) { sums.at[v] = sums.at[v] + simd::load(x + i); });
  if (rest != 0) sums.at[0] = sums.at[0] + simd::load_partial(x + whole, rest);
  float const mean = sums.total() / count;

  Sums deviations, squares;
  simd::Floats const shift = simd::broadcast(mean);
  auto const add = [&](std::size_t v, simd::Floats deviation) {
    deviations.at[v] = deviations.at[v] + deviation;
    squares.at[v] = simd::fma(deviation, deviation, squares.at[v]);
  };
  for_vectors(columns, [&](std::size_t v, std::size_t i) { add(v, simd::load(x + i) - shift); });
  if (rest != 0) add(0, simd::keep_first(simd::load_partial(x + whole, rest) - shift, rest, 0.0F));
  float const remainder = deviations.total() / count;
  float const variance = std::max(squares.total() / count - remainder * remainder, 0.0F);

  float const scale = 1.0F / std::sqrt(variance + epsilon);
  return {mean, scale, -remainder * scale};
}

}  // namespace detail

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each row (Ba et al. 2016, eq. 4; the variance is that of the population).
///
/// A row's bits depend on that row alone: sums run in the order of its columns, lane by lane. With weight 1 and bias 0, rows of up to
/// 3072 columns whose mean is up to 1000 deviations from zero are within 1e-6 of a float64 reference.
///
/// @param x    [rows, columns], rows `x_stride` floats apart.
/// @param weight,bias [columns]; a null bias adds nothing.
/// @param y    [rows, columns], rows `y_stride` floats apart; may be x.
void layer_norm(float const* x, std::size_t x_stride, float const* weight, float const* bias, float epsilon, float* y, std::size_t y_stride,
                std::size_t rows, std::size_t columns) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void layer_norm(float const* x, std::size_t x_stride, float const* weight, float const* bias, float epsilon, float* y,
                               std::size_t y_stride, std::size_t rows, std::size_t columns) noexcept {
  std::size_t const whole = columns / simd::lanes * simd::lanes, rest = columns - whole;
  simd::Floats const none = simd::broadcast(0.0F);
  for (std::size_t row = 0; row < rows; ++row, x += x_stride, y += y_stride) {
    auto const normalization = detail::normalization_of(x, columns, epsilon);
    simd::Floats const shift = simd::broadcast(normalization.shift), scale = simd::broadcast(normalization.scale),
                       offset = simd::broadcast(normalization.offset);
    auto const normalized = [&](simd::Floats value, simd::Floats w, simd::Floats b) {
      return simd::fma(simd::fma(value - shift, scale, offset), w, b);
    };
    for (std::size_t i = 0; i < whole; i += simd::lanes)
      simd::store(y + i, normalized(simd::load(x + i), simd::load(weight + i), bias != nullptr ? simd::load(bias + i) : none));
    if (rest != 0)
      simd::store_partial(y + whole,
                          normalized(simd::load_partial(x + whole, rest), simd::load_partial(weight + whole, rest),
                                     bias != nullptr ? simd::load_partial(bias + whole, rest) : none),
                          rest);
  }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
