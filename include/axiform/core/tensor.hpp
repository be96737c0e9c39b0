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
///
/// What was moved from is empty: its free lengths are 0. Where the type has every length there is no such shape; the tensor then keeps its
/// own, `elements()` is empty, and looking at it in any other way throws ArgumentError.
///
/// Views, rows and spans refer to the tensor's elements, so a tensor that nobody keeps does not give any:
///
///     View<axes::Tokens, Const<768>> y = up(x, context);          // does not compile, y would refer to nothing
///     auto const y = up(x, context);                              // a tensor; y.view(), y.row(0)
///     up(down(x, context), context);                              // an operation looks at it while it lasts
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
  /// Uninitialised, on the heap: for whoever writes every element before any is read.
  static Tensor uninitialised(ShapeType const& shape) { return Tensor(shape, Buffer::uninitialised(bytes_of(shape))); }
  /// Uninitialised, from a pool.
  Tensor(ShapeType const& shape, std::shared_ptr<MemoryPool> pool) : shape_(shape), buffer_(bytes_of(shape), std::move(pool)) {}
  /// Takes over the elements; `other` is empty then.
  Tensor(Tensor&& other) noexcept : shape_(std::exchange(other.shape_, ShapeType::empty())), buffer_(std::move(other.buffer_)) {}
  /// The same; what this tensor had is freed.
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));
    std::swap(shape_, taken.shape_);
    std::swap(buffer_, taken.buffer_);
    return *this;
  }

  /// The first element.
  Element* data() noexcept { return static_cast<Element*>(buffer_.data()); }
  /// The first element.
  Element const* data() const noexcept { return static_cast<Element const*>(buffer_.data()); }
  ShapeType const& shape() const& noexcept { return shape_; }  ///< The lengths of the axes, with their types.
  ShapeType shape() const&& noexcept { return shape_; }        ///< The same, by value, of a tensor that is about to go.
  /// The lengths of all axes, outermost first.
  std::array<std::size_t, rank> const& lengths() const& noexcept { return shape_.lengths(); }
  /// The same, by value, of a tensor that is about to go.
  std::array<std::size_t, rank> lengths() const&& noexcept { return shape_.lengths(); }
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
  TensorView<Element, Axes...> view() & noexcept(can_be_empty) { return check_elements(), TensorView<Element, Axes...>(data(), shape_); }
  /// A read-only view of all elements.
  TensorView<Element const, Axes...> view() const& noexcept(can_be_empty) {
    return check_elements(), TensorView<Element const, Axes...>(data(), shape_);
  }
  void view() const&& = delete;  ///< The tensor is a temporary and the view would dangle: give the tensor a name.
  /// Converts wherever a view does: from lengths that the type knows to free ones, never back.
  template <class Other, Axis... OtherAxes>
    requires std::is_constructible_v<TensorView<Other, OtherAxes...>, TensorView<Element, Axes...>>
  operator TensorView<Other, OtherAxes...>() & noexcept(can_be_empty) {
    return view();
  }
  /// The same, read-only.
  template <class Other, Axis... OtherAxes>
    requires std::is_constructible_v<TensorView<Other, OtherAxes...>, TensorView<Element const, Axes...>>
  operator TensorView<Other, OtherAxes...>() const& noexcept(can_be_empty) {
    return view();
  }
  template <class Other, Axis... OtherAxes>
  operator TensorView<Other, OtherAxes...>() const&& =
      delete;  ///< The tensor is a temporary and the view would dangle: give the tensor a name.

  std::span<Element> elements() & noexcept { return {data(), held()}; }             ///< All elements, row by row.
  std::span<Element const> elements() const& noexcept { return {data(), held()}; }  ///< All elements, row by row.
  void elements() const&& = delete;  ///< The tensor is a temporary and the span would dangle: give the tensor a name.
  std::span<Element> row(std::size_t index) & { return view().row(index); }             ///< Row `index`, as `TensorView::row`.
  std::span<Element const> row(std::size_t index) const& { return view().row(index); }  ///< Row `index`, as `TensorView::row`.
  void row(std::size_t index) const&& = delete;  ///< The tensor is a temporary and the row would dangle: give the tensor a name.
  /// One element, as `TensorView::operator()`.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  Element& operator()(Indices... indices) & { return data()[place_of(indices...)]; }
  /// One element, as `TensorView::operator()`.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  Element const& operator()(Indices... indices) const& { return data()[place_of(indices...)]; }
  /// The same, by value, of a tensor that is about to go: `cos_sim(x, y)(0, 1)`.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  Element operator()(Indices... indices) const&& { return data()[place_of(indices...)]; }

  /// The same elements on axes of the same lengths, moved: what `relabel` and `fix` give for a temporary.
  /// @throws ShapeError when a length is not the one that the new axis has.
  template <Axis... NewAxes>
    requires(sizeof...(NewAxes) == rank)
  Tensor<Element, NewAxes...> with_axes() && {
    auto const shape = Shape<NewAxes...>::of(lengths());
    shape_ = ShapeType::empty();
    return {shape, std::move(buffer_)};
  }

  /// A copy on the heap.
  Tensor copy() const {
    Tensor result = uninitialised(shape_);
    std::copy_n(view().data(), size(), result.data());
    return result;
  }

 private:
  template <class, Axis...>
  friend class Tensor;
  static constexpr bool can_be_empty = ShapeType::dynamic_rank != 0;

  Tensor(ShapeType const& shape, Buffer buffer) noexcept : shape_(shape), buffer_(std::move(buffer)) {}

  // Where the element of an index lies.
  template <class... Indices>
  std::size_t place_of(Indices... indices) const {
    check_elements();
    auto const index = shape_.checked(indices...);
    return shape_.row_of(index) * columns() + index[rank - 1];
  }
  // The number of elements in memory: none in what was moved from.
  std::size_t held() const noexcept { return buffer_.data() ? size() : 0; }
  void check_elements() const noexcept(can_be_empty) {
    if constexpr (!can_be_empty) {
      if constexpr ((Axes::length * ...) != 0)
        if (buffer_.data() == nullptr) refuse_moved_from();
    }
  }
  [[noreturn, gnu::noinline, gnu::cold]] void refuse_moved_from() const {
    throw ArgumentError("a tensor of shape " + shape_.to_string() + " was moved from: it has no elements");
  }
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

template <class T>
inline constexpr bool is_owner = false;
template <class Element, Axis... Axes>
inline constexpr bool is_owner<Tensor<Element, Axes...>> = true;

// A variable, as `fits_axis` is: when it is false, compilers print the type of the elements.
template <class Element>
inline constexpr bool is_float = std::is_same_v<Element, float> || std::is_same_v<Element, float const>;
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

/// A tensor or a view of floats: what operations take. Its failure names the type of the elements.
template <class T>
concept FloatTensor = TensorLike<T> && detail::is_float<typename std::remove_cvref_t<T>::element_type>;

/// A tensor whose last axis may be used as `A`. Its failure names both sides: the tensor, and the axis that was asked for.
template <class T, class A>
concept LastAxisIs = TensorLike<T> && FitsAxis<LastAxis<T>, A>;

/// A tensor of rows of floats, [rows, A].
template <class T, class A>
concept RowsOf = LastAxisIs<T, A> && FloatTensor<T> && std::remove_cvref_t<T>::rank == 2;

/// A tensor or a view that a `View<Axes...>` can be made of: what a function takes that looks at its argument, be it a temporary.
template <class T, class... Axes>
concept ViewableAs = TensorLike<T> && std::convertible_to<std::remove_cvref_t<T> const&, View<Axes...>>;

/// Writes a tensor, as a view of it is written.
template <class Traits, class Element, Axis... Axes>
  requires detail::Writable<Element> std::basic_ostream<char, Traits>
&operator<<(std::basic_ostream<char, Traits>& out, Tensor<Element, Axes...> const& tensor) { return out << tensor.view(); }

/// A read-only view of a tensor or a view.
template <class Element, Axis... Axes>
TensorView<Element const, Axes...> as_view(Tensor<Element, Axes...> const& tensor) noexcept(noexcept(tensor.view())) {
  return tensor.view();
}
template <class Element, Axis... Axes>
void as_view(Tensor<Element, Axes...> const&&) = delete;  ///< The tensor is a temporary and the view would dangle: give the tensor a name.
/// The same of a view.
template <class Element, Axis... Axes>
TensorView<Element const, Axes...> as_view(TensorView<Element, Axes...> view) noexcept {
  return view;
}

namespace detail {
template <class From, class To, class A>
using Relabelled = std::conditional_t<std::is_same_v<A, From>, To, A>;

template <class... NewAxes, class Element, Axis... Axes>
auto with_axes(TensorView<Element, Axes...> view) {
  using Result = TensorView<Element, NewAxes...>;
  return Result(view.data(), Result::ShapeType::of(view.lengths()), view.row_stride());
}
template <class... NewAxes, class Element, Axis... Axes>
auto with_axes(Tensor<Element, Axes...>&& tensor) {
  return std::move(tensor).template with_axes<NewAxes...>();
}
// A view where `tensor` has an owner that stays, the tensor itself where it is a temporary.
template <class T>
decltype(auto) view_or_owner(T&& tensor) {
  if constexpr (is_owner<T>) {
    return std::move(tensor);
  } else {
    return as_view(std::forward<T>(tensor));
  }
}

// From a free length to one that the type knows takes `fix`.
template <class From, class To>
constexpr bool relabels() {
  if constexpr (StaticAxis<From> && StaticAxis<To>) {
    return From::length == To::length;
  } else {
    return !StaticAxis<To>;
  }
}
template <class From, class To>
inline constexpr bool can_relabel = relabels<From, To>();

template <class From, class To, class T, template <class, class...> class Kind, class Element, class... Axes>
auto relabelled(T&& tensor, Kind<Element, Axes...> const*) {
  static_assert((std::is_same_v<Axes, From> || ...), "the tensor has no axis of the name to replace");
  return with_axes<Relabelled<From, To, Axes>...>(view_or_owner(std::forward<T>(tensor)));
}
}  // namespace detail

/// The same elements with the axis `From` called `To`: `relabel<axes::Tokens, axes::Queries>(x)`. A view of `x`; a temporary is moved into the
/// result. Neither length changes: of two that the types know, both are the same.
template <Axis From, Axis To, TensorLike T>
  requires detail::can_relabel<From, To>
auto relabel(T&& tensor) {
  return detail::relabelled<From, To>(std::forward<T>(tensor), static_cast<std::remove_cvref_t<T>*>(nullptr));
}

/// The same elements with the axes `NewAxes...`: the explicit way from free lengths to lengths in the type. A view; a temporary is moved into
/// the result.
/// @throws ShapeError when a length is not the one that the new axis has.
template <Axis... NewAxes, TensorLike T>
  requires(sizeof...(NewAxes) == std::remove_cvref_t<T>::rank)
auto fix(T&& tensor) {
  return detail::with_axes<NewAxes...>(detail::view_or_owner(std::forward<T>(tensor)));
}

}  // namespace axiform
