/// @file
/// `elementwise`: functions of elements, and what all operations on elements are made of. Axes are matched by name, never by place: an operand that lacks an axis
/// of another repeats along it.
///
///     Tensor<float, axes::Tokens, Features> x(5);
///     Tensor<float, Features> shift;
///     auto const y = elementwise([](float a, float b) { return a > 0 ? a : b; }, x, shift);   // [Tokens, Features]
///
/// One of the operands must have all axes of the others; the result has its axes, in its order. It lies on the heap; a temporary of the result's type gives its
/// memory to the result; of `InlineTensor`s alone it is one, too. With a context in the first place, `elementwise(context, f, x)`, its threads share the work and
/// the result lies in its memory. No bit depends on that.
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
#include <axiform/core/executor.hpp>
#include <axiform/core/inline_tensor.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform {
class Context;  // whoever has one has included core/context.hpp: threads would cost every unit a tenth more memory
}

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

using axiform::detail::Alignment;
using axiform::detail::AxisName;
using axiform::detail::LoopRun;
using axiform::detail::Loops;
using axiform::detail::Operand;

template <class List>
inline constexpr std::array<AxisName, List::size> names_of{};
template <class... Axes>
inline constexpr std::array<AxisName, sizeof...(Axes)> names_of<AxisList<Axes...>>{&axis_name<Axes>...};
// The lengths of axes of an operation on `All`.
template <class All, class... Axes>
Shape<Axes...> shape_of(AxisList<Axes...> list, Alignment const& alignment) {
  auto lengths = axiform::detail::places_in<All>(list);
  for (std::size_t& each : lengths) each = alignment.length(each);
  return Shape<Axes...>::of(lengths);
}

template <class List, TensorOperand X>
void align(Alignment& alignment, std::size_t number, X const& x) {
  static_assert(axiform::detail::has_all_axes<List, AxesOf<X>>, "two axes have one name, or one stands for the other");
  static constexpr auto places = axiform::detail::places_in<List>(AxesOf<X>{});
  auto const lengths = x.lengths();
  auto const strides = strides_of(x);
  alignment.add(number, {lengths, strides, places.data()});
}

// What lies apart, repeats, or is not stored as it is computed with, goes through a buffer of this many, a part of a loop at a time.
inline constexpr std::size_t gathered = 512;

template <class E>
class Gather {
 public:
  using Number = Computed<E>;

  Gather(E const* source, std::ptrdiff_t step) : source_(source), step_(step) {}

  // `count` elements from `first` on, together.
  Number const* at(std::size_t first, std::size_t count) {
    if constexpr (std::is_same_v<E, Number>)
      if (step_ == 1) return source_ + first;
    if (step_ == 0) {
      if (first == 0) std::fill_n(values_, std::min(count, gathered), static_cast<Number>(*source_));
    } else if (step_ == 1) {
      for (std::size_t i = 0; i < count; ++i) values_[i] = static_cast<Number>(source_[first + i]);
    } else {
      for (std::size_t i = 0; i < count; ++i) values_[i] = static_cast<Number>(source_[static_cast<std::ptrdiff_t>(first + i) * step_]);
    }
    return values_;
  }

 private:
  E const* source_;
  std::ptrdiff_t step_;
  alignas(64) Number values_[gathered];  // not set before they are needed: most loops need none
};

// The same for what is written: `write` puts the elements that were computed at `at` where they belong.
template <class R>
class Scatter {
 public:
  using Number = Computed<R>;

  Scatter(R* target, std::ptrdiff_t step) : target_(target), step_(step) {}

  Number* at(std::size_t first) {
    if constexpr (std::is_same_v<R, Number>)
      if (step_ == 1) return target_ + first;
    return values_;
  }
  void write(std::size_t first, std::size_t count) const {
    if constexpr (std::is_same_v<R, Number>)
      if (step_ == 1) return;
    for (std::size_t i = 0; i < count; ++i) target_[static_cast<std::ptrdiff_t>(first + i) * step_] = static_cast<R>(values_[i]);
  }

 private:
  R* target_;
  std::ptrdiff_t step_;
  alignas(64) Number values_[gathered];
};

// The element itself.
struct Itself {
  static constexpr bool in_registers = true;
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    return x;
  }
};
// Copies `count` elements that lie together. Rows of some KiB take half the time that the system's memmove takes, which hands them to `rep movsb`
// (glibc 2.36, Zen 4: 16384 rows of 2 KiB, 2.8 and 5.2 ms); of much more than a cache, that is the faster.
template <class E>
void copy_run(std::size_t count, E* target, E const* source) {
  if (count < std::size_t{64} * 1024) {
    kernels::apply(Itself{}, count, target, source);
  } else {
    std::copy_n(source, count, target);
  }
}

// A function of two with a number in one place.
template <class F, class E>
struct NumberSecond {
  static constexpr bool in_registers = F::in_registers;
  F f;
  E number;

  template <class T>
  [[gnu::always_inline]] constexpr auto of(T x) const {
    return f.of(x, T(number));
  }
};
template <class F, class E>
struct NumberFirst {
  static constexpr bool in_registers = F::in_registers;
  F f;
  E number;

  template <class T>
  [[gnu::always_inline]] constexpr auto of(T x) const {
    return f.of(T(number), x);
  }
};

// Of two operands, one that repeats along the loop is a number: whether it did so.
template <class F, class R, class E>
bool run_with_number(F const& f, LoopRun const& run, R* target, E const* x, E const* y) {
  if (run.step[0] != 1 || run.count < 2) return false;
  if (run.step[1] == 1 && run.step[2] == 0) {
    kernels::apply(NumberSecond<F, E>{f, y[run.begin[2]]}, run.count, target + run.begin[0], x + run.begin[1]);
    return true;
  }
  if (run.step[1] == 0 && run.step[2] == 1) {
    kernels::apply(NumberFirst<F, E>{f, x[run.begin[1]]}, run.count, target + run.begin[0], y + run.begin[2]);
    return true;
  }
  return false;
}
template <class F, class R, class... E>
bool run_with_number(F const&, LoopRun const&, R*, E const*...) {
  return false;
}

template <class F, class R, class... E>
void run_elements(F const& f, LoopRun const& run, R* target, E const*... sources) {
  if constexpr ((std::is_same_v<R, Computed<R>> && ... && std::is_same_v<E, Computed<E>>))
    if (run_with_number(f, run, target, sources...)) return;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    std::tuple<Gather<E>...> gather(Gather<E>(sources + run.begin[I + 1], run.step[I + 1])...);
    Scatter<R> scatter(target + run.begin[0], run.step[0]);
    constexpr bool as_stored = (std::is_same_v<R, Computed<R>> && ... && std::is_same_v<E, Computed<E>>);
    std::size_t const part = as_stored && ((run.step[I + 1] == 1) && ... && (run.step[0] == 1)) ? run.count : gathered;
    for (std::size_t first = 0; first < run.count; first += part) {
      std::size_t const count = std::min(part, run.count - first);
      kernels::apply(f, count, scatter.at(first), std::get<I>(gather).at(first, count)...);
      scatter.write(first, count);
    }
  }
  (std::index_sequence_for<E...>{});
}

// Instantiated for each function and type of element, not for each set of axes.
template <class F, class R, class... E>
void write_elements(Alignment const& alignment, F const& f, R* target, Executor& executor, E const*... sources) {
  auto loops = alignment.loops();
  loops.follow_result();
  loops.simplify();
  loops.for_each(executor, [&](LoopRun const& run) { run_elements(f, run, target, sources...); });
}

template <class A, TensorOperand X>
std::size_t length_along(X const& x) {
  if constexpr (axiform::detail::has_axis<A, AxesOf<X>>) return x.lengths()[axiform::detail::place_of<A>(AxesOf<X>{})];
  return 0;  // which has been refused
}

// The elements of an operand, be it a temporary.
template <TensorOperand X>
constexpr ElementOf<X> const* data_of(X const& x) {
  if constexpr (TensorLike<X>) {
    return as_view(x).data();  // which says so where there is nothing any more
  } else {
    return x.data();
  }
}

// The bytes of an operand that has elements, from the first to behind the last.
template <TensorOperand X>
std::pair<std::byte const*, std::byte const*> extent_of(X const& x) {
  std::ptrdiff_t first = 0, last = 0;
  auto const strides = strides_of(x);
  for (std::size_t i = 0; i < strides.size(); ++i) {
    auto const distance = static_cast<std::ptrdiff_t>(x.lengths()[i] - 1) * strides[i];
    (distance < 0 ? first : last) += distance;
  }
  return {reinterpret_cast<std::byte const*>(x.data() + first), reinterpret_cast<std::byte const*>(x.data() + last + 1)};
}

template <TensorOperand X, TensorOperand Y>
bool share_memory(X const& x, Y const& y) {
  if (x.size() == 0 || y.size() == 0) return false;
  auto const [x_begin, x_end] = extent_of(x);
  auto const [y_begin, y_end] = extent_of(y);
  return std::less<>{}(x_begin, y_end) && std::less<>{}(y_begin, x_end);
}

// Whether writing `x` element by element would change what is yet to be read of `y`: they share memory, and do not lie in it alike.
template <TensorOperand X, TensorOperand Y>
bool is_in_the_way(X const& x, Y const& y) {
  if (!share_memory(x, y)) return false;
  if constexpr (std::is_same_v<AxesOf<X>, AxesOf<Y>>) return extent_of(x).first != extent_of(y).first || strides_of(x) != strides_of(y);
  return true;
}

// Which of the operands' lists has all axes, or void.
template <TensorOperand... X>
using CoveringList = typename axiform::detail::FirstCovering<AxisList<AxesOf<X>...>, AxesOf<X>...>::type;

// f of tensors that lie where they are declared: loops that the compiler knows, and that it can run itself.
template <class List, class... Axes>
constexpr std::array<std::size_t, List::size> inline_steps(AxisList<Axes...> list) {
  std::array<std::size_t, List::size> steps{};
  std::array<std::size_t, sizeof...(Axes)> const lengths{Axes::length...}, places = axiform::detail::places_in<List>(list);
  std::size_t step = 1;
  for (std::size_t i = sizeof...(Axes); i-- > 0;) {
    steps[places[i]] = step;
    step *= lengths[i];
  }
  return steps;
}
// Where an operand has the element at `index` of the operation's axes.
template <class List, TensorOperand X>
constexpr std::size_t inline_place(std::array<std::size_t, List::size> const& index) {
  constexpr auto steps = inline_steps<List>(AxesOf<X>{});
  std::size_t place = 0;
  for (std::size_t i = 0; i < index.size(); ++i) place += index[i] * steps[i];
  return place;
}
// Calls `use` for every index of a shape, in order.
template <std::size_t Rank, class Use>
constexpr void for_each_index(std::array<std::size_t, Rank> const& lengths, Use const& use) {
  std::array<std::size_t, Rank> index{};
  for (std::size_t const length : lengths)
    if (length == 0) return;
  while (true) {
    use(std::as_const(index));
    std::size_t axis = Rank;
    while (axis > 0 && ++index[axis - 1] == lengths[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}
template <class R, class F, class... X>
constexpr auto inline_result(F const& f, X const&... x) {
  using List = CoveringList<X...>;
  axiform::detail::InlineOf<R, List> result;
  std::size_t place = 0;
  for_each_index(result.lengths(), [&](auto const& index) {
    result.data()[place++] = static_cast<R>(f.of(static_cast<NumberOf<X>>(x.data()[inline_place<List, X>(index)])...));
  });
  return result;
}

// Where results lie, and who computes them.
class OnHeap {
 public:
  template <class E, Axis... Axes>
  Tensor<E, Axes...> tensor(Shape<Axes...> const& shape) const {
    return Tensor<E, Axes...>::uninitialised(shape);
  }
  Executor& executor() const { return executor_; }

 private:
  mutable SerialExecutor executor_;
};
template <class C>
class InContext {
 public:
  explicit InContext(C& context) : context_(&context) {}

  template <class E, Axis... Axes>
  Tensor<E, Axes...> tensor(Shape<Axes...> const& shape) const {
    return Tensor<E, Axes...>(shape, context_->memory());
  }
  Executor& executor() const { return context_->executor(); }

 private:
  C* context_;
};

// Functions take no context, or one, behind their operands.
template <class... C>
inline constexpr bool optional_context = sizeof...(C) == 0 ||
                                         (sizeof...(C) == 1 && (std::is_same_v<std::remove_const_t<C>, Context> && ...));

// Of tensors that lie where they are declared, nothing else makes the result.
struct InPlace {};
template <class... X>
inline constexpr bool all_inline = (axiform::detail::is_inline<std::remove_cvref_t<X>> && ...);
template <class... X>
constexpr auto made_by() {
  return std::conditional_t<all_inline<X...>, InPlace, OnHeap>{};
}
template <class... X, class C>
constexpr auto made_by(C& context) {
  return InContext<C>(context);
}

// The result of f, [R], of tensors in memory; `make` makes it where no temporary gives its memory.
template <class R, class F, class Make, class First, class... X>
auto result_in_memory(char const* operation, F const& f, Make const& make, First&& first, X&&... more) {
  using List = CoveringList<First, X...>;
  using Result = axiform::detail::TensorOf<R, List>;
  static_assert(1 + sizeof...(X) < axiform::detail::most_operands, "at most three tensors");
  static_assert(List::size <= axiform::detail::most_axes, "at most eight axes");
  Alignment alignment(operation, names_of<List>);
  std::size_t number = 0;
  align<List>(alignment, ++number, first);
  (align<List>(alignment, ++number, more), ...);
  if constexpr (std::is_same_v<First, Result>) {  // bound to a temporary
    if (!(is_in_the_way(first, more) || ...)) {
      align<List>(alignment, 0, first);
      auto const* const source = data_of(first);  // which says so where there is nothing any more
      write_elements(alignment, f, first.data(), make.executor(), source, data_of(more)...);
      return Result(std::move(first));
    }
  }
  Result result = make.template tensor<R>(shape_of<List>(List{}, alignment));
  align<List>(alignment, 0, result);
  write_elements(alignment, f, result.data(), make.executor(), data_of(first), data_of(more)...);
  return result;
}

// The result of f, [R], of tensors.
template <class R, class F, class Make, class First, class... X>
constexpr auto elementwise_result(char const* operation, F const& f, Make const& make, First&& first, X&&... more) {
  static_assert(axiform::detail::one_has_all_axes<AxesOf<First>, AxesOf<X>...>,
                "one of the tensors must have all axes of the others: names are matched, lengths are not");
  if constexpr (axiform::detail::one_has_all_axes<AxesOf<First>, AxesOf<X>...>) {
    if constexpr (std::is_same_v<Make, InPlace>) {
      return inline_result<R>(f, first, more...);
    } else {
      return result_in_memory<R>(operation, f, make, std::forward<First>(first), std::forward<X>(more)...);
    }
  }
}

// A program's own function, of elements alone.
template <class F>
struct Plain {
  static constexpr bool in_registers = false;
  F f;

  constexpr auto of(auto... elements) const { return f(elements...); }
};

template <class F, class... E>
using ResultOf = std::remove_cvref_t<decltype(std::declval<F const&>().of(std::declval<E>()...))>;

// f of tensors; `make` makes the result.
template <class F, class Make, class... X>
constexpr auto computed_by(Make const& make, char const* operation, F const& f, X&&... x) {
  static_assert(!std::is_void_v<ResultOf<F, NumberOf<X>...>>, "the function returns nothing");
  return elementwise_result<ResultOf<F, NumberOf<X>...>>(operation, f, make, std::forward<X>(x)...);
}
// A function of one tensor.
template <class F, class X, class... C>
constexpr auto computed(char const* operation, F const& f, X&& x, C&... context) {
  return computed_by(made_by<X>(context...), operation, f, std::forward<X>(x));
}

}  // namespace internal

/// f of the elements at the same place: any function of as many elements as there are tensors. Of two bytes, they come as floats.
/// @return The result's elements are what `f` returns.
/// @throws ShapeError when an axis is not equally long in all; what `f` throws.
template <class F, TensorOperand... X>
  requires(sizeof...(X) > 0 && std::invocable<F const&, NumberOf<X>...>)
constexpr auto elementwise(F const& f, X&&... x) {
  return internal::computed_by(internal::made_by<X...>(), "elementwise", internal::Plain<F const&>{f}, std::forward<X>(x)...);
}
/// The same on the context's threads, in its memory.
template <std::same_as<Context> C, class F, TensorOperand... X>
  requires(sizeof...(X) > 0 && std::invocable<F const&, NumberOf<X>...>)
auto elementwise(C& context, F const& f, X&&... x) {
  return internal::computed_by(internal::made_by<X...>(context), "elementwise", internal::Plain<F const&>{f}, std::forward<X>(x)...);
}

}  // namespace axiform::inline AXIFORM_ARCH
