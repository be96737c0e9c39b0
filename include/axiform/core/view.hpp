/// @file
/// `TensorView`: a tensor's elements without owning them. Operations take views; an owner converts.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>

#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/print.hpp>
#include <axiform/core/shape.hpp>

namespace axiform {

/// Elements on the axes `Axes...`. The elements of a row (the last axis) lie side by side; from one row to the next it is
/// `row_stride()` elements, so a view may be a range of columns of a wider tensor.
template <class Element, Axis... Axes>
class TensorView {
 public:
  using element_type = Element;                         ///< The type of an element, `const` where the view is read-only.
  using ShapeType = Shape<Axes...>;                     ///< The type of the shape.
  static constexpr std::size_t rank = sizeof...(Axes);  ///< The number of axes.
  /// The type of axis `I`.
  template <std::size_t I>
  using AxisAt = typename ShapeType::template AxisAt<I>;

  /// The elements at `data`, row after row without gaps.
  TensorView(Element* data, ShapeType shape) noexcept : TensorView(data, shape, shape.columns()) {}
  /// The elements at `data`, `row_stride` elements from one row to the next.
  TensorView(Element* data, ShapeType shape, std::size_t row_stride) noexcept : data_(data), shape_(shape), row_stride_(row_stride) {}

  /// From mutable to const elements, and from lengths that the type knows to lengths that are free.
  template <class Other, Axis... OtherAxes>
    requires(sizeof...(OtherAxes) == rank && std::is_convertible_v<Other (*)[], Element (*)[]> && (FitsAxis<OtherAxes, Axes> && ...))
  TensorView(TensorView<Other, OtherAxes...> other) noexcept
      : data_(other.data()), shape_(ShapeType::of(other.lengths())), row_stride_(other.row_stride()) {}

  Element* data() const noexcept { return data_; }            ///< The first element.
  ShapeType const& shape() const& noexcept { return shape_; }  ///< The lengths of the axes, with their types.
  ShapeType shape() const&& noexcept { return shape_; }        ///< The same, by value, of a view that is about to go.
  /// The lengths of all axes, outermost first.
  std::array<std::size_t, rank> const& lengths() const& noexcept { return shape_.lengths(); }
  /// The same, by value, of a view that is about to go.
  std::array<std::size_t, rank> lengths() const&& noexcept { return shape_.lengths(); }
  /// The length of axis `I`.
  template <std::size_t I>
  constexpr std::size_t length() const noexcept {
    return shape_.template length<I>();
  }
  std::size_t rows() const noexcept { return shape_.rows(); }        ///< The product of all lengths but the last.
  std::size_t columns() const noexcept { return shape_.columns(); }  ///< The length of the last axis.
  std::size_t size() const noexcept { return shape_.size(); }        ///< The number of elements.
  std::size_t row_stride() const noexcept { return row_stride_; }    ///< Elements from one row to the next.

  /// Row `index`, counted over all axes but the last.
  /// @throws ArgumentError when there is no such row.
  std::span<Element> row(std::size_t index) const {
    if (index >= rows()) throw ArgumentError("row " + std::to_string(index) + " of a tensor " + shape_.to_string());
    return {data_ + index * row_stride_, columns()};
  }

  /// One element.
  /// @throws ArgumentError when an index is not below its axis's length.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  Element& operator()(Indices... indices) const {
    auto const index = shape_.checked(indices...);
    return data_[shape_.row_of(index) * row_stride_ + index[rank - 1]];
  }

 private:
  Element* data_;
  ShapeType shape_;
  std::size_t row_stride_;
};

namespace detail {
// Elements from one of each axis to the next, of rows that lie `row_stride` apart.
template <std::size_t Rank>
constexpr std::array<std::ptrdiff_t, Rank> row_major_strides(std::array<std::size_t, Rank> const& lengths,
                                                             std::size_t row_stride) noexcept {
  std::array<std::ptrdiff_t, Rank> strides{};
  auto step = static_cast<std::ptrdiff_t>(row_stride);
  strides[Rank - 1] = 1;
  for (std::size_t i = Rank - 1; i-- > 0;) {
    strides[i] = step;
    step *= static_cast<std::ptrdiff_t>(lengths[i]);
  }
  return strides;
}
}  // namespace detail

/// Writes a tensor in nested brackets, an axis a level, columns aligned, and then the axes:
///
///     [[ 1.0000  0.9082 -0.0170]
///      [ 0.9082  1.0000  0.0011]] [Queries: 2, Keys: 3]
///
/// Numbers have four decimals unless the stream says otherwise (`std::fixed`, `std::scientific`, `std::setprecision`); of more than 1000
/// elements the ends of long axes are written.
template <class Traits, class Element, Axis... Axes>
  requires detail::Writable<Element> std::basic_ostream<char, Traits>
&operator<<(std::basic_ostream<char, Traits>& out, TensorView<Element, Axes...> const& tensor) {
  auto const strides = detail::row_major_strides(tensor.lengths(), tensor.row_stride());
  return out << detail::tensor_text<std::remove_const_t<Element>>(tensor.data(), tensor.lengths(), strides, detail::style_of(out))
             << tensor.shape().to_string_with_names();
}

/// Read-only floats: what an operation takes. `View<axes::Tokens, Const<768>>`.
template <Axis... Axes>
using View = TensorView<float const, Axes...>;

}  // namespace axiform
