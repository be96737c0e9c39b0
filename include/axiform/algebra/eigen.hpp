/// @file
/// Tensors beside Eigen's matrices, without a copy. Where Eigen is not among the compiler's headers, this header is empty.
///
///     auto matrix = to_eigen(x);                                    // an Eigen::Map: matrix.transpose() * matrix
///     auto const y = view_of_eigen<Rows, Columns>(matrix);          // a StridedView
#pragma once

#if __has_include(<Eigen/Core>)

#include <Eigen/Core>
#include <cstddef>
#include <type_traits>

#include <axiform/algebra/views.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/strided_view.hpp>

namespace axiform {

namespace detail {
template <class Element, int Rows, int Columns>
using EigenMatrix =
    std::conditional_t<std::is_const_v<Element>,
                       Eigen::Matrix<std::remove_const_t<Element>, Rows, Columns, Rows == 1 ? Eigen::RowMajor : Eigen::ColMajor> const,
                       Eigen::Matrix<Element, Rows, Columns, Rows == 1 ? Eigen::RowMajor : Eigen::ColMajor>>;
}  // namespace detail

/// A map of a tensor of one axis, a column, or of two, a matrix. The tensor stays.
template <class X>
  requires(detail::Viewable<X&&>&& AxesOf<X>::size <= 2)
auto to_eigen(X&& x) {
  using Element = detail::ElementSeen<X>;
  auto const strides = strides_of(x);
  auto* const data = detail::first_element(x);
  auto const rows = static_cast<Eigen::Index>(x.lengths()[0]);
  if constexpr (AxesOf<X>::size == 1) {
    using Strides = Eigen::InnerStride<>;
    return Eigen::Map<detail::EigenMatrix<Element, Eigen::Dynamic, 1>, Eigen::Unaligned, Strides>(data, rows, Strides(strides[0]));
  } else {
    using Strides =
        Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;  // of a matrix by columns: from one column to the next, and from one row to the next
    return Eigen::Map<detail::EigenMatrix<Element, Eigen::Dynamic, Eigen::Dynamic>, Eigen::Unaligned, Strides>(
        data, rows, static_cast<Eigen::Index>(x.lengths()[1]), Strides(strides[1], strides[0]));
  }
}

/// The elements of a matrix, map or block of Eigen's on two named axes, or of a column or a row of its on one. It stays.
/// @throws ShapeError when an axis has another length.
template <Axis... Axes, class M>
  requires(sizeof...(Axes) == 1 || sizeof...(Axes) == 2)
auto view_of_eigen(M&& matrix) {
  using Kind = std::remove_cvref_t<M>;
  static_assert(std::is_lvalue_reference_v<M> || !std::is_base_of_v<Eigen::PlainObjectBase<Kind>, Kind>,
                "the matrix is a temporary: give it a name");
  using View = StridedView<std::remove_pointer_t<decltype(matrix.data())>, Axes...>;
  auto const rows = static_cast<std::size_t>(matrix.rows()), columns = static_cast<std::size_t>(matrix.cols());
  if constexpr (sizeof...(Axes) == 1) {
    static_assert(Kind::IsVectorAtCompileTime, "a matrix has two axes");
    return View(matrix.data(), View::ShapeType::of({rows * columns}), {static_cast<std::ptrdiff_t>(matrix.innerStride())});
  } else {
    auto const inner = static_cast<std::ptrdiff_t>(matrix.innerStride()), outer = static_cast<std::ptrdiff_t>(matrix.outerStride());
    return View(matrix.data(), View::ShapeType::of({rows, columns}), {Kind::IsRowMajor ? outer : inner, Kind::IsRowMajor ? inner : outer});
  }
}

}  // namespace axiform

#endif
