/// @file
/// Tensors put together and moved about: `concat`, `stack`, `pad`, `repeat`, `tile`, `roll`, `flip`. All copy.
///
///     auto const all = concat<Tokens>(past, present);                // one behind the other
///     auto const pair = stack<Pair>(x, y);                           // [Pair, …]
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// A view of `count` places of the axis at `Place`, from `first` on, as axes `List`: a fixed length becomes the part's.
template <class List, std::size_t Place, class E, class... Axes>
auto part_of(Tensor<E, Axes...>& x, std::size_t first, std::size_t count) {
  using View = axiform::detail::StridedOf<E, List>;
  auto lengths = x.lengths();
  auto const strides = strides_of(x);
  lengths[Place] = count;
  return View(x.view().data() + static_cast<std::ptrdiff_t>(first) * strides[Place], View::ShapeType::of(lengths), strides);
}

inline std::size_t checked_sum(char const* operation, std::size_t a, std::size_t b) {
  std::size_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw ShapeError(std::string(operation) + ": found a length beyond what memory has places for");
  return sum;
}
inline std::size_t checked_product(char const* operation, std::size_t a, std::size_t b) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw ShapeError(std::string(operation) + ": found a length beyond what memory has places for");
  return product;
}

// x with another axis in the place of A, whose place i is x's `place(i)`.
template <class A, class Into, TensorOperand X, class Place, class... C>
auto take_places(char const* operation, X const& x, std::size_t count, Place const& place, C&... context) {
  if constexpr (axiform::detail::has_axis<A, AxesOf<X>>) {
    using List = axiform::detail::Replaced<AxesOf<X>, A, Into>;
    static_assert(axiform::detail::has_axis<Into, List>, "the tensor has an axis of the new name already");
    if constexpr (axiform::detail::has_axis<Into, List>) {
      Tensor<std::int64_t, Into> indices(Shape<Into>::of({count}));
      for (std::size_t i = 0; i < count; ++i) indices.data()[i] = static_cast<std::int64_t>(place(i));
      return gather_as<List, A>(operation, x, indices, context...);
    }
  }
}

// Copies x to the places of the result's axis from `first` on, which x calls `Part`, and moves `first` on.
template <class Into, class Part, class E, class... Axes, TensorOperand X>
void put_part(char const* operation, Tensor<E, Axes...>& result, std::size_t& first, X const& x) {
  using List = AxisList<Axes...>;
  static_assert(axiform::detail::has_axis<Into, List>, "the tensor has an axis of the new name already");
  using PartList = axiform::detail::Replaced<List, Into, Part>;
  static_assert(std::is_same_v<E, ElementOf<X>>, "the tensors have different types of elements: convert one");
  static_assert(axiform::detail::covers<PartList, AxesOf<X>>() && axiform::detail::covers<AxesOf<X>, PartList>(),
                "the tensors have different axes");
  std::size_t const count = length_along<Part>(x);
  SerialExecutor executor;
  copy_to(operation, part_of<PartList, axiform::detail::place_of<Into>(List{})>(result, first, count), x, executor);
  first += count;
}

}  // namespace internal

/// The tensors one behind the other along an axis whose length is free; their other axes may stand in any order, the result's is the first's.
/// @throws ShapeError when another axis is not equally long in all.
template <Axis A, TensorOperand First, TensorOperand... X>
auto concat(First const& first, X const&... more) {
  using List = AxesOf<First>;
  static_assert(axiform::detail::has_axis<A, List> && (axiform::detail::has_axis<A, AxesOf<X>> && ...),
                "a tensor has no such axis, or has it twice");
  static_assert(!StaticAxis<A>, "the axis has a length: concat<Into, First, Second>(x, y) names that of the result and those of the parts");
  if constexpr (axiform::detail::has_axis<A, List> && (axiform::detail::has_axis<A, AxesOf<X>> && ...) && !StaticAxis<A>) {
    using Result = axiform::detail::TensorOf<ElementOf<First>, List>;
    auto lengths = first.lengths();
    std::size_t& length = lengths[axiform::detail::place_of<A>(List{})];
    ((length = internal::checked_sum("concat", length, internal::length_along<A>(more))), ...);
    auto result = Result::uninitialised(Result::ShapeType::of(lengths));
    std::size_t done = 0;
    internal::put_part<A, A>("concat", result, done, first);
    (internal::put_part<A, A>("concat", result, done, more), ...);
    return result;
  }
}
/// Two tensors one behind the other: the axis `First` of x, then `Second` of y, are `Into` of the result. `concat<Width, Left, Right>(x, y)`.
/// @throws ShapeError when `Into` has another length, or another axis is not equally long in both.
template <Axis Into, Axis First, Axis Second, TensorOperand X, TensorOperand Y>
auto concat(X const& x, Y const& y) {
  using List = AxesOf<X>;
  static_assert(axiform::detail::has_axis<First, List> && axiform::detail::has_axis<Second, AxesOf<Y>>,
                "a tensor has no such axis, or has it twice");
  if constexpr (axiform::detail::has_axis<First, List> && axiform::detail::has_axis<Second, AxesOf<Y>>) {
    using Result = axiform::detail::TensorOf<ElementOf<X>, axiform::detail::Replaced<List, First, Into>>;
    auto lengths = x.lengths();
    std::size_t& length = lengths[axiform::detail::place_of<First>(List{})];
    length = internal::checked_sum("concat", length, internal::length_along<Second>(y));
    auto result = Result::uninitialised(Result::ShapeType::of(lengths));
    std::size_t done = 0;
    internal::put_part<Into, First>("concat", result, done, x);
    internal::put_part<Into, Second>("concat", result, done, y);
    return result;
  }
}

/// The tensors beside each other along a new axis, outside all others, whose length is how many there are.
/// @throws ShapeError when an axis is not equally long in all, or the new one has another length.
template <Axis A, TensorOperand First, TensorOperand... X>
auto stack(First const& first, X const&... more) {
  using List = AxesOf<First>;
  static_assert(!axiform::detail::has_axis<A, List>, "the tensors have an axis of that name already");
  using Result = axiform::detail::TensorOf<ElementOf<First>, typename axiform::detail::Joined<AxisList<A>, List>::type>;
  std::array<std::size_t, List::size + 1> lengths{1 + sizeof...(X)};
  std::copy_n(first.lengths().begin(), List::size, lengths.begin() + 1);
  auto result = Result::uninitialised(Result::ShapeType::of(lengths));
  std::size_t done = 0;
  SerialExecutor executor;
  auto const put = [&](auto const& x) {
    static_assert(std::is_same_v<ElementOf<First>, ElementOf<decltype(x)>>, "the tensors have different types of elements: convert one");
    static_assert(axiform::detail::covers<List, AxesOf<decltype(x)>>() && axiform::detail::covers<AxesOf<decltype(x)>, List>(),
                  "the tensors have different axes");
    internal::copy_to("stack", at<A>(result, done++), x, executor);
  };
  put(first);
  (put(more), ...);
  return result;
}

/// Each place of an axis several times, one after the other (NumPy's `repeat`): [a, b] becomes [a, a, b, b]. Of an axis that has a length, `Into` has that of the result.
template <Axis A, Axis Into = A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto repeat(X const& x, std::size_t times, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  std::size_t const count = internal::checked_product("repeat", internal::length_along<A>(x), times);
  return internal::take_places<A, Into>(
      "repeat", x, count, [&](std::size_t i) { return i / times; }, context...);
}
/// All places of an axis several times over (NumPy's `tile`): [a, b] becomes [a, b, a, b]. `Into` as for `repeat`.
template <Axis A, Axis Into = A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto tile(X const& x, std::size_t times, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  std::size_t const length = internal::length_along<A>(x), count = internal::checked_product("tile", length, times);
  return internal::take_places<A, Into>(
      "tile", x, count, [&](std::size_t i) { return i % length; }, context...);
}
/// The places of an axis moved on by `by`, those at the end to the beginning (NumPy's `roll`); `by` may be negative.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto roll(X const& x, std::ptrdiff_t by, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  auto const length = static_cast<std::ptrdiff_t>(internal::length_along<A>(x));
  std::ptrdiff_t const shift = length == 0 ? 0 : (by % length + length) % length;
  return internal::take_places<A, A>(
      "roll", x, static_cast<std::size_t>(length),
      [&](std::size_t i) { return (static_cast<std::ptrdiff_t>(i) + length - shift) % length; }, context...);
}
/// The places of an axis the other way round.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto flip(X const& x, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  std::size_t const length = internal::length_along<A>(x);
  return internal::take_places<A, A>(
      "flip", x, length, [&](std::size_t i) { return length - 1 - i; }, context...);
}

/// `before` and `after` more places at the ends of an axis, with the same number everywhere. `Into` as for `repeat`.
template <Axis A, Axis Into = A, TensorOperand X>
auto pad(X const& x, std::size_t before, std::size_t after, std::type_identity_t<ElementOf<X>> value = ElementOf<X>{}) {
  using List = AxesOf<X>;
  static_assert(axiform::detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  using Result = axiform::detail::TensorOf<ElementOf<X>, axiform::detail::Replaced<List, A, Into>>;
  if (static_cast<std::ptrdiff_t>(before) < 0 || static_cast<std::ptrdiff_t>(after) < 0)
    throw ArgumentError("pad: found " + axiform::detail::signed_text(before) + " and " + axiform::detail::signed_text(after) +
                        " more places, expected no negative number");
  auto lengths = x.lengths();
  std::size_t& length = lengths[axiform::detail::place_of<A>(List{})];
  length = internal::checked_sum("pad", internal::checked_sum("pad", before, length), after);
  auto result = Result::uninitialised(Result::ShapeType::of(lengths));
  std::fill_n(result.data(), result.size(), value);
  internal::put_part<Into, A>("pad", result, before, x);
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
