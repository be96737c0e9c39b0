/// @file
/// Softmax of rows, in place, and the exponentials that attention makes of its scores.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include <axiform/core/config.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/math.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What there is to know of a row of exponentials: to have probabilities, divide them by `total`.
struct ExponentialSum {
  float maximum = -std::numeric_limits<float>::infinity();  ///< of the row, before
  float total = 0.0F;                                       ///< of the exponentials; 0 for a row of nothing, or of nothing but -infinity
};

/// values[i] = e^(scale * (values[i] - maximum of the row)), over the first `count` of each of `rows` rows, `stride` floats apart.
///
/// The results have bits that depend on those values alone: on no other row, nor on what lies behind. A row of nothing but -infinity gives
/// zeros; one with NaN or +infinity gives NaN, at least in its sum.
///
/// @param room Floats of a row that may be written, at least `count`: up to a whole vector saves time.
/// @param sums [rows]
/// @pre scale > 0
void exponentials(float* values, std::size_t stride, std::size_t rows, std::size_t count, std::size_t room, float scale,
                  ExponentialSum* sums) noexcept;

/// values[i] = e^(scale * values[i]) / sum of e^(scale * values[j]), over the first `count` of a row; the rest up to `padded_count`
/// becomes 0. Else as `exponentials`.
///
/// @pre scale > 0, count <= padded_count.
void softmax_row(float* values, std::size_t count, std::size_t padded_count, float scale) noexcept;

/// `softmax_row` of each of `rows` rows of `columns` floats, `stride` floats apart.
void softmax(float* values, std::size_t stride, std::size_t rows, std::size_t columns, float scale) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// The exponentials of `Rows` rows, step by step side by side: while the sum of one waits, the others go on. No arithmetic crosses rows.
template <std::size_t Rows>
void exponentials_together(float* values, std::size_t stride, std::size_t count, std::size_t room, float scale,
                           ExponentialSum* sums) noexcept {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  auto const each_row = [](auto work) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) work(r);
  };

  Floats maxima[Rows][accumulators];
  each_row([&](std::size_t r) {
    for (Floats& maximum : maxima[r]) maximum = broadcast(-infinity);
  });
  for_vectors(count, [&](std::size_t v, std::size_t i) {
    each_row([&](std::size_t r) { maxima[r][v] = simd::max(maxima[r][v], simd::load(values + r * stride + i)); });
  });
  std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
  bool const has_room = room - whole >= simd::lanes;
  Floats last[Rows], shift[Rows];
  each_row([&](std::size_t r) {
    float const* const at = values + r * stride + whole;
    last[r] = broadcast(-infinity);
    if (rest != 0) last[r] = simd::keep_first(has_room ? simd::load(at) : simd::load_partial(at, rest), rest, -infinity);
    auto const& [a, b, c, d] = maxima[r];
    sums[r].maximum = simd::max_lanes(simd::max(simd::max(simd::max(a, b), simd::max(c, d)), last[r]));
    shift[r] = broadcast(sums[r].maximum == -infinity ? 0.0F : sums[r].maximum);  // infinity less infinity is NaN
  });

  Floats const factor = broadcast(scale);
  Sums added[Rows];
  for_vectors(count, [&](std::size_t v, std::size_t i) {
    each_row([&](std::size_t r) {
      float* const at = values + r * stride + i;
      Floats const e = exp_nonpositive((simd::load(at) - shift[r]) * factor);
      added[r].at[v] = added[r].at[v] + e;
      simd::store(at, e);
    });
  });
  each_row([&](std::size_t r) {
    if (rest != 0) {
      last[r] = simd::keep_first(exp_nonpositive((last[r] - shift[r]) * factor), rest, 0.0F);
      added[r].at[0] = added[r].at[0] + last[r];
      float* const at = values + r * stride + whole;
      has_room ? simd::store(at, last[r]) : simd::store_partial(at, last[r], rest);
    }
    sums[r].total = added[r].total();
  });
}

// Rows at once: four of them fill 16 registers with what they sum.
inline constexpr std::size_t rows_together = simd::registers >= 32 ? 4 : 2;

}  // namespace detail

AXIFORM_INLINE void exponentials(float* values, std::size_t stride, std::size_t rows, std::size_t count, std::size_t room, float scale,
                                 ExponentialSum* sums) noexcept {
  std::size_t row = 0;
  for (; row + detail::rows_together <= rows; row += detail::rows_together)
    detail::exponentials_together<detail::rows_together>(values + row * stride, stride, count, room, scale, sums + row);
  for (; row < rows; ++row) detail::exponentials_together<1>(values + row * stride, stride, count, room, scale, sums + row);
}

AXIFORM_INLINE void softmax_row(float* values, std::size_t count, std::size_t padded_count, float scale) noexcept {
  ExponentialSum sum;
  exponentials(values, 0, 1, count, padded_count, scale, &sum);
  if (sum.total != 0.0F) divide_row(values, count, sum.total);
  std::fill_n(values + count, padded_count - count, 0.0F);
}

AXIFORM_INLINE void softmax(float* values, std::size_t stride, std::size_t rows, std::size_t columns, float scale) noexcept {
  for (std::size_t i = 0; i < rows; ++i) softmax_row(values + i * stride, columns, columns, scale);
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
