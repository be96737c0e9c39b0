/// @file
/// Parts and permutations of tensors, without a copy: `slice`, `at`, `permute`. What is written through such a view is written to the tensor.
///
///     Tensor<float, Tokens, Features> x(7);
///     slice<Tokens>(x, 2, 5) *= 2;                       // tokens 2, 3 and 4
///     auto const even = slice<Tokens>(x, 0, 7, 2);       // every second
///     auto const first = at<Tokens>(x, 0);               // [Features]
///     auto const columns = permute<Features, Tokens>(x); // [Features, Tokens]
///
/// A view of a tensor that nobody keeps does not compile: give the tensor a name.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

namespace detail {

// A tensor that stays, or a view: what a view may be made of.
template <class T>
concept Viewable = TensorOperand<T> &&(std::is_lvalue_reference_v<T> || !is_owner<std::remove_cvref_t<T>>);

// What an operand's elements are to whoever has it.
template <class X>
using ElementSeen = std::remove_pointer_t<decltype(std::declval<X&>().data())>;

// The first element, of a tensor that has some.
template <class X>
auto* first_element(X& x) {
  if constexpr (is_owner<std::remove_const_t<X>>) {
    return x.view().data();  // which says so where there is nothing any more
  } else {
    return x.data();
  }
}

template <class Element, class List>
struct StridedOfList;
template <class Element, class... Axes>
struct StridedOfList<Element, AxisList<Axes...>> {
  using type = StridedView<Element, Axes...>;
};

[[noreturn]] inline void refuse_slice(std::string const& axis, std::size_t first, std::size_t last, std::size_t length) {
  throw ArgumentError("slice: found [" + std::to_string(first) + ", " + std::to_string(last) + ") of the axis " + axis +
                      ", expected a range within its length, " + std::to_string(length));
}

}  // namespace detail

/// The places [first, last) of an axis whose length is free, or every `step`-th of them.
/// @throws ArgumentError when the range is not within the axis, or `step` is 0.
template <Axis A, class X>
  requires detail::Viewable<X&&>
auto slice(X&& x, std::size_t first, std::size_t last, std::size_t step = 1) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  static_assert(!StaticAxis<A>, "a part of an axis whose length the type has is another axis: slice<Axis, Part>(x, first)");
  if constexpr (detail::has_axis<A, List> && !StaticAxis<A>) {
    constexpr std::size_t place = detail::place_of<A>(List{});
    using View = typename detail::StridedOfList<detail::ElementSeen<X>, List>::type;
    auto lengths = x.lengths();
    auto strides = strides_of(x);
    if (first > last || last > lengths[place]) detail::refuse_slice(axis_name<A>(), first, last, lengths[place]);
    if (step == 0) throw ArgumentError("slice: step: found 0, expected at least 1");
    auto* const data = detail::first_element(x) + (first == last ? 0 : static_cast<std::ptrdiff_t>(first) * strides[place]);
    lengths[place] = (last - first + step - 1) / step;
    strides[place] *= static_cast<std::ptrdiff_t>(step);
    return View(data, View::ShapeType::of(lengths), strides);
  }
}

/// The places from `first` on of an axis, as many as `Part` has, which stands for it: `slice<Features, Half>(x, 32)`.
/// @throws ArgumentError when there are not so many.
template <Axis A, StaticAxis Part, class X>
  requires detail::Viewable<X&&>
auto slice(X&& x, std::size_t first) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  if constexpr (detail::has_axis<A, List>) {
    constexpr std::size_t place = detail::place_of<A>(List{});
    using View = typename detail::StridedOfList<detail::ElementSeen<X>, detail::Replaced<List, A, Part>>::type;
    auto lengths = x.lengths();
    auto const strides = strides_of(x);
    if (first > lengths[place] || Part::length > lengths[place] - first)
      detail::refuse_slice(axis_name<A>(), first, first + Part::length, lengths[place]);
    lengths[place] = Part::length;
    return View(detail::first_element(x) + static_cast<std::ptrdiff_t>(first) * strides[place], View::ShapeType::of(lengths), strides);
  }
}

/// What is at one place of an axis; the axis goes. @throws ArgumentError when the axis has no such place.
template <Axis A, class X>
  requires detail::Viewable<X&&>
auto at(X&& x, std::size_t index) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  if constexpr (detail::has_axis<A, List>) {
    constexpr std::size_t place = detail::place_of<A>(List{});
    using Kept = detail::Without<List, detail::AxisOf<List, place>>;
    static_assert(Kept::size > 0, "the tensor has no other axis: x(index) is the element");
    using View = typename detail::StridedOfList<detail::ElementSeen<X>, Kept>::type;
    auto const lengths = x.lengths();
    auto const strides = strides_of(x);
    if (index >= lengths[place])
      throw ArgumentError("at: found place " + std::to_string(index) + " of the axis " + axis_name<A>() + ", expected one below " +
                          std::to_string(lengths[place]));
    std::array<std::size_t, Kept::size> kept_lengths{};
    std::array<std::ptrdiff_t, Kept::size> kept_strides{};
    for (std::size_t i = 0, next = 0; i < lengths.size(); ++i) {
      if (i == place) continue;
      kept_lengths[next] = lengths[i];
      kept_strides[next++] = strides[i];
    }
    return View(detail::first_element(x) + static_cast<std::ptrdiff_t>(index) * strides[place], View::ShapeType::of(kept_lengths),
                kept_strides);
  }
}

/// The axes in another order: all of them, named.
template <Axis... Order, class X>
  requires detail::Viewable<X&&>
auto permute(X&& x) {
  using List = AxesOf<X>;
  static_assert(sizeof...(Order) == List::size && detail::covers<List, AxisList<Order...>>(),
                "permute names every axis of the tensor once");
  if constexpr (sizeof...(Order) == List::size && detail::covers<List, AxisList<Order...>>()) {
    using View = StridedView<detail::ElementSeen<X>, detail::AxisOf<List, detail::place_of<Order>(List{})>...>;
    auto const lengths = x.lengths();
    auto const strides = strides_of(x);
    return View(detail::first_element(x), View::ShapeType::of({lengths[detail::place_of<Order>(List{})]...}),
                {strides[detail::place_of<Order>(List{})]...});
  }
}

}  // namespace axiform
