/// @file
/// `Tensor`: elements with their axes in the type, owned; and the concepts by which operations constrain their operands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <axiform/core/memory.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/view.hpp>

namespace axiform {

/// Owns elements on the axes `Axes...`, row-major and without gaps. Moves; `copy` is explicit.
///
///     Tensor<float, axes::Tokens, Const<768>> hidden_states(5);   // [5, 768], zeros, on the heap
///     hidden_states(0, 3) = 1.0f;
template <class Element, Axis... Axes>
class Tensor {
  static_assert(std::is_trivially_copyable_v<Element> && !std::is_const_v<Element>);

 public:
  using element_type = Element;                         ///< The type of an element.
  using ShapeType = Shape<Axes...>;                     ///< The type of the shape.
  static constexpr std::size_t rank = sizeof...(Axes);  ///< The number of axes.
  /// The type of axis `I`.
  template <std::size_t I>
  using AxisAt = typename ShapeType::template AxisAt<I>;

  /// Zeros, on the heap, given the lengths of the dynamic axes in order.
  template <std::convertible_to<std::size_t>... Lengths>
    requires(sizeof...(Lengths) == ShapeType::dynamic_rank)
  explicit Tensor(Lengths... dynamic_lengths) : Tensor(ShapeType(dynamic_lengths...)) {}
  /// Zeros, on the heap.
  explicit Tensor(ShapeType const& shape) : shape_(shape), buffer_(bytes_of(shape)) {}
  /// Uninitialised, from a pool.
  Tensor(ShapeType const& shape, std::shared_ptr<MemoryPool> pool) : shape_(shape), buffer_(bytes_of(shape), std::move(pool)) {}

  /// The first element.
  Element* data() noexcept { return static_cast<Element*>(buffer_.data()); }
  /// The first element.
  Element const* data() const noexcept { return static_cast<Element const*>(buffer_.data()); }
  ShapeType const& shape() const noexcept { return shape_; }  ///< The lengths of the axes, with their types.
  /// The lengths of all axes, outermost first.
  std::array<std::size_t, rank> const& lengths() const noexcept { return shape_.lengths(); }
  /// The length of axis `I`.
  template <std::size_t I>
  constexpr std::size_t length() const noexcept {
    return shape_.template length<I>();
  }
  std::size_t rows() const noexcept { return shape_.rows(); }           ///< The product of all lengths but the last.
  std::size_t columns() const noexcept { return shape_.columns(); }     ///< The length of the last axis.
  std::size_t size() const noexcept { return shape_.size(); }           ///< The number of elements.
  std::size_t row_stride() const noexcept { return shape_.columns(); }  ///< Elements from one row to the next: `columns()`.

  /// A view of all elements, valid as long as this tensor.
  TensorView<Element, Axes...> view() noexcept { return {data(), shape_}; }
  /// A read-only view of all elements.
  TensorView<Element const, Axes...> view() const noexcept { return {data(), shape_}; }
  /// Converts wherever a view does: from lengths that the type knows to free ones, never back.
  template <class Other, Axis... OtherAxes>
    requires std::is_constructible_v<TensorView<Other, OtherAxes...>, TensorView<Element, Axes...>>
  operator TensorView<Other, OtherAxes...>() noexcept {
    return view();
  }
  /// The same, read-only.
  template <class Other, Axis... OtherAxes>
    requires std::is_constructible_v<TensorView<Other, OtherAxes...>, TensorView<Element const, Axes...>>
  operator TensorView<Other, OtherAxes...>() const noexcept {
    return view();
  }

  std::span<Element> elements() noexcept { return {data(), size()}; }                  ///< All elements, row by row.
  std::span<Element const> elements() const noexcept { return {data(), size()}; }      ///< All elements, row by row.
  std::span<Element> row(std::size_t index) { return view().row(index); }              ///< Row `index`, as `TensorView::row`.
  std::span<Element const> row(std::size_t index) const { return view().row(index); }  ///< Row `index`, as `TensorView::row`.
  /// One element, as `TensorView::operator()`.
  template <class... Indices>
  Element& operator()(Indices... indices) {
    return view()(indices...);
  }
  /// One element, as `TensorView::operator()`.
  template <class... Indices>
  Element const& operator()(Indices... indices) const {
    return view()(indices...);
  }

  /// A copy on the heap.
  Tensor copy() const {
    Tensor result(shape_);
    std::copy_n(data(), size(), result.data());
    return result;
  }

 private:
  static std::size_t bytes_of(ShapeType const& shape) {
    std::size_t bytes = sizeof(Element);
    for (std::size_t length : shape.lengths())
      if (__builtin_mul_overflow(bytes, length, &bytes)) throw ShapeError("a tensor of shape " + shape.to_string() + " is too large");
    return bytes;
  }

  ShapeType shape_;
  Buffer buffer_;
};

namespace detail {
template <class T>
inline constexpr bool is_tensor = false;
template <class Element, Axis... Axes>
inline constexpr bool is_tensor<Tensor<Element, Axes...>> = true;
template <class Element, Axis... Axes>
inline constexpr bool is_tensor<TensorView<Element, Axes...>> = true;
}  // namespace detail

/// A `Tensor` or a `TensorView`.
template <class T>
concept TensorLike = detail::is_tensor<std::remove_cvref_t<T>>;

/// The last axis of a tensor.
template <TensorLike T>
using LastAxis = typename std::remove_cvref_t<T>::template AxisAt<std::remove_cvref_t<T>::rank - 1>;

/// The first axis of a tensor.
template <TensorLike T>
using RowAxis = typename std::remove_cvref_t<T>::template AxisAt<0>;

/// A tensor whose last axis may be used as `A`. Its failure names both sides: the tensor, and the axis that was asked for.
template <class T, class A>
concept LastAxisIs = TensorLike<T> && FitsAxis<LastAxis<T>, A>;

/// A tensor of rows, [rows, A].
template <class T, class A>
concept RowsOf = LastAxisIs<T, A> && std::remove_cvref_t<T>::rank == 2;

/// A read-only view of a tensor or a view.
template <class Element, Axis... Axes>
TensorView<Element const, Axes...> as_view(Tensor<Element, Axes...> const& tensor) noexcept {
  return tensor.view();
}
/// The same of a view.
template <class Element, Axis... Axes>
TensorView<Element const, Axes...> as_view(TensorView<Element, Axes...> view) noexcept {
  return view;
}

namespace detail {
template <class From, class To, class A>
using Relabelled = std::conditional_t<std::is_same_v<A, From>, To, A>;

template <class From, class To, class Element, Axis... Axes>
auto relabelled(TensorView<Element, Axes...> view) {
  static_assert((std::is_same_v<Axes, From> || ...), "the tensor has no axis of the name to replace");
  using Result = TensorView<Element, Relabelled<From, To, Axes>...>;
  return Result(view.data(), Result::ShapeType::of(view.lengths()), view.row_stride());
}
template <class... NewAxes, class Element, Axis... Axes>
auto fixed(TensorView<Element, Axes...> view) {
  using Result = TensorView<Element, NewAxes...>;
  return Result(view.data(), Result::ShapeType::of(view.lengths()), view.row_stride());
}
}  // namespace detail

/// The same elements with the dynamic axis `From` called `To`: `relabel<axes::Tokens, axes::Queries>(x)`.
template <Axis From, Axis To, TensorLike T>
  requires(!StaticAxis<From> && !StaticAxis<To>)
auto relabel(T const& tensor) {
  return detail::relabelled<From, To>(as_view(tensor));
}

/// The same elements with the axes `NewAxes...`: the explicit way from free lengths to lengths in the type.
/// @throws ShapeError when a length is not the one that the new axis has.
template <Axis... NewAxes, TensorLike T>
  requires(sizeof...(NewAxes) == std::remove_cvref_t<T>::rank)
auto fix(T const& tensor) {
  return detail::fixed<NewAxes...>(as_view(tensor));
}

}  // namespace axiform
