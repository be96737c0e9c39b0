/// @file
/// `softmax`, `log_softmax` and `logsumexp` along named axes; `layer_norm` and `rms_norm` along them.
///
///     auto const probabilities = softmax<axes::Keys>(scores);
///     auto const normal = layer_norm<axes::Hidden>(x, 1e-5F) * scale + shift;
///
/// With a context behind the other arguments its threads share the work and results lie in its memory.
#pragma once

#include <cmath>
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
struct SquareOfDifference {
  static constexpr bool in_registers = true;
  template <class T>
  [[gnu::always_inline]] T of(T x, T y) const noexcept {
    return (x - y) * (x - y);
  }
};
// (x - mean) * scale
template <class E>
struct CentreAndScale {
  static constexpr bool in_registers = true;
  E mean, scale;
  template <class T>
  [[gnu::always_inline]] T of(T x) const noexcept {
    return (x - T(mean)) * T(scale);
  }
};
// What is finite stays, else 0: an infinity less itself would be NaN.
struct Finite {
  static constexpr bool in_registers = false;
  template <class T>
  T of(T x) const noexcept {
    return x - x == 0 ? x : 0;
  }
};

// The same where x is at most y: e^x of what is not positive has the same bits, in fewer steps.
struct ExponentialBelow {
  static constexpr bool in_registers = true;
  template <class T>
  [[gnu::always_inline]] T of(T x, T y) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return kernels::exp_nonpositive(x - y);
    } else {
      return kernels::Exponential{}.of(x - y);
    }
  }
};
// Whether `Named...` is the last axis of x alone, whose elements then lie together as a rule, and are what is computed with.
template <class X, class... Named>
inline constexpr bool is_last_axis = false;
template <class X, class A>
  requires(!axiform::detail::is_inline<X> && std::is_same_v<ElementOf<X>, NumberOf<X>> && axiform::detail::has_axis<A, AxesOf<X>>)
inline constexpr bool is_last_axis<X, A> = axiform::detail::place_of<A>(AxesOf<X>{}) + 1 == AxesOf<X>::size;

// `row(count, target, source)` for each row of x: what takes several passes finds the row in the cache.
template <class Row, TensorOperand X, class... C>
auto by_rows(char const* operation, Row const& row, X const& x, C&... context) {
  using E = NumberOf<X>;
  using List = AxesOf<X>;
  auto const make = made_by<X>(context...);
  Alignment alignment(operation, names_of<List>);
  align<List>(alignment, 1, x);
  auto result = make.template tensor<E>(shape_of<List>(List{}, alignment));
  align<List>(alignment, 0, result);
  Loops rows;
  for (std::size_t axis = 0; axis + 1 < List::size; ++axis) alignment.add_loop(axis, rows);
  rows.simplify();
  std::size_t const count = alignment.length(List::size - 1);
  E const* const source = data_of(x);
  rows.for_each(
      make.executor(),
      [&](LoopRun const& run) {
        for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(run.count); ++i)
          row(count, result.data() + run.begin[0] + i * run.step[0], source + run.begin[1] + i * run.step[1]);
      },
      count * 8, 1);
  return result;
}

}  // namespace internal

/// e^x / sum of e^x along the named axes (together, where there are several), as torch's: NaN where all elements are -infinity.
/// @throws ArgumentError when there is no element.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto softmax(X const& x, C&... context) {
  internal::check_not_empty("softmax", internal::count_reduced<Named...>(x));
  using E = NumberOf<X>;
  if constexpr (internal::is_last_axis<X, Named...>) {
    if (strides_of(x)[AxesOf<X>::size - 1] == 1) {
      auto const row = [](std::size_t count, E* target, E const* source) {
        E const least = internal::least<E>(), most = kernels::fold(kernels::Greater{}, count, source, least, least);
        kernels::apply(internal::NumberSecond<internal::ExponentialBelow, E>{{}, most}, count, target, source);
        E const total = kernels::fold(kernels::Add{}, count, static_cast<E const*>(target), E(0), E(0));
        kernels::apply(internal::NumberSecond<kernels::Divide, E>{{}, total}, count, target, static_cast<E const*>(target));
      };
      return internal::by_rows("softmax", row, x, context...);
    }
  }
  auto powers = internal::binary("softmax", internal::ExponentialOfDifference{}, x, max<Named...>(x, context...), context...);
  auto const total = sum<Named...>(powers, context...);
  return internal::binary("softmax", kernels::Divide{}, std::move(powers), total, context...);
}

/// The logarithm of `softmax`, without the rounding of its small values.
/// @throws As `softmax`.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto log_softmax(X const& x, C&... context) {
  internal::check_not_empty("log_softmax", internal::count_reduced<Named...>(x));
  auto shifted = internal::binary("log_softmax", kernels::Subtract{}, x, max<Named...>(x, context...), context...);
  auto const total = internal::computed_or_number(kernels::Logarithm{}, sum<Named...>(exp(shifted, context...), context...), context...);
  return internal::binary("log_softmax", kernels::Subtract{}, std::move(shifted), total, context...);
}

/// The logarithm of the sum of e^x along the named axes, without overflow (SciPy's): -infinity where all are.
/// @throws As `softmax`.
template <class... Named, RealTensor X, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto logsumexp(X const& x, C&... context) {
  internal::check_not_empty("logsumexp", internal::count_reduced<Named...>(x));
  auto const greatest = internal::computed_or_number(internal::Finite{}, max<Named...>(x, context...), context...);
  auto const powers = internal::binary("logsumexp", internal::ExponentialOfDifference{}, x, greatest, context...);
  return internal::computed_or_number(kernels::Logarithm{}, sum<Named...>(powers, context...), context...) + greatest;
}

/// (x - mean) / sqrt(variance + epsilon) along the named axes (Ba et al. 2016, without scale and shift: those are a product and a sum).
template <class... Named, RealTensor X, std::floating_point E, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto layer_norm(X const& x, E epsilon, C&... context) {
  using N = NumberOf<X>;
  if constexpr (internal::is_last_axis<X, Named...>) {
    if (strides_of(x)[AxesOf<X>::size - 1] == 1) {
      auto const row = [epsilon](std::size_t count, N* target, N const* source) {
        N const length = static_cast<N>(count);
        N const mean = kernels::fold(kernels::Add{}, count, source, N(0), N(0)) / length;
        kernels::apply(internal::NumberSecond<internal::SquareOfDifference, N>{{}, mean}, count, target, source);
        N const variance = kernels::fold(kernels::Add{}, count, static_cast<N const*>(target), N(0), N(0)) / length;
        N const scale = 1 / std::sqrt(variance + static_cast<N>(epsilon));
        kernels::apply(internal::CentreAndScale<N>{mean, scale}, count, target, source);
      };
      return internal::by_rows("layer_norm", row, x, context...);
    }
  }
  auto centred = internal::binary("layer_norm", kernels::Subtract{}, x, mean<Named...>(x, context...), context...);
  auto const squares = mean<Named...>(internal::computed("layer_norm", kernels::Square{}, centred, context...), context...);
  auto const scale = 1 / internal::computed_or_number(kernels::SquareRoot{}, squares + static_cast<NumberOf<X>>(epsilon), context...);
  return internal::binary("layer_norm", kernels::Multiply{}, std::move(centred), scale, context...);
}

/// x / sqrt(mean of x * x + epsilon) along the named axes (Zhang and Sennrich 2019).
template <class... Named, RealTensor X, std::floating_point E, class... C>
  requires(sizeof...(Named) > 0 && internal::optional_context<C...>)
auto rms_norm(X const& x, E epsilon, C&... context) {
  auto const squares = mean<Named...>(internal::computed("rms_norm", kernels::Square{}, x, context...), context...);
  auto const scale = 1 / internal::computed_or_number(kernels::SquareRoot{}, squares + static_cast<NumberOf<X>>(epsilon), context...);
  return internal::binary("rms_norm", kernels::Multiply{}, x, scale, context...);
}

}  // namespace axiform::inline AXIFORM_ARCH
