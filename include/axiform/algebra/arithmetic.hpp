/// @file
/// Operators of tensors and numbers, element by element: + - * /, comparisons, and what bools are joined with. Axes are matched by name (algebra/elementwise.hpp).
///
///     Tensor<float, axes::Tokens, Features> x(5);
///     Tensor<float, Features> scale, shift;
///     auto y = x * scale + shift;                        // [Tokens, Features]
///     y += 1;
///     auto const positive = y > 0;                       // of bool
///
/// Elements are of one type, and a number becomes that; those of two bytes are computed with as floats, which the result then has. Integers wrap around.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/elementwise.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <class T>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<T>>;
// A tensor that stays, or a view, whose elements may be written.
template <class T>
concept Assignable =
    TensorOperand<T> && !std::is_const_v<typename std::remove_reference_t<T>::element_type> &&
    (!axiform::detail::is_owner<std::remove_cvref_t<T>> || (std::is_lvalue_reference_v<T> && !std::is_const_v<std::remove_reference_t<T>>));
template <class T>
concept OperandOrNumber = TensorOperand<T> || Number<T>;
template <class X, class Y>
concept TensorsOrNumber = (TensorOperand<X> && (TensorOperand<Y> || Number<Y>)) || (Number<X> && TensorOperand<Y>);

// A number becomes an element only where none of it is lost by its kind: 0.5 is no integer.
template <class E, Number N>
constexpr E as_element(N number) {
  static_assert(!(std::integral<E> && std::floating_point<N>),
                "a tensor of integers and a number with a fraction: convert the tensor first");
  if constexpr (std::integral<E> && std::integral<N> && !std::is_same_v<E, N>)
    if (static_cast<N>(static_cast<E>(number)) != number || (number < N(0)) != (static_cast<E>(number) < E(0)))
      throw ArgumentError("found the number " + std::to_string(number) +
                          ", which no element of the tensor can be: convert the tensor first");
  return static_cast<E>(number);
}

template <class F, class X, class Y, class... C>
constexpr auto binary(char const* operation, F const& f, X&& x, Y&& y, C&... context) {
  if constexpr (!TensorOperand<Y>) {
    return computed(operation, NumberSecond<F, NumberOf<X>>{f, as_element<NumberOf<X>>(y)}, std::forward<X>(x), context...);
  } else if constexpr (!TensorOperand<X>) {
    return computed(operation, NumberFirst<F, NumberOf<Y>>{f, as_element<NumberOf<Y>>(x)}, std::forward<Y>(y), context...);
  } else {
    static_assert(std::is_same_v<NumberOf<X>, NumberOf<Y>>, "the tensors have different types of elements: convert one");
    return computed_by(made_by<X, Y>(context...), operation, f, std::forward<X>(x), std::forward<Y>(y));
  }
}

template <class T>
constexpr void check_arithmetic() {
  if constexpr (TensorOperand<T>)
    static_assert(!std::is_same_v<ElementOf<T>, bool>,
                  "there is no arithmetic of bool: `where` chooses by it, `convert` makes numbers of it");
}
template <class T>
constexpr void check_bool() {
  static_assert(std::is_same_v<ElementOf<T>, bool>, "only what is true or false is joined: compare the tensor with something first");
}
template <class X, class Y>
constexpr void check_divides() {
  if constexpr (TensorOperand<X>) {
    static_assert(std::floating_point<NumberOf<X>>, "integers are not divided: convert them first");
  } else {
    static_assert(std::floating_point<NumberOf<Y>>, "integers are not divided: convert them first");
  }
}

template <class F, class X, class Y, class... C>
constexpr auto arithmetic(char const* operation, F const& f, X&& x, Y&& y, C&... context) {
  check_arithmetic<X>(), check_arithmetic<Y>();
  return binary(operation, f, std::forward<X>(x), std::forward<Y>(y), context...);
}

// x = f(x, y), in place, for tensors in memory.
template <class F, class X, class Y>
void write_in_memory(char const* operation, F const& f, X& x, Y const& y) {
  using E = ElementOf<X>;
  using List = AxesOf<X>;
  static_assert(List::size <= axiform::detail::most_axes);
  Alignment alignment(operation, names_of<List>);
  auto const view = [&] {
    if constexpr (axiform::detail::is_owner<X>) {
      return x.view();
    } else {
      return x;
    }
  }();
  align<List>(alignment, 0, view);
  align<List>(alignment, 1, view);
  SerialExecutor executor;
  if constexpr (TensorOperand<Y>) {
    auto const write = [&](auto const& operand) {
      align<List>(alignment, 2, operand);
      write_elements(alignment, f, view.data(), executor, static_cast<E const*>(view.data()), data_of(operand));
    };
    if (is_in_the_way(view, y)) {
      auto const same = [](NumberOf<Y> element) { return element; };
      write(elementwise_result<NumberOf<Y>>(operation, Plain<decltype(same)>{same}, OnHeap{}, y));
    } else {
      write(y);
    }
  } else {
    write_elements(alignment, NumberSecond<F, Computed<E>>{f, as_element<Computed<E>>(y)}, view.data(), executor,
                   static_cast<E const*>(view.data()));
  }
}

// x = f(x, y), in place.
template <class F, class X, class Y>
constexpr void write(char const* operation, F const& f, X& x, Y const& y) {
  using E = ElementOf<X>;
  using List = AxesOf<X>;
  constexpr bool fits = [] {
    if constexpr (TensorOperand<Y>) {
      static_assert(std::is_same_v<Computed<E>, NumberOf<Y>>, "the tensors have different types of elements: convert one");
      static_assert(axiform::detail::has_all_axes<List, AxesOf<Y>>, "the tensor on the left must have all axes of the one on the right");
      return axiform::detail::has_all_axes<List, AxesOf<Y>>;
    } else {
      return true;
    }
  }();
  if constexpr (!fits) {
  } else if constexpr (axiform::detail::is_inline<X> && (axiform::detail::is_inline<Y> || !TensorOperand<Y>)) {
    auto const result = binary(operation, f, std::as_const(x), y);
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<E>(result.data()[i]);
  } else {
    write_in_memory(operation, f, x, y);
  }
}

}  // namespace internal

/// The sum of two tensors, or of a tensor and a number. @throws ShapeError when an axis is not equally long in both, as all that follow.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator+(X&& x, Y&& y) { return internal::arithmetic("x + y", kernels::Add{}, std::forward<X>(x), std::forward<Y>(y)); }
/// The difference.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator-(X&& x, Y&& y) {
  return internal::arithmetic("x - y", kernels::Subtract{}, std::forward<X>(x), std::forward<Y>(y));
}
/// The product of elements; `contract` is that of matrices.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator*(X&& x, Y&& y) {
  return internal::arithmetic("x * y", kernels::Multiply{}, std::forward<X>(x), std::forward<Y>(y));
}
/// The quotient, of floating-point numbers.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator/(X&& x, Y&& y) {
  internal::check_divides<X, Y>();
  return internal::arithmetic("x / y", kernels::Divide{}, std::forward<X>(x), std::forward<Y>(y));
}
/// With the other sign.
template <TensorOperand X>
constexpr auto operator-(X&& x) {
  internal::check_arithmetic<X>();
  return internal::computed("-x", kernels::Negate{}, std::forward<X>(x));
}

/// Writes y, a tensor that has no other axes or a number, to the elements of x: `assign(at<Tokens>(x, 0), row)`. (`=` makes a view look elsewhere.)
/// @throws ShapeError when an axis is not equally long in both.
template <class X, class Y>
  requires(internal::Assignable<X>&& internal::TensorsOrNumber<X, Y>)
constexpr void assign(X&& x, Y const& y) { internal::write("assign", kernels::Second{}, x, y); }

/// Adds a tensor that has no other axes, or a number, in place. @throws ShapeError when an axis is not equally long in both.
template <class X, class Y>
  requires(internal::Assignable<X>&& internal::TensorsOrNumber<X, Y>)
constexpr X operator+=(X&& x, Y const& y) {
  internal::check_arithmetic<X>();
  internal::write("x += y", kernels::Add{}, x, y);
  return static_cast<X>(x);
}
/// Subtracts likewise.
template <class X, class Y>
  requires(internal::Assignable<X>&& internal::TensorsOrNumber<X, Y>)
constexpr X operator-=(X&& x, Y const& y) {
  internal::check_arithmetic<X>();
  internal::write("x -= y", kernels::Subtract{}, x, y);
  return static_cast<X>(x);
}
/// Multiplies likewise.
template <class X, class Y>
  requires(internal::Assignable<X>&& internal::TensorsOrNumber<X, Y>)
constexpr X operator*=(X&& x, Y const& y) {
  internal::check_arithmetic<X>();
  internal::write("x *= y", kernels::Multiply{}, x, y);
  return static_cast<X>(x);
}
/// Divides likewise, floating-point numbers.
template <class X, class Y>
  requires(internal::Assignable<X>&& internal::TensorsOrNumber<X, Y>)
constexpr X operator/=(X&& x, Y const& y) {
  internal::check_divides<X, Y>();
  internal::check_arithmetic<X>();
  internal::write("x /= y", kernels::Divide{}, x, y);
  return static_cast<X>(x);
}

/// Where elements are equal: a tensor of bool, as of all comparisons. `all(x == y)` is one answer.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator==(X const& x, Y const& y) { return internal::binary("x == y", kernels::Comparison<std::equal_to<>>{}, x, y); }
/// Where they differ.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator!=(X const& x, Y const& y) { return internal::binary("x != y", kernels::Comparison<std::not_equal_to<>>{}, x, y); }
/// Where x is less than y.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator<(X const& x, Y const& y) { return internal::binary("x < y", kernels::Comparison<std::less<>>{}, x, y); }
/// Where it is not greater.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator<=(X const& x, Y const& y) { return internal::binary("x <= y", kernels::Comparison<std::less_equal<>>{}, x, y); }
/// Where it is greater.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator>(X const& x, Y const& y) { return internal::binary("x > y", kernels::Comparison<std::greater<>>{}, x, y); }
/// Where it is not less.
template <class X, class Y>
  requires(internal::TensorsOrNumber<X, Y>)
constexpr auto operator>=(X const& x, Y const& y) { return internal::binary("x >= y", kernels::Comparison<std::greater_equal<>>{}, x, y); }

/// Where both are true. Both are computed.
template <TensorOperand X, TensorOperand Y>
constexpr auto operator&&(X&& x, Y&& y) {
  internal::check_bool<X>(), internal::check_bool<Y>();
  return internal::computed_by(internal::made_by<X, Y>(), "x && y", kernels::Both{}, std::forward<X>(x), std::forward<Y>(y));
}
/// Where either is true. Both are computed.
template <TensorOperand X, TensorOperand Y>
constexpr auto operator||(X&& x, Y&& y) {
  internal::check_bool<X>(), internal::check_bool<Y>();
  return internal::computed_by(internal::made_by<X, Y>(), "x || y", kernels::Either{}, std::forward<X>(x), std::forward<Y>(y));
}
/// Where it is false.
template <TensorOperand X>
constexpr auto operator!(X&& x) {
  internal::check_bool<X>();
  return internal::computed("!x", kernels::Not{}, std::forward<X>(x));
}

}  // namespace axiform::inline AXIFORM_ARCH
