/// @file
/// Arithmetic of tensors, element by element, and functions of elements. Axes are matched by name, never by place: an operand that lacks an axis of another
/// repeats along it.
///
///     struct Features : Const<64> {};
///     Tensor<float, axes::Tokens, Features> x(5);
///     Tensor<float, Features> scale, shift;
///     auto const y = x * scale + shift;                                     // [Tokens, Features]
///     auto const z = elementwise([](float a, float b) { return a > 0 ? a : b; }, x, shift);
///
/// One of the operands must have all axes of the others; the result has its axes, in its order. Operands have elements of one type, numbers become that type.
/// Results lie on the heap; a temporary of the result's type gives its memory to the result. With a context in the first place, `elementwise(context, f, x)`,
/// its threads share the work and the result lies in its memory. No bit depends on that.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

using axiform::detail::Alignment;
using axiform::detail::AxisName;
using axiform::detail::LoopRun;
using axiform::detail::Operand;

template <class... Axes>
constexpr std::array<AxisName, sizeof...(Axes)> names_of(AxisList<Axes...>) {
  return {&axis_name<Axes>...};
}
// The lengths of axes of an operation on `All`.
template <class All, class... Axes>
Shape<Axes...> shape_of(AxisList<Axes...> list, Alignment const& alignment) {
  auto lengths = axiform::detail::places_in<All>(list);
  for (std::size_t& each : lengths) each = alignment.length(each);
  return Shape<Axes...>::of(lengths);
}

template <class List, TensorOperand X>
void align(Alignment& alignment, std::size_t number, X const& x) {
  static constexpr auto places = axiform::detail::places_in<List>(AxesOf<X>{});
  auto const strides = strides_of(x);
  alignment.add(number, {x.lengths(), strides, places.data()});
}

// Elements of an operand that lie apart, or repeat, go through here, a part of a loop at a time.
inline constexpr std::size_t gathered = 512;

template <class E>
struct Gather {
  explicit Gather(std::pair<E const*, std::ptrdiff_t> const& from) : source(from.first), step(from.second) {}

  // `count` elements from `first` on, together.
  E const* at(std::size_t first, std::size_t count) {
    if (step == 1) return source + first;
    if (step == 0) {
      if (first == 0) std::fill_n(values, std::min(count, gathered), *source);
    } else {
      for (std::size_t i = 0; i < count; ++i) values[i] = source[static_cast<std::ptrdiff_t>(first + i) * step];
    }
    return values;
  }

  E const* source;
  std::ptrdiff_t step;
  alignas(64) E values[gathered];  // not set before they are needed: most loops need none
};

template <class F, class R, class... E>
void run_elements(F const& f, LoopRun const& run, R* target, E const*... sources) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    std::tuple<Gather<E>...> gather(std::pair(sources + run.begin[I + 1], run.step[I + 1])...);
    std::size_t const part = ((run.step[I + 1] == 1) && ...) ? run.count : gathered;
    for (std::size_t first = 0; first < run.count; first += part) {
      std::size_t const count = std::min(part, run.count - first);
      kernels::apply(f, count, target + run.begin[0] + first, std::get<I>(gather).at(first, count)...);
    }
  }
  (std::index_sequence_for<E...>{});
}

// Instantiated for each function and type of element, not for each set of axes.
template <class F, class R, class... E>
void write_elements(Alignment const& alignment, F const& f, R* target, Executor& executor, E const*... sources) {
  auto loops = alignment.loops();
  loops.simplify();
  loops.for_each(executor, [&](LoopRun const& run) { run_elements(f, run, target, sources...); });
}

// The elements of an operand, be it a temporary.
template <TensorOperand X>
ElementOf<X> const* data_of(X const& x) {
  if constexpr (axiform::detail::is_strided<X>) {
    return x.data();
  } else {
    return as_view(x).data();  // which says so where there is nothing any more
  }
}

// Whether writing `x` element by element would change what is yet to be read of `y`: they share memory, and do not lie in it alike.
template <TensorOperand X, TensorOperand Y>
bool is_in_the_way(X const& x, Y const& y) {
  if (x.size() == 0 || y.size() == 0) return false;
  auto const x_strides = strides_of(x);
  auto const y_strides = strides_of(y);
  auto const extent = []<class T>(T const& t, auto const& strides) {  // of the bytes from the first element on; no stride is negative
    std::ptrdiff_t last = 0;
    for (std::size_t i = 0; i < strides.size(); ++i) last += static_cast<std::ptrdiff_t>(t.lengths()[i] - 1) * strides[i];
    return static_cast<std::size_t>(last + 1) * sizeof(ElementOf<T>);
  };
  auto const* const x_begin = reinterpret_cast<std::byte const*>(x.data());
  auto const* const y_begin = reinterpret_cast<std::byte const*>(y.data());
  if (!std::less<>{}(x_begin, y_begin + extent(y, y_strides)) || !std::less<>{}(y_begin, x_begin + extent(x, x_strides))) return false;
  if constexpr (std::is_same_v<AxesOf<X>, AxesOf<Y>>) return x_begin != y_begin || x_strides != y_strides;
  return true;
}

// The result of f, [R], of tensors; `make(shape)` makes it where no temporary gives its memory.
template <class R, class F, class Make, class First, class... X>
auto elementwise_result(char const* operation, F const& f, Executor& executor, Make const& make, First&& first, X&&... more) {
  static_assert(axiform::detail::one_has_all_axes<AxesOf<First>, AxesOf<X>...>,
                "one of the tensors must have all axes of the others: names are matched, lengths are not");
  if constexpr (axiform::detail::one_has_all_axes<AxesOf<First>, AxesOf<X>...>) {
    using List = typename axiform::detail::FirstCovering<AxisList<AxesOf<First>, AxesOf<X>...>, AxesOf<First>, AxesOf<X>...>::type;
    using Result = axiform::detail::TensorOf<R, List>;
    static_assert(1 + sizeof...(X) < axiform::detail::most_operands && List::size <= axiform::detail::most_axes);
    static constexpr auto names = names_of(List{});
    Alignment alignment(operation, names);
    std::size_t number = 0;
    align<List>(alignment, ++number, first);
    (align<List>(alignment, ++number, more), ...);
    if constexpr (std::is_same_v<First, Result>) {  // bound to a temporary
      if (!(is_in_the_way(first, more) || ...)) {
        align<List>(alignment, 0, first);
        write_elements(alignment, f, first.data(), executor, std::as_const(first).data(), data_of(more)...);
        return Result(std::move(first));
      }
    }
    Result result = make.template operator()<R>(shape_of<List>(List{}, alignment));
    align<List>(alignment, 0, result);
    write_elements(alignment, f, result.data(), executor, data_of(first), data_of(more)...);
    return result;
  }
}

// A program's own function, of elements alone.
template <class F>
struct Plain {
  static constexpr bool in_registers = false;
  F f;

  auto of(auto... elements) const { return f(elements...); }
};

// A function of two with a number in one place.
template <class F, class E>
struct NumberSecond {
  static constexpr bool in_registers = F::in_registers;
  F f;
  E number;

  template <class T>
  [[gnu::always_inline]] auto of(T x) const {
    return f.of(x, T(number));
  }
};
template <class F, class E>
struct NumberFirst {
  static constexpr bool in_registers = F::in_registers;
  F f;
  E number;

  template <class T>
  [[gnu::always_inline]] auto of(T x) const {
    return f.of(T(number), x);
  }
};

struct OnHeap {
  template <class E, Axis... Axes>
  Tensor<E, Axes...> operator()(Shape<Axes...> const& shape) const {
    return Tensor<E, Axes...>(shape);
  }
};
struct InContext {
  Context const& context;

  template <class E, Axis... Axes>
  Tensor<E, Axes...> operator()(Shape<Axes...> const& shape) const {
    return make_tensor<E>(context, shape);
  }
};

template <class F, class... E>
using ResultOf = std::remove_cvref_t<decltype(std::declval<F const&>().of(std::declval<E>()...))>;

template <class F, class... X>
auto on_heap(char const* operation, F const& f, X&&... x) {
  SerialExecutor executor;
  return elementwise_result<ResultOf<F, ElementOf<X>...>>(operation, f, executor, OnHeap{}, std::forward<X>(x)...);
}

template <class T>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<T>>;
// A tensor that stays, or a view, whose elements may be written.
template <class T>
concept Assignable =
    TensorOperand<T> && !std::is_const_v<typename std::remove_reference_t<T>::element_type> &&
    (!axiform::detail::is_owner<std::remove_cvref_t<T>> || (std::is_lvalue_reference_v<T> && !std::is_const_v<std::remove_reference_t<T>>));
template <class X, class Y>
concept TensorsOrNumber = (TensorOperand<X> && (TensorOperand<Y> || Number<Y>)) || (Number<X> && TensorOperand<Y>);

// A number becomes an element only where none of it is lost by its kind: 0.5 is no integer.
template <class E, Number N>
constexpr E as_element(N number) {
  static_assert(!(std::integral<E> && std::floating_point<N>),
                "a tensor of integers and a number with a fraction: convert the tensor first");
  return static_cast<E>(number);
}

template <class F, class X, class Y>
auto binary(char const* operation, F const& f, X&& x, Y&& y) {
  if constexpr (!TensorOperand<Y>) {
    return on_heap(operation, NumberSecond<F, ElementOf<X>>{f, as_element<ElementOf<X>>(y)}, std::forward<X>(x));
  } else if constexpr (!TensorOperand<X>) {
    return on_heap(operation, NumberFirst<F, ElementOf<Y>>{f, as_element<ElementOf<Y>>(x)}, std::forward<Y>(y));
  } else {
    static_assert(std::is_same_v<ElementOf<X>, ElementOf<Y>>, "the tensors have different types of elements: convert one");
    return on_heap(operation, f, std::forward<X>(x), std::forward<Y>(y));
  }
}
template <class F, class X, class Y>
auto arithmetic(char const* operation, F const& f, X&& x, Y&& y) {
  auto const check = []<class T>(std::type_identity<T>) {
    if constexpr (TensorOperand<T>)
      static_assert(!std::is_same_v<ElementOf<T>, bool>, "there is no arithmetic of bool: `where` chooses by it");
  };
  check(std::type_identity<X>{}), check(std::type_identity<Y>{});
  return binary(operation, f, std::forward<X>(x), std::forward<Y>(y));
}

// x = f(x, y), in place.
template <class F, class X, class Y>
void assign(char const* operation, F const& f, X& x, Y const& y) {
  using E = ElementOf<X>;
  using List = AxesOf<X>;
  static_assert(List::size <= axiform::detail::most_axes);
  static constexpr auto names = names_of(List{});
  Alignment alignment(operation, names);
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
    static_assert(std::is_same_v<E, ElementOf<Y>>, "the tensors have different types of elements: convert one");
    static_assert(axiform::detail::one_has_all_axes<List, AxesOf<Y>> && axiform::detail::covers<List, AxesOf<Y>>(),
                  "the tensor on the left must have all axes of the one on the right");
    if constexpr (axiform::detail::covers<List, AxesOf<Y>>()) {
      auto const write = [&](auto const& operand) {
        align<List>(alignment, 2, operand);
        write_elements(alignment, f, view.data(), executor, static_cast<E const*>(view.data()), data_of(operand));
      };
      if (is_in_the_way(view, y)) {
        auto const same = [](E element) { return element; };
        write(elementwise_result<E>(operation, Plain<decltype(same)>{same}, executor, OnHeap{}, y));
      } else {
        write(y);
      }
    }
  } else {
    write_elements(alignment, NumberSecond<F, E>{f, as_element<E>(y)}, view.data(), executor, static_cast<E const*>(view.data()));
  }
}

template <class X, class Y>
constexpr void check_divides() {
  if constexpr (TensorOperand<X>) {
    static_assert(std::floating_point<ElementOf<X>>, "integers are not divided: convert them first");
  } else {
    static_assert(std::floating_point<ElementOf<Y>>, "integers are not divided: convert them first");
  }
}

}  // namespace internal

/// f of the elements at the same place: any function of as many elements as there are tensors.
/// @return The result's elements are what `f` returns.
/// @throws ShapeError when an axis is not equally long in all; what `f` throws.
template <class F, TensorOperand... X>
  requires(sizeof...(X) > 0 && std::invocable<F const&, ElementOf<X>...>)
auto elementwise(F const& f, X&&... x) { return internal::on_heap("elementwise", internal::Plain<F const&>{f}, std::forward<X>(x)...); }
/// The same on the context's threads, in its memory.
template <class F, TensorOperand... X>
  requires(sizeof...(X) > 0 && std::invocable<F const&, ElementOf<X>...>)
auto elementwise(Context& context, F const& f, X&&... x) {
  internal::Plain<F const&> const plain{f};
  return internal::elementwise_result<internal::ResultOf<internal::Plain<F const&>, ElementOf<X>...>>(
      "elementwise", plain, context.executor(), internal::InContext{context}, std::forward<X>(x)...);
}

/// The sum of two tensors, or of a tensor and a number. @throws ShapeError when an axis is not equally long in both, as all that follow.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator+(X&& x, Y&& y) { return internal::arithmetic("x + y", kernels::Add{}, std::forward<X>(x), std::forward<Y>(y)); }
/// The difference.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator-(X&& x, Y&& y) { return internal::arithmetic("x - y", kernels::Subtract{}, std::forward<X>(x), std::forward<Y>(y)); }
/// The product of elements; `contract` is that of matrices.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator*(X&& x, Y&& y) { return internal::arithmetic("x * y", kernels::Multiply{}, std::forward<X>(x), std::forward<Y>(y)); }
/// The quotient, of floating-point numbers.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator/(X&& x, Y&& y) {
  internal::check_divides<X, Y>();
  return internal::arithmetic("x / y", kernels::Divide{}, std::forward<X>(x), std::forward<Y>(y));
}
/// With the other sign.
template <TensorOperand X>
auto operator-(X&& x) {
  return internal::on_heap("-x", kernels::Negate{}, std::forward<X>(x));
}

/// Adds a tensor that has no other axes, or a number, in place. @throws ShapeError when an axis is not equally long in both.
template <class X, class Y>
  requires internal::Assignable<X> && internal::TensorsOrNumber<X, Y>
X operator+=(X&& x, Y const& y) {
  internal::assign("x += y", kernels::Add{}, x, y);
  return static_cast<X>(x);
}
/// Subtracts likewise.
template <class X, class Y>
  requires internal::Assignable<X> && internal::TensorsOrNumber<X, Y>
X operator-=(X&& x, Y const& y) {
  internal::assign("x -= y", kernels::Subtract{}, x, y);
  return static_cast<X>(x);
}
/// Multiplies likewise.
template <class X, class Y>
  requires internal::Assignable<X> && internal::TensorsOrNumber<X, Y>
X operator*=(X&& x, Y const& y) {
  internal::assign("x *= y", kernels::Multiply{}, x, y);
  return static_cast<X>(x);
}
/// Divides likewise, floating-point numbers.
template <class X, class Y>
  requires internal::Assignable<X> && internal::TensorsOrNumber<X, Y>
X operator/=(X&& x, Y const& y) {
  internal::check_divides<X, Y>();
  internal::assign("x /= y", kernels::Divide{}, x, y);
  return static_cast<X>(x);
}

/// A tensor of bool: where x is less than y.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator<(X const& x, Y const& y) { return internal::binary("x < y", kernels::Comparison<std::less<>>{}, x, y); }
/// Where it is not greater.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator<=(X const& x, Y const& y) { return internal::binary("x <= y", kernels::Comparison<std::less_equal<>>{}, x, y); }
/// Where it is greater.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator>(X const& x, Y const& y) { return internal::binary("x > y", kernels::Comparison<std::greater<>>{}, x, y); }
/// Where it is not less.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto operator>=(X const& x, Y const& y) { return internal::binary("x >= y", kernels::Comparison<std::greater_equal<>>{}, x, y); }

/// The greater element of each pair; NaN where either is (NumPy's maximum). `max` is that of one tensor.
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto maximum(X&& x, Y&& y) { return internal::arithmetic("maximum", kernels::Greater{}, std::forward<X>(x), std::forward<Y>(y)); }
/// The smaller element of each pair; NaN where either is (NumPy's minimum).
template <class X, class Y>
  requires internal::TensorsOrNumber<X, Y>
auto minimum(X&& x, Y&& y) { return internal::arithmetic("minimum", kernels::Smaller{}, std::forward<X>(x), std::forward<Y>(y)); }

/// `a` where `mask` is true, `b` elsewhere.
template <TensorOperand M, TensorOperand A, TensorOperand B>
  requires(std::same_as<ElementOf<M>, bool>)
auto where(M const& mask, A const& a, B const& b) {
  static_assert(std::is_same_v<ElementOf<A>, ElementOf<B>>, "the tensors have different types of elements: convert one");
  return elementwise([](bool chosen, ElementOf<A> x, ElementOf<A> y) { return chosen ? x : y; }, mask, a, b);
}
/// The same with a number in the place of `b`.
template <TensorOperand M, TensorOperand A, internal::Number B>
  requires(std::same_as<ElementOf<M>, bool>)
auto where(M const& mask, A const& a, B b) {
  return elementwise([other = internal::as_element<ElementOf<A>>(b)](bool chosen, ElementOf<A> x) { return chosen ? x : other; }, mask, a);
}
/// The same with a number in the place of `a`.
template <TensorOperand M, internal::Number A, TensorOperand B>
  requires(std::same_as<ElementOf<M>, bool>)
auto where(M const& mask, A a, B const& b) {
  return elementwise([other = internal::as_element<ElementOf<B>>(a)](bool chosen, ElementOf<B> y) { return chosen ? other : y; }, mask, b);
}

/// |x|.
template <TensorOperand X>
auto abs(X&& x) {
  return internal::on_heap("abs", kernels::Absolute{}, std::forward<X>(x));
}

/// A tensor of floating-point numbers.
template <class T>
concept RealTensor = TensorOperand<T> && std::floating_point<ElementOf<T>>;

/// The square root; NaN below zero.
template <RealTensor X>
auto sqrt(X&& x) {
  return internal::on_heap("sqrt", kernels::SquareRoot{}, std::forward<X>(x));
}
/// e^x.
template <RealTensor X>
auto exp(X&& x) {
  return internal::on_heap("exp", kernels::Exponential{}, std::forward<X>(x));
}
/// The natural logarithm.
template <RealTensor X>
auto log(X&& x) {
  return internal::on_heap("log", kernels::Logarithm{}, std::forward<X>(x));
}
/// The hyperbolic tangent.
template <RealTensor X>
auto tanh(X&& x) {
  return internal::on_heap("tanh", kernels::HyperbolicTangent{}, std::forward<X>(x));
}
/// The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
template <RealTensor X>
auto erf(X&& x) {
  return internal::on_heap("erf", kernels::ErrorFunction{}, std::forward<X>(x));
}

}  // namespace axiform::inline AXIFORM_ARCH
