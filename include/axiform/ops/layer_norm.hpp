/// @file
/// Layer normalisation of rows.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/layer_norm.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// `bias` may be null.
template <Axis Columns, RowsOf<Columns> X>
Tensor<float, RowAxis<X>, Columns> normalize_rows(X const& x, View<Columns> weight, float const* bias, float epsilon, Context& context) {
  auto const view = as_view(x);
  if (view.columns() != weight.size())
    throw ShapeError("LayerNorm<" + axis_name<Columns>() + ">: found a tensor " + view.shape().to_string() + ", expected rows of " +
                     std::to_string(weight.size()));
  auto result = make_tensor<float>(context, Shape<RowAxis<X>, Columns>::of({view.rows(), view.columns()}));
  for_row_ranges(context.executor(), view.rows(), view.columns(), [&](std::size_t first, std::size_t last) {
    kernels::layer_norm(view.data() + first * view.row_stride(), view.row_stride(), weight.data(), bias, epsilon,
                        result.data() + first * result.row_stride(), result.row_stride(), last - first, view.columns());
  });
  return result;
}

}  // namespace internal

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, over each row (Ba et al. 2016; the variance is that of the population).
///
/// @param x           [rows, Columns].
/// @param weight,bias [Columns].
/// @return            [rows, Columns], in the context's memory.
/// @throws ShapeError when the lengths differ.
template <Axis Columns, RowsOf<Columns> X>
Tensor<float, RowAxis<X>, Columns> layer_norm(X const& x, View<Columns> weight, View<Columns> bias, float epsilon, Context& context) {
  if (weight.size() != bias.size())
    throw ShapeError("LayerNorm<" + axis_name<Columns>() + ">: found " + std::to_string(weight.size()) + " weights and " +
                     std::to_string(bias.size()) + " biases, expected as many");
  return internal::normalize_rows<Columns>(x, weight, bias.data(), epsilon, context);
}

/// The same without a bias.
template <Axis Columns, RowsOf<Columns> X>
Tensor<float, RowAxis<X>, Columns> layer_norm(X const& x, View<Columns> weight, float epsilon, Context& context) {
  return internal::normalize_rows<Columns>(x, weight, nullptr, epsilon, context);
}

}  // namespace axiform::inline AXIFORM_ARCH
