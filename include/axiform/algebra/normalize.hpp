/// @file
/// `softmax`, `log_softmax` and `logsumexp` along named axes; `layer_norm` and `rms_norm` along them.
///
///     auto const probabilities = softmax<axes::Keys>(scores);
///     auto const normal = layer_norm<axes::Hidden>(x, 1e-5F) * scale + shift;
///
/// With a context behind the other arguments its threads share the work and results lie in its memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/core/axis_list.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// e^(x - y), which is one step: x has all axes of y.
struct ExponentialOfDifference {
  static constexpr bool in_registers = true;
  template <class T>
  [[gnu::always_inline]] T of(T x, T y) const noexcept {
    return kernels::Exponential{}.of(x - y);
  }
};
template <class F, class X, class Y, class... C>
auto computed_of_two(char const* operation, F const& f, X&& x, Y const& y, C&... context) {
  if constexpr (TensorOperand<Y>) {
    return elementwise_result<NumberOf<X>>(operation, f, made_by<X, Y>(context...), std::forward<X>(x), y);
  } else {
    return computed(operation, NumberSecond<F, NumberOf<X>>{f, y}, std::forward<X>(x), context...);
  }
}
// What is finite stays, else 0: an infinity less itself would be NaN.
struct Finite {
  static constexpr bool in_registers = false;
  template <class T>
  T of(T x) const noexcept {
    return x - x == 0 ? x : 0;
  }
};

}  // namespace internal

/// e^x / sum of e^x along the named axes (together, where there are several), as torch's: NaN where all elements are -infinity.
/// @throws ArgumentError when there is no element.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto softmax(X const& x, C&... context) {
  auto powers = internal::computed_of_two("softmax", internal::ExponentialOfDifference{}, x, max<Named...>(x, context...), context...);
  auto const total = sum<Named...>(powers, context...);
  return internal::computed_of_two("softmax", kernels::Divide{}, std::move(powers), total, context...);
}

/// The logarithm of `softmax`, without the rounding of its small values.
/// @throws As `softmax`.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto log_softmax(X const& x, C&... context) {
  auto shifted = internal::computed_of_two("log_softmax", kernels::Subtract{}, x, max<Named...>(x, context...), context...);
  auto const total = internal::computed_or_number(kernels::Logarithm{}, sum<Named...>(exp(shifted, context...), context...), context...);
  return internal::computed_of_two("log_softmax", kernels::Subtract{}, std::move(shifted), total, context...);
}

/// The logarithm of the sum of e^x along the named axes, without overflow (SciPy's): -infinity where all are.
/// @throws As `softmax`.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto logsumexp(X const& x, C&... context) {
  auto const greatest = internal::computed_or_number(internal::Finite{}, max<Named...>(x, context...), context...);
  auto const powers = internal::computed_of_two("logsumexp", internal::ExponentialOfDifference{}, x, greatest, context...);
  return internal::computed_or_number(kernels::Logarithm{}, sum<Named...>(powers, context...), context...) + greatest;
}

/// (x - mean) / sqrt(variance + epsilon) along the named axes (Ba et al. 2016, without scale and shift: those are a product and a sum).
template <class... Named, RealTensor X, std::floating_point E, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto layer_norm(X const& x, E epsilon, C&... context) {
  auto centred = internal::computed_of_two("layer_norm", kernels::Subtract{}, x, mean<Named...>(x, context...), context...);
  auto const squares = mean<Named...>(internal::computed("layer_norm", kernels::Square{}, centred, context...), context...);
  auto const scale = 1 / internal::computed_or_number(kernels::SquareRoot{}, squares + static_cast<NumberOf<X>>(epsilon), context...);
  return internal::computed_of_two("layer_norm", kernels::Multiply{}, std::move(centred), scale, context...);
}

/// x / sqrt(mean of x * x + epsilon) along the named axes (Zhang and Sennrich 2019).
template <class... Named, RealTensor X, std::floating_point E, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto rms_norm(X const& x, E epsilon, C&... context) {
  auto const squares = mean<Named...>(internal::computed("rms_norm", kernels::Square{}, x, context...), context...);
  auto const scale = 1 / internal::computed_or_number(kernels::SquareRoot{}, squares + static_cast<NumberOf<X>>(epsilon), context...);
  return internal::computed_of_two("rms_norm", kernels::Multiply{}, x, scale, context...);
}

}  // namespace axiform::inline AXIFORM_ARCH
