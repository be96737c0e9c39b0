/// @file
/// The gate of a gated feed-forward block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// activation(left half) * right half, of each row (Shazeer 2020, eq. 5 and 6).
///
/// @param x [rows, 2 * Inner].
/// @return  [rows, Inner], in the context's memory.
/// @throws ShapeError when the rows have no two halves, or `Inner` is in the type and is not their length.
template <Axis Inner, FloatTensor X>
Tensor<float, RowAxis<X>, Inner> gate(X const& x, Activation activation, Context& context) {
  auto const view = as_view(x);
  std::size_t const inner = view.columns() / 2;
  if (2 * inner != view.columns()) throw ShapeError("gate: found a tensor " + view.shape().to_string() + ", expected rows of two halves");
  auto result = make_tensor<float>(context, Shape<RowAxis<X>, Inner>::of({view.rows(), inner}));
  for_row_ranges(context.executor(), view.rows(), 4 * view.columns(), [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      float const* const from = view.data() + i * view.row_stride();
      float* const to = result.data() + i * result.row_stride();
      std::copy_n(from, inner, to);
      kernels::activate_rows(activation, to, inner, 1, inner);
      kernels::multiply_row(from + inner, to, inner);
    }
  });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
