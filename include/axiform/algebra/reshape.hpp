/// @file
/// Axes made of axes, without a copy: `split` and `merge`, `squeeze` and `new_axis`, `broadcast`.
///
///     Tensor<float, Tokens, Width> x(7);                            // Width: 12 heads of 64 features
///     auto const heads = split<Width, Heads, Features>(x);          // [Tokens, Heads, Features]
///     auto const width = merge<Heads, Features, Width>(heads);      // [Tokens, Width]
///
/// A view of a tensor that nobody keeps does not compile: give the tensor a name.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/views.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/strided_view.hpp>

namespace axiform {

namespace detail {

// A list with two axes in the place of one, or one in the place of two that follow one another.
template <class List, std::size_t Place, std::size_t Count, class Others>
struct SplicedList;
template <class... Axes, std::size_t Place, std::size_t Count, class Others>
struct SplicedList<AxisList<Axes...>, Place, Count, Others> {
  template <std::size_t... I>
  static typename Joined<
      std::conditional_t<I == Place, Others, std::conditional_t<(I > Place && I < Place + Count), AxisList<>, AxisList<Axes>>>...>::type
      splice(std::index_sequence<I...>);
  using type = decltype(splice(std::make_index_sequence<sizeof...(Axes)>{}));
};
template <class List, std::size_t Place, std::size_t Count, class... Others>
using Spliced = typename SplicedList<List, Place, Count, AxisList<Others...>>::type;

// The length of the first of two axes that one of `length` is split into, given that of the first, or 0.
template <class First, class Second>
std::size_t first_length(std::string const& axis, std::size_t length, std::size_t given) {
  std::size_t first = given, second = 0;
  if constexpr (StaticAxis<First>) first = First::length;
  if constexpr (StaticAxis<Second>) {
    second = Second::length;
    if constexpr (!StaticAxis<First>)
      if (given == 0 && second != 0) first = length / second;
  } else {
    second = first == 0 ? 0 : length / first;
  }
  if (first * second != length)
    throw ShapeError("split: found " + std::to_string(length) + " places on the axis " + axis + ", expected " + axis_name<First>() +
                     " times " + axis_name<Second>() + ": " + std::to_string(first) + " times " +
                     (StaticAxis<Second> ? std::to_string(second) : "a number"));
  return first;
}

template <class A, class First, class Second, class X>
auto split_view(X& x, std::size_t given) {
  using List = AxesOf<X>;
  constexpr std::size_t place = place_of<A>(List{});
  using View = StridedOf<ElementSeen<X>, Spliced<List, place, 1, First, Second>>;
  auto const lengths = x.lengths();
  auto const strides = strides_of(x);
  std::size_t const first = first_length<First, Second>(axis_name<A>(), lengths[place], given);
  std::size_t second = first == 0 ? 0 : lengths[place] / first;
  if constexpr (StaticAxis<Second>) second = Second::length;
  static_assert(has_axis<First, AxesOf<View>> && has_axis<Second, AxesOf<View>>, "the tensor has an axis of a new name already");
  std::array<std::size_t, View::rank> new_lengths{};
  std::array<std::ptrdiff_t, View::rank> new_strides{};
  for (std::size_t i = 0, next = 0; i < lengths.size(); ++i) {
    if (i == place) {
      new_lengths[next] = first;
      new_strides[next++] = strides[i] * static_cast<std::ptrdiff_t>(second);
    }
    new_lengths[next] = i == place ? second : lengths[i];
    new_strides[next++] = strides[i];
  }
  return View(first_element(x), View::ShapeType::of(new_lengths), new_strides);
}

}  // namespace detail

/// One axis as two, `First` the outer: place i of it is i / length of Second on the one, i % length of Second on the other. At least one of the two has its
/// length in its type.
/// @throws ShapeError when the lengths do not multiply to that of the axis.
template <Axis A, Axis First, Axis Second, class X>
  requires(detail::Viewable<X&&>)
auto split(X&& x) {
  static_assert(detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  static_assert(StaticAxis<First> || StaticAxis<Second>, "neither of the two has a length: split<Axis, First, Second>(x, length_of_first)");
  if constexpr (detail::has_axis<A, AxesOf<X>>) return detail::split_view<A, First, Second>(x, 0);
}
/// The same with the length of `First`, which is free.
/// @throws ArgumentError when it is 0; ShapeError as above.
template <Axis A, Axis First, Axis Second, class X>
  requires(detail::Viewable<X&&> && !StaticAxis<First>)
auto split(X&& x, std::size_t first) {
  static_assert(detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  if (first == 0) throw ArgumentError("split: the first length: found 0, expected at least 1");
  if constexpr (detail::has_axis<A, AxesOf<X>>) return detail::split_view<A, First, Second>(x, first);
}

/// Two axes that follow one another as one, `Into`.
/// @throws ArgumentError when they do not follow one another in memory: `dense(x)` does; ShapeError when `Into` has another length.
template <Axis First, Axis Second, Axis Into = Product<First, Second>, class X>
  requires(detail::Viewable<X&&>)
auto merge(X&& x) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<First, List> && detail::has_axis<Second, List>, "the tensor has no such axis, or has it twice");
  if constexpr (detail::has_axis<First, List> && detail::has_axis<Second, List>) {
    constexpr std::size_t place = detail::place_of<First>(List{});
    constexpr bool follows = place + 1 == detail::place_of<Second>(List{});
    static_assert(follows, "the second axis does not follow the first: permute the tensor before");
    if constexpr (follows) {
      using View = detail::StridedOf<detail::ElementSeen<X>, detail::Spliced<List, place, 2, Into>>;
      auto const lengths = x.lengths();
      auto const strides = strides_of(x);
      std::size_t const outer = lengths[place], inner = lengths[place + 1];
      if (outer > 1 && inner > 1 && strides[place] != strides[place + 1] * static_cast<std::ptrdiff_t>(inner))
        throw ArgumentError("merge: the axes " + axis_name<First>() + " and " + axis_name<Second>() +
                            " do not follow one another in memory: merge a copy, dense(x)");
      std::array<std::size_t, View::rank> new_lengths{};
      std::array<std::ptrdiff_t, View::rank> new_strides{};
      for (std::size_t i = 0, next = 0; i < lengths.size(); ++i) {
        if (i == place) continue;
        new_lengths[next] = i == place + 1 ? outer * inner : lengths[i];
        new_strides[next++] = i == place + 1 && inner == 1 ? strides[place] : strides[i];
      }
      return View(detail::first_element(x), View::ShapeType::of(new_lengths), new_strides);
    }
  }
}

/// Without an axis that has one place. @throws ShapeError when it has another number of them.
template <Axis A, class X>
  requires(detail::Viewable<X&&>)
auto squeeze(X&& x) {
  static_assert(detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  if constexpr (detail::has_axis<A, AxesOf<X>>) {
    if (std::size_t const length = x.lengths()[detail::place_of<A>(AxesOf<X>{})]; length != 1)
      throw ShapeError("squeeze: found " + std::to_string(length) + " places on the axis " + axis_name<A>() + ", expected 1");
    return at<A>(x, 0);
  }
}

namespace detail {
template <class A, class Element, class X>
auto with_outermost(X& x, std::size_t length) {
  using List = AxesOf<X>;
  static_assert(!has_axis<A, List>, "the tensor has an axis of that name already");
  using View = StridedOf<Element, typename Joined<AxisList<A>, List>::type>;
  std::array<std::size_t, View::rank> lengths{length};
  std::array<std::ptrdiff_t, View::rank> strides{};
  std::size_t elements = 0;
  if (__builtin_mul_overflow(length, x.size(), &elements) || static_cast<std::ptrdiff_t>(elements) < 0 ||
      static_cast<std::ptrdiff_t>(length) < 0)
    throw ShapeError("broadcast: found the length " + signed_text(length) + " for the axis " + axis_name<A>() +
                     ", beyond what can be counted");
  for (std::size_t i = 1; i < View::rank; ++i) {
    lengths[i] = x.lengths()[i - 1];
    strides[i] = strides_of(x)[i - 1];
  }
  return View(first_element(x), View::ShapeType::of(lengths), strides);
}
}  // namespace detail

/// With one more axis, of one place, outside all others.
template <Axis A, class X>
  requires(detail::Viewable<X&&>)
auto new_axis(X&& x) { return detail::with_outermost<A, detail::ElementSeen<X>>(x, 1); }

/// With one more axis, outside all others, along which the tensor repeats: read-only. Operations repeat what lacks an axis by themselves; this is for what no
/// operand has: `broadcast<Keys>(query, 5) + key`.
template <StaticAxis A, class X>
  requires(detail::Viewable<X&&>)
auto broadcast(X&& x) { return detail::with_outermost<A, std::add_const_t<detail::ElementSeen<X>>>(x, A::length); }
/// The same along an axis whose length is free.
template <Axis A, class X>
  requires(detail::Viewable<X&&> && !StaticAxis<A>)
auto broadcast(X&& x, std::size_t length) { return detail::with_outermost<A, std::add_const_t<detail::ElementSeen<X>>>(x, length); }

}  // namespace axiform
