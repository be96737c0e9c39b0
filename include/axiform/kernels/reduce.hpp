/// @file
/// Reductions over a row: the one order in which its elements are combined, greatest element and where it is.
#pragma once

#include <cstddef>
#include <limits>

#include <axiform/core/config.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// A row is summed by four vectors: element i goes to lane i % lanes of vector i / lanes % 4, those of a last, partial vector to vector 0.
// The order follows from the row's length alone. Four hide the latency of an addition, and four short sums lose less than a long one.
inline constexpr std::size_t accumulators = 4;

// Calls each(accumulator, offset) for the whole vectors of a row of `count` floats.
template <class Each>
[[gnu::always_inline]] inline void for_vectors(std::size_t count, Each each) noexcept {
  std::size_t i = 0;
  for (; i + accumulators * simd::lanes <= count; i += accumulators * simd::lanes)
#pragma GCC unroll 4
    for (std::size_t v = 0; v < accumulators; ++v) each(v, i + v * simd::lanes);
  for (std::size_t v = 0; i + simd::lanes <= count; i += simd::lanes, ++v) each(v, i);
}

struct Sums {
  simd::Floats at[accumulators] = {simd::broadcast(0.0F), simd::broadcast(0.0F), simd::broadcast(0.0F), simd::broadcast(0.0F)};

  [[gnu::always_inline]] float total() const noexcept { return simd::sum_lanes((at[0] + at[1]) + (at[2] + at[3])); }
};

}  // namespace detail

/// The greatest of `count` floats, NaN passed over; -infinity when there is none.
inline float row_maximum(float const* values, std::size_t count) noexcept {
  simd::Floats const lowest = simd::broadcast(-std::numeric_limits<float>::infinity());
  simd::Floats maxima[detail::accumulators] = {lowest, lowest, lowest, lowest};
  auto const greater = [](simd::Floats a, simd::Floats b) { return xsimd::select(b > a, b, a); };  // false for NaN in b
  detail::for_vectors(count, [&](std::size_t v, std::size_t i) { maxima[v] = greater(maxima[v], simd::load(values + i)); });
  std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
  if (rest != 0)
    maxima[0] =
        greater(maxima[0], simd::keep_first(simd::load_partial(values + whole, rest), rest, -std::numeric_limits<float>::infinity()));
  return simd::max_lanes(simd::max(simd::max(maxima[0], maxima[1]), simd::max(maxima[2], maxima[3])));
}

/// The index of the greatest of `count` floats, the first of equals, NaN passed over; 0 when there is none.
inline std::size_t row_argmax(float const* values, std::size_t count) noexcept {
  simd::Floats const maximum = simd::broadcast(row_maximum(values, count));
  std::size_t i = 0;
  for (; i + simd::lanes <= count; i += simd::lanes)
    if (xsimd::any(simd::load(values + i) == maximum)) break;
  for (float const greatest = maximum.get(0); i < count; ++i)
    if (values[i] == greatest) return i;
  return 0;
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
