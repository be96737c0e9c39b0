/// @file
/// Activations, lane by lane and row by row. A layer chooses one by name; kernels are instantiated for each.
#pragma once

#include <cstddef>

#include <axiform/core/activation.hpp>
#include <axiform/kernels/gelu.hpp>
#include <axiform/kernels/math.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// max(x, 0); NaN stays NaN.
[[gnu::always_inline]] inline simd::Floats relu(simd::Floats x) noexcept {
  return xsimd::select(x < simd::broadcast(0.0F), simd::broadcast(0.0F), x);
}

/// The activation of each lane. With `kind` known to the compiler only its own code remains.
[[gnu::always_inline]] inline simd::Floats activate(Activation kind, simd::Floats x) noexcept {
  switch (kind) {
    case Activation::none:
      return x;
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return gelu_tanh(x);
    case Activation::relu:
      return relu(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::silu:
      return silu(x);
  }
  return x;
}

namespace detail {

template <Activation Kind>
[[gnu::noinline]] void activate_rows_as(float* values, std::size_t stride, std::size_t rows, std::size_t columns) noexcept {
  std::size_t const whole = columns / simd::lanes * simd::lanes;
  for (std::size_t i = 0; i < rows; ++i) {
    float* const row = values + i * stride;
    for (std::size_t j = 0; j < whole; j += simd::lanes) simd::store(row + j, activate(Kind, simd::load(row + j)));
    if (std::size_t const rest = columns - whole; rest != 0)
      simd::store_partial(row + whole, activate(Kind, simd::load_partial(row + whole, rest)), rest);
  }
}

}  // namespace detail

/// Applies `kind` in place to `rows` rows of `columns` floats, `stride` floats apart.
inline void activate_rows(Activation kind, float* values, std::size_t stride, std::size_t rows, std::size_t columns) noexcept {
  // As one long row, where they lie together: rows of one or two registers would each wait for their own divisions (a product with GELU took twice as long).
  if (stride == columns) {
    columns *= rows;
    rows = 1;
  }
  switch (kind) {
    case Activation::none:
      return;
    case Activation::gelu:
      return detail::activate_rows_as<Activation::gelu>(values, stride, rows, columns);
    case Activation::gelu_tanh:
      return detail::activate_rows_as<Activation::gelu_tanh>(values, stride, rows, columns);
    case Activation::relu:
      return detail::activate_rows_as<Activation::relu>(values, stride, rows, columns);
    case Activation::tanh:
      return detail::activate_rows_as<Activation::tanh>(values, stride, rows, columns);
    case Activation::silu:
      return detail::activate_rows_as<Activation::silu>(values, stride, rows, columns);
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
