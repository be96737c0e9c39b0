/// @file
/// Sums and products of rows, element by element.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// target[i] = each(source[i], target[i]) for i < count.
template <class Each>
[[gnu::always_inline]] inline void combine_row(float const* source, float* target, std::size_t count, Each each) noexcept {
  std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
  for (std::size_t i = 0; i < whole; i += simd::lanes) simd::store(target + i, each(simd::load(source + i), simd::load(target + i)));
  if (rest != 0)
    simd::store_partial(target + whole, each(simd::load_partial(source + whole, rest), simd::load_partial(target + whole, rest)), rest);
}

}  // namespace detail

/// target[i] += source[i] for i < count. The two may be the same, but must not overlap otherwise.
inline void add_row(float const* source, float* target, std::size_t count) noexcept {
  detail::combine_row(source, target, count, [](simd::Floats a, simd::Floats b) { return b + a; });
}

/// values[i] *= factor for i < count.
inline void scale_row(float* values, std::size_t count, float factor) noexcept {
  detail::combine_row(values, values, count, [factor](simd::Floats a, simd::Floats) { return a * simd::broadcast(factor); });
}

/// target[i] = values[i] * factor for i < count.
inline void scale_row(float const* values, float factor, float* target, std::size_t count) noexcept {
  std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
  for (std::size_t i = 0; i < whole; i += simd::lanes) simd::store(target + i, simd::load(values + i) * simd::broadcast(factor));
  if (rest != 0) simd::store_partial(target + whole, simd::load_partial(values + whole, rest) * simd::broadcast(factor), rest);
}

/// values[i] /= divisor for i < count.
inline void divide_row(float* values, std::size_t count, float divisor) noexcept {
  detail::combine_row(values, values, count, [divisor](simd::Floats a, simd::Floats) { return simd::divide(a, simd::broadcast(divisor)); });
}

/// values[i] = values[i] * factor + added[i] for i < count, the product rounded.
inline void scale_and_add_row(float* values, float factor, float const* added, std::size_t count) noexcept {
  detail::combine_row(added, values, count, [factor](simd::Floats a, simd::Floats b) { return b * simd::broadcast(factor) + a; });
}

/// target[i] *= source[i] for i < count.
inline void multiply_row(float const* source, float* target, std::size_t count) noexcept {
  detail::combine_row(source, target, count, [](simd::Floats a, simd::Floats b) { return b * a; });
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
