/// @file
/// Root-mean-square normalisation of rows.
#pragma once

#include <cmath>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// y = x / sqrt(mean(x^2) + epsilon) * weight for each row (Zhang and Sennrich 2019, eq. 4). A row's bits depend on that row alone.
///
/// @param x      [rows, columns], rows `x_stride` floats apart.
/// @param weight [columns].
/// @param y      [rows, columns], rows `y_stride` floats apart; may be x.
void rms_norm(float const* x, std::size_t x_stride, float const* weight, float epsilon, float* y, std::size_t y_stride, std::size_t rows,
              std::size_t columns) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void rms_norm(float const* x, std::size_t x_stride, float const* weight, float epsilon, float* y, std::size_t y_stride,
                             std::size_t rows, std::size_t columns) noexcept {
  std::size_t const whole = columns / simd::lanes * simd::lanes, rest = columns - whole;
  for (std::size_t row = 0; row < rows; ++row, x += x_stride, y += y_stride) {
    detail::Sums squares;
    auto const add = [&](std::size_t v, simd::Floats value) { squares.at[v] = simd::fma(value, value, squares.at[v]); };
    detail::for_vectors(columns, [&](std::size_t v, std::size_t i) { add(v, simd::load(x + i)); });
    if (rest != 0) add(0, simd::load_partial(x + whole, rest));
    simd::Floats const scale = simd::broadcast(1.0F / std::sqrt(squares.total() / static_cast<float>(columns) + epsilon));
    for (std::size_t i = 0; i < whole; i += simd::lanes) simd::store(y + i, simd::load(x + i) * scale * simd::load(weight + i));
    if (rest != 0)
      simd::store_partial(y + whole, simd::load_partial(x + whole, rest) * scale * simd::load_partial(weight + whole, rest), rest);
  }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
