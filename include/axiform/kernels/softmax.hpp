/// @file
/// Softmax of rows, in place: what turns attention's scores into probabilities.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include <axiform/core/config.hpp>
#include <axiform/kernels/math.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// values[i] = e^(scale * values[i]) / sum of e^(scale * values[j]), over the first `count` of a row; the rest up to `padded_count`
/// becomes 0.
///
/// The first `count` results have bits that depend on the first `count` values alone: neither on the padding nor on what it held. A row of
/// nothing but -infinity (all of it masked) gives zeros; one with NaN or +infinity gives NaN.
///
/// @pre scale > 0, count <= padded_count.
void softmax_row(float* values, std::size_t count, std::size_t padded_count, float scale) noexcept;

/// `softmax_row` of each of `rows` rows of `columns` floats, `stride` floats apart.
void softmax(float* values, std::size_t stride, std::size_t rows, std::size_t columns, float scale) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void softmax_row(float* values, std::size_t count, std::size_t padded_count, float scale) noexcept {
  using namespace detail;
  constexpr float infinity = std::numeric_limits<float>::infinity();

  Floats maxima[accumulators] = {broadcast(-infinity), broadcast(-infinity), broadcast(-infinity), broadcast(-infinity)};
  for_vectors(count, [&](std::size_t v, std::size_t i) { maxima[v] = simd::max(maxima[v], simd::load(values + i)); });
  std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
  // Where the padding covers it, the last vector is loaded and stored whole.
  bool const padded = rest != 0 && padded_count - whole >= simd::lanes;
  Floats last = broadcast(-infinity);
  if (rest != 0) last = simd::keep_first(padded ? simd::load(values + whole) : simd::load_partial(values + whole, rest), rest, -infinity);
  float const maximum = simd::max_lanes(simd::max(simd::max(simd::max(maxima[0], maxima[1]), simd::max(maxima[2], maxima[3])), last));

  if (maximum == -infinity && std::all_of(values, values + count, [](float value) { return value == -infinity; })) {
    std::fill_n(values, padded_count, 0.0F);
    return;
  }

  Floats const shift = broadcast(maximum), factor = broadcast(scale);
  Sums sums;
  for_vectors(count, [&](std::size_t v, std::size_t i) {
    Floats const e = exp_nonpositive((simd::load(values + i) - shift) * factor);
    sums.at[v] = sums.at[v] + e;
    simd::store(values + i, e);
  });
  if (rest != 0) {
    last = simd::keep_first(exp_nonpositive((last - shift) * factor), rest, 0.0F);
    sums.at[0] = sums.at[0] + last;
  }
  Floats const total = broadcast(sums.total());

  for_vectors(count, [&](std::size_t, std::size_t i) { simd::store(values + i, simd::divide(simd::load(values + i), total)); });
  std::size_t done = count;
  if (padded) {
    simd::store(values + whole, simd::divide(last, total));
    done = whole + simd::lanes;
  } else if (rest != 0) {
    simd::store_partial(values + whole, simd::divide(last, total), rest);
  }
  if (done < padded_count) std::fill_n(values + done, padded_count - done, 0.0F);
}

AXIFORM_INLINE void softmax(float* values, std::size_t stride, std::size_t rows, std::size_t columns, float scale) noexcept {
  for (std::size_t i = 0; i < rows; ++i) softmax_row(values + i * stride, columns, columns, scale);
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
