/// @file
/// Elements by their places: `gather` takes them, `scatter` and `scatter_add` put them there.
///
///     Tensor<std::int64_t, Words> ids(3);
///     auto const rows = gather<Vocabulary>(table, ids);              // [Words, Features]
///     scatter_add<Vocabulary>(gradient, ids, of_rows);               // gradient(ids(i), …) += of_rows(i, …)
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// A tensor of places: of int32 or int64.
template <class T>
concept IndexTensor = TensorOperand<T> &&(std::same_as<ElementOf<T>, std::int32_t> || std::same_as<ElementOf<T>, std::int64_t>);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// An axis that places are of: how long it is, how far apart its elements lie, and what it is called.
struct IndexedAxis {
  std::size_t length;
  std::ptrdiff_t stride;
  AxisName name;

  // Where the element of a place lies.
  template <class Index>
  std::ptrdiff_t operator()(char const* operation, Index index) const {
    if (static_cast<std::size_t>(index) >= length) refuse(operation, index);
    return static_cast<std::ptrdiff_t>(index) * stride;
  }
  [[noreturn, gnu::noinline]] void refuse(char const* operation, std::int64_t index) const {
    throw ArgumentError(std::string(operation) + ": found place " + std::to_string(index) + " of the axis " + name() +
                        (length == 0 ? ", which has none" : ", expected 0 to " + std::to_string(length - 1)));
  }
};

template <class A, TensorOperand X>
IndexedAxis indexed_axis(X const& x) {
  constexpr std::size_t place = axiform::detail::place_of<A>(AxesOf<X>{});
  return {x.lengths()[place], strides_of(x)[place], &axis_name<A>};
}

// The axes of x with those of its indices in the place of `A`; an axis that both have stands where x has it.
template <class A, class Xs, class Indices>
struct GatheredList;
template <class A, class... Axes, class Indices>
struct GatheredList<A, AxisList<Axes...>, Indices> {
  static constexpr std::size_t place = axiform::detail::place_of<A>(AxisList<Axes...>{});
  using Others = axiform::detail::Without<AxisList<Axes...>, A>;
  using OfIndices = typename axiform::detail::AxesNotIn<Indices, Others>::type;
  template <std::size_t... I>
  static typename axiform::detail::Joined<std::conditional_t<I == place, OfIndices, AxisList<Axes>>...>::type replace(
      std::index_sequence<I...>);
  using type = decltype(replace(std::make_index_sequence<sizeof...(Axes)>{}));
};

// An operand's axes other than the one that places are of, beside those of the operation.
template <class List, class A, TensorOperand X>
void align_others(Alignment& alignment, std::size_t number, X const& x) {
  using Xs = AxesOf<X>;
  constexpr std::size_t place = axiform::detail::place_of<A>(Xs{});
  using Others = axiform::detail::Without<Xs, axiform::detail::AxisOf<Xs, place>>;
  if constexpr (Others::size > 0) {
    static_assert(axiform::detail::has_all_axes<List, Others>, "two axes of the result have one name: call the new one otherwise");
    static constexpr auto places = axiform::detail::places_in<List>(Others{});
    auto const lengths = axiform::detail::without(x.lengths(), place);
    auto const strides = axiform::detail::without(strides_of(x), place);
    alignment.add(number, {lengths, strides, places.data()});
  }
}

// Operand 0 is the result, 1 what is taken from, 2 the places.
template <class E, class Index>
void gather_elements(char const* operation, Loops loops, E* target, E const* source, Index const* indices, IndexedAxis const& axis,
                     Executor& executor) {
  loops.simplify();
  loops.for_each(executor, [&](LoopRun const& run) {
    E* const to = target + run.begin[0];
    E const* const from = source + run.begin[1];
    Index const* const index = indices + run.begin[2];
    if (run.step[2] == 0) {  // all from one place
      E const* const row = from + axis(operation, *index);
      if (run.step[1] == 1) {
        copy_run(run.count, to, row);
      } else {
        for (std::size_t i = 0; i < run.count; ++i) to[i] = row[static_cast<std::ptrdiff_t>(i) * run.step[1]];
      }
      return;
    }
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(run.count); ++i)
      to[i] = from[i * run.step[1] + axis(operation, index[i * run.step[2]])];
  });
}

template <class List, class A, TensorOperand X, IndexTensor I, class... C>
auto gather_as(char const* operation, X const& x, I const& indices, C&... context) {
  using E = ElementOf<X>;
  static_assert(List::size <= axiform::detail::most_axes);
  using Result = axiform::detail::TensorOf<E, List>;
  auto const make = made_by<Result>(context...);
  Alignment alignment(operation, names_of<List>);
  align_others<List, A>(alignment, 1, x);
  align<List>(alignment, 2, indices);
  Result result = make.template tensor<E>(shape_of<List>(List{}, alignment));
  align<List>(alignment, 0, result);
  gather_elements(operation, alignment.loops(), result.data(), data_of(x), data_of(indices), indexed_axis<A>(x), make.executor());
  return result;
}

template <Axis A, class F, class X, class I, class Y>
void scatter_with(char const* operation, F const& f, X&& x, I const& indices, Y const& y) {
  using E = ElementOf<X>;
  using Xs = AxesOf<X>;
  static_assert(axiform::detail::has_axis<A, Xs>, "the tensor has no such axis, or has it twice");
  if constexpr (axiform::detail::has_axis<A, Xs>) {
    using List = typename GatheredList<axiform::detail::AxisOf<Xs, axiform::detail::place_of<A>(Xs{})>, Xs, AxesOf<I>>::type;
    static_assert(List::size <= axiform::detail::most_axes);
    static_assert(std::is_same_v<E, ElementOf<Y>>, "the tensors have different types of elements: convert one");
    static_assert(axiform::detail::has_all_axes<List, AxesOf<Y>>,
                  "what is put there has an axis that neither the tensor nor the places have");
    if (share_memory(x, y)) return scatter_with<A>(operation, f, x, indices, dense(y));
    if (share_memory(x, indices)) return scatter_with<A>(operation, f, x, dense(indices), y);
    Alignment alignment(operation, names_of<List>);
    align_others<List, A>(alignment, 0, x);
    align<List>(alignment, 1, y);
    align<List>(alignment, 2, indices);
    IndexedAxis const axis = indexed_axis<A>(x);
    auto loops = alignment.loops();
    loops.simplify();
    SerialExecutor serial;  // two places may be the same
    E* const target = axiform::detail::first_element(x);
    auto const* const from = data_of(y);
    auto const* const places = data_of(indices);
    for (auto const check : {true, false})  // nothing is written before all places are known to be there
      loops.for_each(serial, [&](LoopRun const& run) {
        for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(run.count); ++i) {
          std::ptrdiff_t const place = axis(operation, places[run.begin[2] + i * run.step[2]]);
          if (check) continue;
          E& element = target[run.begin[0] + i * run.step[0] + place];
          element = f(element, from[run.begin[1] + i * run.step[1]]);
        }
      });
  }
}

}  // namespace internal

/// The elements of x at places of an axis: the axes of `indices` stand where the axis was. Axes that both have are matched (NumPy's `take`, and
/// `take_along_axis` where there are such).
/// @throws ArgumentError when the axis has no such place; ShapeError when an axis is not equally long in both.
template <Axis A, TensorOperand X, IndexTensor I, class... C>
  requires(internal::optional_context<C...>)
auto gather(X const& x, I const& indices, C&... context) {
  using Xs = AxesOf<X>;
  static_assert(axiform::detail::has_axis<A, Xs>, "the tensor has no such axis, or has it twice");
  if constexpr (axiform::detail::has_axis<A, Xs>) {
    using List = typename internal::GatheredList<axiform::detail::AxisOf<Xs, axiform::detail::place_of<A>(Xs{})>, Xs, AxesOf<I>>::type;
    return internal::gather_as<List, A>("gather", x, indices, context...);
  }
}

/// Writes y to places of an axis of x, which is a tensor that stays or a view: what `gather` at these places reads then. Of a place that stands twice the last counts.
/// @throws As `gather`; x is then as it was.
template <Axis A, class X, IndexTensor I, TensorOperand Y>
  requires(internal::Assignable<X>)
void scatter(X&& x, I const& indices, Y const& y) {
  internal::scatter_with<A>(
      "scatter", [](auto, auto element) { return element; }, x, indices, y);
}
/// Adds y to places of an axis of x; of a place that stands twice both count.
/// @throws As `gather`; x is then as it was.
template <Axis A, class X, IndexTensor I, TensorOperand Y>
  requires(internal::Assignable<X>)
void scatter_add(X&& x, I const& indices, Y const& y) {
  internal::check_arithmetic<X>();
  using E = ElementOf<X>;
  auto const add = [](E a, E b) { return static_cast<E>(kernels::Add{}.of(static_cast<Computed<E>>(a), static_cast<Computed<E>>(b))); };
  internal::scatter_with<A>("scatter_add", add, x, indices, y);
}

}  // namespace axiform::inline AXIFORM_ARCH
