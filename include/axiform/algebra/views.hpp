/// @file
/// Parts and permutations of tensors, without a copy: `slice`, `at`, `along`, `permute`. What is written through such a view is written to the tensor.
///
///     Tensor<float, Tokens, Features> x(7);
///     slice<Tokens>(x, 2, 5) *= 2;                       // tokens 2, 3 and 4
///     auto const even = slice<Tokens>(x, 0, 7, 2);       // every second
///     auto const first = at<Tokens>(x, 0);               // [Features]
///     auto const columns = permute<Features, Tokens>(x); // [Features, Tokens]
///     for (auto row : along<Tokens>(x)) row -= mean(row);
///
/// A view of a tensor that nobody keeps does not compile: give the tensor a name.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <ranges>
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

// One number for each axis but the one at a place.
template <class T, std::size_t Rank>
constexpr std::array<T, Rank - 1> without(std::array<T, Rank> const& of_axes, std::size_t place) noexcept {
  std::array<T, Rank - 1> result{};
  for (std::size_t i = 0, next = 0; i < Rank; ++i)
    if (i != place) result[next++] = of_axes[i];
  return result;
}

// A place as it was given: below zero, too.
inline std::string signed_text(std::size_t place) { return std::to_string(static_cast<std::ptrdiff_t>(place)); }

[[noreturn]] inline void refuse_slice(std::string const& axis, std::size_t first, std::size_t last, std::size_t length) {
  throw ArgumentError("slice: found [" + signed_text(first) + ", " + signed_text(last) + ") of the axis " + axis +
                      ", expected a range within its length, " + std::to_string(length));
}

}  // namespace detail

/// The places [first, last) of an axis whose length is free, or every `step`-th of them.
/// @throws ArgumentError when the range is not within the axis, or `step` is not positive.
template <Axis A, class X>
  requires detail::Viewable<X&&>
auto slice(X&& x, std::size_t first, std::size_t last, std::size_t step = 1) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  static_assert(!StaticAxis<A>, "a part of an axis whose length the type has is another axis: slice<Axis, Part>(x, first)");
  if constexpr (detail::has_axis<A, List> && !StaticAxis<A>) {
    constexpr std::size_t place = detail::place_of<A>(List{});
    using View = detail::StridedOf<detail::ElementSeen<X>, List>;
    auto lengths = x.lengths();
    auto strides = strides_of(x);
    if (first > last || last > lengths[place]) detail::refuse_slice(axis_name<A>(), first, last, lengths[place]);
    if (static_cast<std::ptrdiff_t>(step) <= 0)
      throw ArgumentError("slice: step: found " + detail::signed_text(step) +
                          ", expected at least 1 (flip<Axis>(x) is the other way round)");
    auto* const data = detail::first_element(x) + (first == last ? 0 : static_cast<std::ptrdiff_t>(first) * strides[place]);
    lengths[place] = first == last ? 0 : (last - first - 1) / step + 1;
    if (lengths[place] > 1) strides[place] *= static_cast<std::ptrdiff_t>(step);
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
    using View = detail::StridedOf<detail::ElementSeen<X>, detail::Replaced<List, A, Part>>;
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
    using View = detail::StridedOf<detail::ElementSeen<X>, Kept>;
    auto const lengths = x.lengths();
    auto const strides = strides_of(x);
    if (index >= lengths[place])
      throw ArgumentError("at: found place " + detail::signed_text(index) + " of the axis " + axis_name<A>() + ", expected one below " +
                          std::to_string(lengths[place]));
    return View(detail::first_element(x) + static_cast<std::ptrdiff_t>(index) * strides[place],
                View::ShapeType::of(detail::without(lengths, place)), detail::without(strides, place));
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

namespace detail {

// What `at` is at each place of an axis, one after the other.
template <class A, class View>
class Along {
 public:
  class Iterator {
   public:
    using value_type = decltype(at<A>(std::declval<View>(), 0));
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(Along const* range, std::size_t index) noexcept : range_(range), index_(index) {}

    value_type operator*() const { return at<A>(range_->view_, index_); }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    Iterator operator++(int) noexcept { return {range_, index_++}; }
    friend bool operator==(Iterator const& a, Iterator const& b) noexcept { return a.index_ == b.index_; }

   private:
    Along const* range_ = nullptr;
    std::size_t index_ = 0;
  };

  explicit Along(View const& view) noexcept : view_(view) {}
  Iterator begin() const noexcept { return {this, 0}; }
  Iterator end() const noexcept { return {this, size()}; }
  std::size_t size() const noexcept { return view_.lengths()[place_of<A>(AxesOf<View>{})]; }

 private:
  View view_;
};

}  // namespace detail

/// A range of what is `at` each place of an axis: views without that axis, through which elements can be written.
template <Axis A, class X>
  requires detail::Viewable<X&&>
auto along(X&& x) {
  using List = AxesOf<X>;
  static_assert(detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  if constexpr (detail::has_axis<A, List>) {
    using View = detail::StridedOf<detail::ElementSeen<X>, List>;
    return detail::Along<A, View>(View(detail::first_element(x), View::ShapeType::of(x.lengths()), strides_of(x)));
  }
}

/// A view whose rows lie together as what layers take: `layer(as_rows(merge<Heads, Features, Width>(x)), context)`.
/// @throws ArgumentError when they do not; `dense(view)` is a tensor whose rows do.
template <class Element, Axis... Axes>
TensorView<Element, Axes...> as_rows(StridedView<Element, Axes...> const& view) {
  constexpr std::size_t rank = sizeof...(Axes);
  auto const& lengths = view.lengths();
  auto const& strides = view.strides();
  auto row_stride = static_cast<std::ptrdiff_t>(lengths[rank - 1]), next = std::ptrdiff_t{-1};
  bool is_rows = strides[rank - 1] == 1 || lengths[rank - 1] <= 1;
  for (std::size_t i = rank - 1; i-- > 0;) {
    if (lengths[i] == 1) continue;  // whatever its stride
    if (next < 0) {
      row_stride = strides[i];
      is_rows &= row_stride >= 0;
    } else {
      is_rows &= strides[i] == next;
    }
    next = strides[i] * static_cast<std::ptrdiff_t>(lengths[i]);
  }
  if (!is_rows && view.size() != 0)
    throw ArgumentError("as_rows: the rows of a view " + view.shape().to_string_with_names() + " do not lie together: dense(view)");
  return TensorView<Element, Axes...>(view.data(), view.shape(), static_cast<std::size_t>(row_stride));
}

/// Elements that lie elsewhere, row by row without gaps, as a tensor of the axes `Axes...`: nothing is copied. `view_of<axes::Tokens, Const<3>>(numbers, 2)`.
/// @param elements Contiguous and kept: a `std::span`, a vector, an array. @param lengths Of the axes whose length is free.
/// @throws ShapeError when there are not as many elements as the shape has.
template <Axis... Axes, class Elements, std::convertible_to<std::size_t>... Lengths>
  requires(sizeof...(Axes) > 0 && sizeof...(Lengths) == Shape<Axes...>::dynamic_rank)
auto view_of(Elements&& elements, Lengths... lengths) {
  static_assert(std::is_lvalue_reference_v<Elements> || std::ranges::borrowed_range<Elements>,
                "the elements are a temporary: give them a name");
  auto* data = std::ranges::data(elements);
  Shape<Axes...> const shape(static_cast<std::size_t>(lengths)...);
  std::size_t count = 1;
  bool too_many = false;
  for (std::size_t const length : shape.lengths()) too_many |= __builtin_mul_overflow(count, length, &count);
  if (std::size_t const found = std::ranges::size(elements); too_many || found != count)
    throw ShapeError("view_of: found " + std::to_string(found) + " elements for the shape " + shape.to_string_with_names());
  return TensorView<std::remove_pointer_t<decltype(data)>, Axes...>(data, shape);
}

}  // namespace axiform
