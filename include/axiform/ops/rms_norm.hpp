/// @file
/// Root-mean-square normalisation of rows.
#pragma once

#include <cstddef>
#include <string>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/rms_norm.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// x / sqrt(mean(x^2) + epsilon) * weight, over each row (Zhang and Sennrich 2019; LlamaRMSNorm of transformers).
///
/// @param x      [rows, Columns].
/// @param weight [Columns].
/// @return       [rows, Columns], in the context's memory.
/// @throws ShapeError when the lengths differ.
template <Axis Columns, RowsOf<Columns> X>
Tensor<float, RowAxis<X>, Columns> rms_norm(X const& x, View<Columns> weight, float epsilon, Context& context) {
  auto const view = as_view(x);
  if (view.columns() != weight.size())
    throw ShapeError("RmsNorm<" + axis_name<Columns>() + ">: found a tensor " + view.shape().to_string() + ", expected rows of " +
                     std::to_string(weight.size()));
  auto result = make_tensor<float>(context, Shape<RowAxis<X>, Columns>::of({view.rows(), view.columns()}));
  for_row_ranges(context.executor(), view.rows(), view.columns(), [&](std::size_t first, std::size_t last) {
    kernels::rms_norm(view.data() + first * view.row_stride(), view.row_stride(), weight.data(), epsilon,
                      result.data() + first * result.row_stride(), result.row_stride(), last - first, view.columns());
  });
  return result;
}

/// The same of each head of rows of heads, in place: queries and keys before attention (Qwen3's `q_norm` and `k_norm`).
///
/// @param x      [rows, Width], heads of `weight.size()` columns side by side.
/// @param weight [HeadSize].
/// @throws ShapeError when the heads do not fill the rows.
template <Axis Rows, Axis Width, Axis HeadSize>
void rms_norm_heads(TensorView<float, Rows, Width> x, View<HeadSize> weight, float epsilon, Context& context) {
  std::size_t const size = weight.size();
  if (size == 0 || x.columns() % size != 0)
    throw ShapeError("rms_norm_heads: found a tensor " + x.shape().to_string() + ", expected rows of heads of " + std::to_string(size));
  for_row_ranges(context.executor(), x.rows(), x.columns(), [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) {
      float* const heads = x.data() + row * x.row_stride();
      kernels::rms_norm(heads, size, weight.data(), epsilon, heads, size, x.columns() / size, size);
    }
  });
}

}  // namespace axiform::inline AXIFORM_ARCH
