/// @file
/// Tensors beside `std::mdspan`, C++23's view of several axes without names: to it and from it, without a copy.
///
///     auto const m = to_mdspan(x);                                  // m(2, 3), m.extent(0), m.stride(1), m.data_handle()
///     auto const y = view_of_mdspan<Tokens, Features>(m);
#pragma once

#include <array>
#include <concepts>
#include <cstddef>

#include <axiform/algebra/views.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/strided_view.hpp>

namespace axiform {

/// What has the members of a `std::mdspan` that a view is made of.
template <class M>
concept MdspanLike = requires(M const& m, std::size_t axis) {
  {m.data_handle()};
  { m.extent(axis) } -> std::convertible_to<std::size_t>;
  { m.stride(axis) } -> std::convertible_to<std::ptrdiff_t>;
  { M::rank() } -> std::convertible_to<std::size_t>;
};

/// Elements on `Rank` axes, with the members of a `std::mdspan` of `layout_stride`: for compilers that have none. Refers to them, does not own them.
template <class Element, std::size_t Rank>
class StridedSpan {
 public:
  using element_type = Element;    ///< The type of an element.
  using index_type = std::size_t;  ///< The type of an index.

  /// The element of all first indices, the lengths of the axes, and the elements from one of each to the next.
  StridedSpan(Element* data, std::array<std::size_t, Rank> const& extents, std::array<std::ptrdiff_t, Rank> const& strides) noexcept
      : data_(data), extents_(extents), strides_(strides) {}

  static constexpr std::size_t rank() noexcept { return Rank; }                      ///< The number of axes.
  Element* data_handle() const noexcept { return data_; }                            ///< The element of all first indices.
  std::size_t extent(std::size_t axis) const noexcept { return extents_[axis]; }     ///< The length of an axis.
  std::ptrdiff_t stride(std::size_t axis) const noexcept { return strides_[axis]; }  ///< Elements from one of an axis to the next.
  /// The number of elements.
  std::size_t size() const noexcept {
    std::size_t product = 1;
    for (std::size_t const extent : extents_) product *= extent;
    return product;
  }
  /// One element; as of a `std::mdspan`, no index is checked.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == Rank)
  Element& operator()(Indices... indices) const { return (*this)[{static_cast<std::size_t>(indices)...}]; }
  /// One element.
  Element& operator[](std::array<std::size_t, Rank> const& index) const {
    std::ptrdiff_t place = 0;
    for (std::size_t i = 0; i < Rank; ++i) place += static_cast<std::ptrdiff_t>(index[i]) * strides_[i];
    return data_[place];
  }

 private:
  Element* data_;
  std::array<std::size_t, Rank> extents_;
  std::array<std::ptrdiff_t, Rank> strides_;
};

/// The elements of a tensor that stays, or of a view, by numbers of axes.
template <class X>
  requires(detail::Viewable<X&&>)
auto to_mdspan(X&& x) { return StridedSpan<detail::ElementSeen<X>, AxesOf<X>::size>(detail::first_element(x), x.lengths(), strides_of(x)); }

/// The elements of an mdspan on named axes, in its order.
/// @throws ShapeError when an axis has another length.
template <Axis... Axes, MdspanLike M>
  requires(sizeof...(Axes) == M::rank())
auto view_of_mdspan(M const& m) {
  using View = StridedView<std::remove_pointer_t<decltype(m.data_handle())>, Axes...>;
  std::array<std::size_t, sizeof...(Axes)> lengths{};
  std::array<std::ptrdiff_t, sizeof...(Axes)> strides{};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    lengths[i] = static_cast<std::size_t>(m.extent(i));
    strides[i] = static_cast<std::ptrdiff_t>(m.stride(i));
  }
  return View(m.data_handle(), View::ShapeType::of(lengths), strides);
}

}  // namespace axiform
