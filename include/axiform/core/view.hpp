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
    std::array<std::size_t, rank> const index{static_cast<std::size_t>(indices)...};
    std::size_t row = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      if (index[i] >= lengths()[i])
        throw ArgumentError("index " + std::to_string(index[i]) + " on axis " + std::to_string(i) + " of a tensor " + shape_.to_string());
      if (i + 1 < rank) row = row * lengths()[i] + index[i];
    }
    return data_[row * row_stride_ + index[rank - 1]];
  }

 private:
  Element* data_;
  ShapeType shape_;
  std::size_t row_stride_;
};

/// Writes a tensor in nested brackets, an axis a level, columns aligned:
///
///     [[ 1.0000  0.9082 -0.0170]
///      [ 0.9082  1.0000  0.0011]]
///
/// Numbers have four decimals unless the stream says otherwise (`std::fixed`, `std::scientific`, `std::setprecision`); of more than 1000
/// elements the ends of long axes are written, and then the shape.
template <class Traits, class Element, Axis... Axes>
  requires std::is_arithmetic_v<Element>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, TensorView<Element, Axes...> const& tensor) {
  return out << detail::tensor_text<std::remove_const_t<Element>>(tensor.data(), tensor.lengths(), tensor.row_stride(),
                                                                  detail::style_of(out));
}

/// Read-only floats: what an operation takes. `View<axes::Tokens, Const<768>>`.
template <Axis... Axes>
using View = TensorView<float const, Axes...>;

}  // namespace axiform
