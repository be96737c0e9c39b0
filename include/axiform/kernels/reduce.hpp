/// @file
/// Reductions over a row: the one order in which its elements are combined.
#pragma once

#include <cstddef>

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

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
