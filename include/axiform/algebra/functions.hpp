/// @file
/// Functions of tensors, element by element: `where`, `maximum`, `clamp`, `exp` and their like; `gelu`, `gelu_tanh`, `relu` and `silu` (core/activation.hpp). Axes are matched by name (algebra/elementwise.hpp).
///
///     auto const y = where(x > 0, sqrt(x), 0);
///     auto const z = gelu(x * 2, context);               // on the context's threads, in its memory
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/core/activation.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The greater element of each pair; NaN where either is (NumPy's maximum). `max` is that of one tensor.
template <class X, class Y, class... C>
  requires(internal::TensorsOrNumber<X, Y>&& internal::optional_context<C...>)
constexpr auto maximum(X&& x, Y&& y, C&... context) {
  return internal::arithmetic("maximum", kernels::Greater{}, std::forward<X>(x), std::forward<Y>(y), context...);
}
/// The smaller element of each pair; NaN where either is (NumPy's minimum).
template <class X, class Y, class... C>
  requires(internal::TensorsOrNumber<X, Y>&& internal::optional_context<C...>)
constexpr auto minimum(X&& x, Y&& y, C&... context) {
  return internal::arithmetic("minimum", kernels::Smaller{}, std::forward<X>(x), std::forward<Y>(y), context...);
}
/// x, or what of `low` and `high` is nearer where it is not between them; NaN where x is (NumPy's clip).
template <TensorOperand X, internal::Number Low, internal::Number High, class... C>
  requires(internal::optional_context<C...>)
constexpr auto clamp(X&& x, Low low, High high, C&... context) {
  internal::check_arithmetic<X>();
  using E = NumberOf<X>;
  kernels::Clamp<E> const f{internal::as_element<E>(low), internal::as_element<E>(high)};
  return internal::computed("clamp", f, std::forward<X>(x), context...);
}

/// `a` where `mask` is true, `b` elsewhere.
template <TensorOperand M, class A, class B, class... C>
  requires(
      std::same_as<ElementOf<M>, bool>&& internal::OperandOrNumber<A>&& internal::OperandOrNumber<B>&& internal::optional_context<C...>)
constexpr auto where(M const& mask, A const& a, B const& b, C&... context) {
  if constexpr (!TensorOperand<A> && !TensorOperand<B>) {
    using Both = std::common_type_t<A, B>;
    kernels::ChooseNumber<Both> const f{static_cast<Both>(a), static_cast<Both>(b)};
    return internal::computed_by(internal::made_by<M>(context...), "where", f, mask);
  } else if constexpr (!TensorOperand<B>) {
    kernels::ChooseFirst<NumberOf<A>> const f{internal::as_element<NumberOf<A>>(b)};
    return internal::computed_by(internal::made_by<M, A>(context...), "where", f, mask, a);
  } else if constexpr (!TensorOperand<A>) {
    kernels::ChooseSecond<NumberOf<B>> const f{internal::as_element<NumberOf<B>>(a)};
    return internal::computed_by(internal::made_by<M, B>(context...), "where", f, mask, b);
  } else {
    static_assert(std::is_same_v<NumberOf<A>, NumberOf<B>>, "the tensors have different types of elements: convert one");
    return internal::computed_by(internal::made_by<M, A, B>(context...), "where", kernels::Choose{}, mask, a, b);
  }
}

/// The same numbers as elements of another type, rounded to the nearest (a double to two bytes by way of a float); what is made an integer loses its fraction, and beyond the integers it is the nearest of
/// them, NaN 0. Of bool, 1 and 0; what is made bool is whether it is not 0.
template <class E, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto convert(X const& x, C&... context) {
  auto const f = kernels::Convert<Computed<E>>{};
  return internal::elementwise_result<E>("convert", f, internal::made_by<X>(context...), x);
}

/// |x|.
template <TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto abs(X&& x, C&... context) {
  internal::check_arithmetic<X>();
  return internal::computed("abs", kernels::Absolute{}, std::forward<X>(x), context...);
}

/// A tensor of floating-point numbers.
template <class T>
concept RealTensor = TensorOperand<T> && std::floating_point<NumberOf<T>>;

/// x to the power of y, of floating-point numbers, as the system's library has it.
template <class X, class Y, class... C>
  requires(internal::TensorsOrNumber<X, Y>&& internal::optional_context<C...>)
auto pow(X&& x, Y&& y, C&... context) {
  static_assert(RealTensor<X> || RealTensor<Y>, "powers are of floating-point numbers: convert the tensor first");
  return internal::arithmetic("pow", kernels::Power{}, std::forward<X>(x), std::forward<Y>(y), context...);
}
/// The square root; NaN below zero.
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto sqrt(X&& x, C&... context) { return internal::computed("sqrt", kernels::SquareRoot{}, std::forward<X>(x), context...); }
/// e^x.
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto exp(X&& x, C&... context) { return internal::computed("exp", kernels::Exponential{}, std::forward<X>(x), context...); }
/// The natural logarithm.
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto log(X&& x, C&... context) { return internal::computed("log", kernels::Logarithm{}, std::forward<X>(x), context...); }
/// The hyperbolic tangent.
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto tanh(X&& x, C&... context) { return internal::computed("tanh", kernels::HyperbolicTangent{}, std::forward<X>(x), context...); }
/// The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto erf(X&& x, C&... context) { return internal::computed("erf", kernels::ErrorFunction{}, std::forward<X>(x), context...); }
/// 1 / (1 + e^-x).
template <RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto sigmoid(X&& x, C&... context) { return internal::computed("sigmoid", kernels::Sigmoid{}, std::forward<X>(x), context...); }

template <Activation Kind>
template <class X, class... C>
auto ActivationFunction<Kind>::operator()(X&& x, C&... context) const {
  static_assert(RealTensor<X>, "an activation is of floating-point numbers: convert the tensor first");
  static_assert(internal::optional_context<C...>, "behind the tensor stands a context, or nothing");
  if constexpr (Kind == Activation::gelu) {
    return internal::computed("gelu", kernels::Gelu{}, std::forward<X>(x), context...);
  } else if constexpr (Kind == Activation::gelu_tanh) {
    return internal::computed("gelu_tanh", kernels::GeluTanh{}, std::forward<X>(x), context...);
  } else if constexpr (Kind == Activation::relu) {
    return internal::computed("relu", kernels::Rectify{}, std::forward<X>(x), context...);
  } else {
    static_assert(Kind == Activation::silu);
    return internal::computed("silu", kernels::Silu{}, std::forward<X>(x), context...);
  }
}

}  // namespace axiform::inline AXIFORM_ARCH
