/// @file
/// `InlineTensor`: a small tensor that lies where it is declared, on the stack or in a constant.
///
///     struct Rows : Const<2> {};
///     struct Columns : Const<3> {};
///     constexpr InlineTensor<int, Rows, Columns> x{{1, 2, 3}, {4, 5, 6}};
///     static_assert(sum(x) == 21);                       // algebra/reduce.hpp
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <span>
#include <type_traits>

#include <axiform/core/axis.hpp>
#include <axiform/core/nested_list.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/view.hpp>

namespace axiform {

/// Elements on axes whose lengths the type knows. Copies, compares and computes in constant expressions; operations on such tensors alone give such a tensor.
template <class Element, Axis... Axes>
class InlineTensor {
  static_assert((StaticAxis<Axes> && ...), "an InlineTensor lies where it is declared: its type has every length");

 public:
  using element_type = Element;                         ///< The type of an element.
  using ShapeType = Shape<Axes...>;                     ///< The type of the shape.
  static constexpr std::size_t rank = sizeof...(Axes);  ///< The number of axes.
  /// The type of axis `I`.
  template <std::size_t I>
  using AxisAt = typename ShapeType::template AxisAt<I>;

  /// Zeros.
  constexpr InlineTensor() = default;
  /// From elements in nested braces. @throws ShapeError when a list has another length; in a constant, it does not compile.
  constexpr InlineTensor(NestedList<Element, rank> const& list) {
    Element* out = elements_.data();
    detail::read_list<rank>(list, lengths(), out);
  }

  constexpr Element* data() noexcept { return elements_.data(); }              ///< The first element.
  constexpr Element const* data() const noexcept { return elements_.data(); }  ///< The first element.
  constexpr ShapeType shape() const noexcept { return {}; }                    ///< The lengths of the axes, with their types.
  constexpr std::array<std::size_t, rank> lengths() const noexcept {
    return {Axes::length...};
  }                                                                                       ///< The lengths of all axes, outermost first.
  constexpr std::size_t size() const noexcept { return count; }                           ///< The number of elements.
  constexpr std::size_t row_stride() const noexcept { return AxisAt<rank - 1>::length; }  ///< Elements from one row to the next.

  constexpr std::span<Element> elements() & noexcept { return elements_; }             ///< All elements, row by row.
  constexpr std::span<Element const> elements() const& noexcept { return elements_; }  ///< All elements, row by row.
  /// A view of all elements, valid as long as this tensor.
  TensorView<Element, Axes...> view() & noexcept { return {data(), shape()}; }
  /// A read-only view of all elements.
  TensorView<Element const, Axes...> view() const& noexcept { return {data(), shape()}; }
  void view() const&& = delete;  ///< The tensor is a temporary and the view would dangle: give the tensor a name.

  /// One element. @throws ArgumentError when an index is not below its axis's length; in a constant, it does not compile.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  constexpr Element& operator()(Indices... indices) { return elements_[place_of(indices...)]; }
  /// One element.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  constexpr Element const& operator()(Indices... indices) const { return elements_[place_of(indices...)]; }

 private:
  static constexpr std::size_t count = (Axes::length * ...);

  template <class... Indices>
  constexpr std::size_t place_of(Indices... indices) const {
    auto const index = shape().checked(indices...);
    return shape().row_of(index) * row_stride() + index[rank - 1];
  }

  std::array<Element, count> elements_{};
};

namespace detail {
template <class T>
inline constexpr bool is_inline = false;
template <class Element, Axis... Axes>
inline constexpr bool is_inline<InlineTensor<Element, Axes...>> = true;
}  // namespace detail

/// Writes a tensor, as a view of it is written.
template <class Traits, class Element, Axis... Axes>
  requires detail::Writable<Element> std::basic_ostream<char, Traits>
&operator<<(std::basic_ostream<char, Traits>& out, InlineTensor<Element, Axes...> const& tensor) { return out << tensor.view(); }

}  // namespace axiform
