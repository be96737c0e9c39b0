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
#include <iterator>
#include <type_traits>

#include <axiform/core/axis.hpp>
#include <axiform/core/inline_tensor.hpp>
#include <axiform/core/print.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// Elements on the axes `Axes...`, each axis with a stride of its own. Kernels and layers take rows that lie together, so they take no `StridedView`: `dense(view)`
/// is a tensor (algebra/dense.hpp).
template <class Element, Axis... Axes>
class StridedView {
 public:
  using element_type = Element;                                 ///< The type of an element, `const` where the view is read-only.
  using ShapeType = Shape<Axes...>;                             ///< The type of the shape.
  static constexpr std::size_t rank = sizeof...(Axes);          ///< The number of axes.
  using Strides = std::array<std::ptrdiff_t, sizeof...(Axes)>;  ///< Elements from one of each axis to the next.

  /// The element of all first indices, and how the others follow.
  StridedView(Element* data, ShapeType const& shape, Strides const& strides) noexcept : data_(data), shape_(shape), strides_(strides) {}
  StridedView(StridedView const&) = default;  ///< Looks at the same elements.
  StridedView& operator=(StridedView const&) & =
      default;  ///< Looks at other elements; a view that nobody keeps does not: `assign` writes through it.
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
    auto const index = shape_.checked(indices...);
    std::ptrdiff_t place = 0;
    for (std::size_t i = 0; i < rank; ++i) place += static_cast<std::ptrdiff_t>(index[i]) * strides_[i];
    return data_[place];
  }

  /// Goes through the elements, row by row.
  class Iterator {
   public:
    using value_type = std::remove_const_t<Element>;  ///< Of an element.
    using difference_type = std::ptrdiff_t;           ///< Between two places.

    Iterator() = default;
    /// At element `done` of the view: the first, or the end.
    Iterator(StridedView const& view, std::size_t done) noexcept
        : at_(view.data()), lengths_(view.lengths()), strides_(view.strides()), done_(done) {}

    Element& operator*() const noexcept { return *at_; }  ///< The element.
    /// To the next.
    Iterator& operator++() noexcept {
      ++done_;
      for (std::size_t axis = rank; axis-- > 0;) {
        at_ += strides_[axis];
        if (++index_[axis] != lengths_[axis]) break;
        at_ -= strides_[axis] * static_cast<std::ptrdiff_t>(lengths_[axis]);
        index_[axis] = 0;
      }
      return *this;
    }
    /// To the next; what it was.
    Iterator operator++(int) noexcept {
      Iterator const before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(Iterator const& a, Iterator const& b) noexcept {
      return a.done_ == b.done_;
    }  ///< At the same element of one view.

   private:
    Element* at_ = nullptr;
    std::array<std::size_t, rank> lengths_{}, index_{};
    Strides strides_{};
    std::size_t done_ = 0;
  };
  Iterator begin() const noexcept { return {*this, 0}; }     ///< At the first element.
  Iterator end() const noexcept { return {*this, size()}; }  ///< Behind the last.

 private:
  Element* data_;
  ShapeType shape_;
  Strides strides_;
};

/// Writes the elements, as a tensor of them is written.
template <class Traits, class Element, Axis... Axes>
  requires detail::Writable<Element> std::basic_ostream<char, Traits>
&operator<<(std::basic_ostream<char, Traits>& out, StridedView<Element, Axes...> const& view) {
  return out << detail::tensor_text<std::remove_const_t<Element>>(view.data(), view.lengths(), view.strides(), detail::style_of(out))
             << view.shape().to_string_with_names();
}

namespace detail {
template <class T>
inline constexpr bool is_strided = false;
template <class Element, Axis... Axes>
inline constexpr bool is_strided<StridedView<Element, Axes...>> = true;
template <class Element, Axis... Axes>
inline constexpr bool is_owner<InlineTensor<Element, Axes...>> = true;
}  // namespace detail

/// The same view with the axis `From` called `To`, as of a tensor.
template <Axis From, Axis To, class Element, Axis... Axes>
  requires(detail::can_relabel<From, To>)
auto relabel(StridedView<Element, Axes...> const& view) {
  static_assert((std::is_same_v<Axes, From> || ...), "the tensor has no axis of the name to replace");
  using Result = StridedView<Element, detail::Relabelled<From, To, Axes>...>;
  return Result(view.data(), Result::ShapeType::of(view.lengths()), view.strides());
}

/// The same view with the axes `NewAxes...`, as of a tensor. @throws ShapeError when a length is not the one that the new axis has.
template <Axis... NewAxes, class Element, Axis... Axes>
  requires(sizeof...(NewAxes) == sizeof...(Axes))
auto fix(StridedView<Element, Axes...> const& view) {
  using Result = StridedView<Element, NewAxes...>;
  return Result(view.data(), Result::ShapeType::of(view.lengths()), view.strides());
}

/// What the algebra of tensors takes: a `Tensor`, a `TensorView`, a `StridedView` or an `InlineTensor`.
template <class T>
concept TensorOperand = TensorLike<T> || detail::is_strided<std::remove_cvref_t<T>> || detail::is_inline<std::remove_cvref_t<T>>;

/// Elements from one of each axis to the next.
template <TensorOperand T>
constexpr std::array<std::ptrdiff_t, std::remove_cvref_t<T>::rank> strides_of(T const& x) noexcept {
  if constexpr (detail::is_strided<T>) {
    return x.strides();
  } else {
    return detail::row_major_strides(x.lengths(), x.row_stride());
  }
}

}  // namespace axiform
