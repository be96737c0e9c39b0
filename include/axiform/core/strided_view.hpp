/// @file
/// `StridedView`: a tensor's elements without owning them, whatever the order in which they lie: parts, permutations, every second row.
///
///     auto const part = slice<Tokens>(x, 2, 5);          // algebra/views.hpp makes them
///     part(0, 3) = 1;                                    // x(2, 3)
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <type_traits>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/print.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// Elements on the axes `Axes...`, each axis with a stride of its own. Kernels and layers take rows that lie together, so they take no `StridedView`: `copy()` is
/// a tensor.
template <class Element, Axis... Axes>
class StridedView {
 public:
  using element_type = Element;                                 ///< The type of an element, `const` where the view is read-only.
  using ShapeType = Shape<Axes...>;                             ///< The type of the shape.
  static constexpr std::size_t rank = sizeof...(Axes);          ///< The number of axes.
  using Strides = std::array<std::ptrdiff_t, sizeof...(Axes)>;  ///< Elements from one of each axis to the next.

  /// The element of all first indices, and how the others follow.
  StridedView(Element* data, ShapeType const& shape, Strides const& strides) noexcept : data_(data), shape_(shape), strides_(strides) {}
  /// From mutable to const elements.
  template <class Other>
    requires std::same_as<Other const, Element>
  StridedView(StridedView<Other, Axes...> const& other) noexcept : StridedView(other.data(), other.shape(), other.strides()) {}

  Element* data() const noexcept { return data_; }            ///< The element of all first indices.
  ShapeType const& shape() const noexcept { return shape_; }  ///< The lengths of the axes, with their types.
  std::array<std::size_t, rank> const& lengths() const noexcept { return shape_.lengths(); }  ///< The lengths of all axes, outermost first.
  Strides const& strides() const noexcept { return strides_; }  ///< Elements from one of each axis to the next.
  std::size_t size() const noexcept { return shape_.size(); }   ///< The number of elements.

  /// One element.
  /// @throws ArgumentError when an index is not below its axis's length.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  Element& operator()(Indices... indices) const {
    std::array<std::size_t, rank> const index{static_cast<std::size_t>(indices)...};
    std::ptrdiff_t place = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      if (index[i] >= lengths()[i])
        throw ArgumentError("index " + std::to_string(index[i]) + " on axis " + std::to_string(i) + " of a tensor " + shape_.to_string());
      place += static_cast<std::ptrdiff_t>(index[i]) * strides_[i];
    }
    return data_[place];
  }

  /// The elements as a tensor, row by row, on the heap.
  Tensor<std::remove_const_t<Element>, Axes...> copy() const {
    Tensor<std::remove_const_t<Element>, Axes...> result(shape_);
    for (std::size_t i = 0; i < result.size(); ++i) {
      std::size_t rest = i;
      std::ptrdiff_t place = 0;
      for (std::size_t axis = rank; axis-- > 0;) {
        place += static_cast<std::ptrdiff_t>(rest % lengths()[axis]) * strides_[axis];
        rest /= lengths()[axis];
      }
      result.data()[i] = data_[place];
    }
    return result;
  }

 private:
  Element* data_;
  ShapeType shape_;
  Strides strides_;
};

/// Writes the elements, as a tensor of them is written.
template <class Traits, class Element, Axis... Axes>
  requires(std::is_arithmetic_v<Element>)
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, StridedView<Element, Axes...> const& view) {
  return out << view.copy();
}

namespace detail {
template <class T>
inline constexpr bool is_strided = false;
template <class Element, Axis... Axes>
inline constexpr bool is_strided<StridedView<Element, Axes...>> = true;
}  // namespace detail

/// What the algebra of tensors takes: a `Tensor`, a `TensorView` or a `StridedView`.
template <class T>
concept TensorOperand = TensorLike<T> || detail::is_strided<std::remove_cvref_t<T>>;

/// Elements from one of each axis to the next.
template <TensorOperand T>
std::array<std::ptrdiff_t, std::remove_cvref_t<T>::rank> strides_of(T const& x) noexcept {
  if constexpr (detail::is_strided<T>) {
    return x.strides();
  } else {
    constexpr std::size_t rank = T::rank;
    std::array<std::ptrdiff_t, rank> strides{};
    auto step = static_cast<std::ptrdiff_t>(x.row_stride());
    strides[rank - 1] = 1;
    for (std::size_t i = rank - 1; i-- > 0;) {
      strides[i] = step;
      step *= static_cast<std::ptrdiff_t>(x.lengths()[i]);
    }
    return strides;
  }
}

}  // namespace axiform
