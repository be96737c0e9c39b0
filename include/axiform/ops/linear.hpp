/// @file
/// Products with a packed weight matrix, with what may be fused behind them: `gelu`, `activate(kind)`, `add_residual(residual)`.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/core/activation.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/ops/bfloat16_rows.hpp>
#include <axiform/ops/packed_matrix.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Epilogue: a residual, added last. `T` is a view; a tensor where the residual was a temporary, which it keeps.
template <FloatTensor T>
struct ResidualEpilogue {
  T residual;  ///< What is added.
};
/// The residual `tensor`, [rows, columns] of the result.
template <FloatTensor T>
  requires(std::remove_cvref_t<T>::rank == 2)
auto add_residual(T&& tensor) {
  using Held = std::remove_cvref_t<decltype(axiform::detail::view_or_owner(std::forward<T>(tensor)))>;
  return ResidualEpilogue<Held>{axiform::detail::view_or_owner(std::forward<T>(tensor))};
}

namespace internal {

// A variable, as `fits_axis` is: when it is false, compilers print the residual's axes and those of the result.
template <class E, class Rows, class Columns>
inline constexpr bool is_epilogue_of = false;
template <class Rows, class Columns>
inline constexpr bool is_epilogue_of<ActivationEpilogue, Rows, Columns> = true;
template <Activation Kind, class Rows, class Columns>
inline constexpr bool is_epilogue_of<ActivationFunction<Kind>, Rows, Columns> = true;
template <class T, class Rows, class Columns>
inline constexpr bool is_epilogue_of<ResidualEpilogue<T>, Rows, Columns> = FitsAxis<RowAxis<T>, Rows> && FitsAxis<LastAxis<T>, Columns>;

}  // namespace internal

/// What may follow a product whose result is [Rows, Columns]: an activation, or a residual on these axes.
template <class E, class Rows, class Columns>
concept EpilogueOf = internal::is_epilogue_of<E, Rows, Columns>;

namespace internal {

inline void apply(kernels::Epilogue& epilogue, ActivationEpilogue activation, std::size_t, std::size_t) {
  epilogue.activation = activation.activation;
}

template <class T>
void apply(kernels::Epilogue& epilogue, ResidualEpilogue<T> const& added, std::size_t rows, std::size_t columns) {
  if (added.residual.rows() != rows || added.residual.columns() != columns)
    throw ShapeError("add_residual: found " + added.residual.shape().to_string() + ", expected [" + std::to_string(rows) + ", " +
                     std::to_string(columns) + "]");
  epilogue.residual = added.residual.data();
  epilogue.residual_stride = added.residual.row_stride();
}

// The rows of a product: floats, and scratch memory for what the product makes of them; or no floats, and scratch memory where that is already.
struct ProductRows {
  std::size_t count;
  float const* floats;
  std::size_t stride;
  void* scratch;
};
// Where its results go.
struct ProductTarget {
  float* floats;
  std::size_t stride;
  void* rounded = nullptr;  // instead
};

template <class... Epilogues>
void multiply(ProductRows const& rows, PackedMatrix const& weight, float const* bias, ProductTarget const& target, Context& context,
              Epilogues const&... epilogues) {
  kernels::Epilogue epilogue{.bias = bias, .rounded = static_cast<std::byte*>(target.rounded)};
  (apply(epilogue, epilogues, rows.count, weight.outputs()), ...);
  kernels::gemm(rows.count, weight.outputs(), weight.inputs(), rows.floats, rows.stride, weight.panels(), target.floats, target.stride,
                epilogue, context.executor(), static_cast<std::byte*>(rows.scratch));
}

inline Buffer product_scratch(PackedMatrix const& weight, std::size_t rows, Context& context) {
  std::size_t const bytes = kernels::gemm_scratch_bytes(weight.format(), rows, weight.inputs());
  return bytes == 0 ? Buffer() : Buffer(bytes, context.memory());
}

template <Axis In, Axis Out, Axis Rows, Axis Columns>
void check_inputs(Shape<Rows, Columns> const& shape, PackedMatrix const& weight) {
  if (shape.lengths()[1] != weight.inputs())
    throw ShapeError("Linear<" + axis_name<In>() + ", " + axis_name<Out>() + ">: found a tensor " + shape.to_string() + ", expected [" +
                     axis_name<Rows>() + ", " + std::to_string(weight.inputs()) + "]");
}
inline void check_rounds(PackedMatrix const& weight) {
  if (!can_round_results(weight.format()))
    throw ArgumentError("Linear: found rounded rows and weights in " + std::string(name_of(weight.format())) +
                        ", expected bf16 and products by tiles");
}

}  // namespace internal

/// x * weightᵀ + bias, then the epilogues: the activation, then the residual.
///
/// @param x      [rows, In].
/// @param weight [Out, In], packed.
/// @param bias   [Out], or null.
/// @return       [rows, Out], in the context's memory.
/// @throws ShapeError when a dynamic length differs from the weight's.
template <Axis In, Axis Out, RowsOf<In> X, EpilogueOf<RowAxis<X>, Out>... Epilogues>
Tensor<float, RowAxis<X>, Out> linear(X const& x, PackedMatrix const& weight, float const* bias, Context& context,
                                      Epilogues const&... epilogues) {
  auto const view = as_view(x);
  internal::check_inputs<In, Out>(view.shape(), weight);
  auto result = make_tensor<float>(context, Shape<RowAxis<X>, Out>::of({view.rows(), weight.outputs()}));
  Buffer const scratch = internal::product_scratch(weight, view.rows(), context);
  internal::multiply({view.rows(), view.data(), view.row_stride(), scratch.data()}, weight, bias, {result.data(), result.row_stride()},
                     context, epilogues...);
  return result;
}

/// The same of rows that a product has rounded.
/// @throws As that, and ArgumentError where `can_round_results` does not hold of the weights' format.
template <Axis In, Axis Out, Axis Rows, EpilogueOf<Rows, Out>... Epilogues>
Tensor<float, Rows, Out> linear(Bfloat16Rows<Rows, In> const& x, PackedMatrix const& weight, float const* bias, Context& context,
                                Epilogues const&... epilogues) {
  internal::check_inputs<In, Out>(x.shape(), weight);
  internal::check_rounds(weight);
  auto result = make_tensor<float>(context, Shape<Rows, Out>::of({x.rows(), weight.outputs()}));
  internal::multiply({x.rows(), nullptr, 0, x.memory()}, weight, bias, {result.data(), result.row_stride()}, context, epilogues...);
  return result;
}

/// activation(x * weightᵀ + bias), rounded for a product with weights of the same format, which has the bits that it would have of `linear`'s floats.
/// @throws As that, and ArgumentError where `can_round_results` does not hold of the weights' format.
template <Axis In, Axis Out, RowsOf<In> X>
Bfloat16Rows<RowAxis<X>, Out> rounded_linear(X const& x, PackedMatrix const& weight, float const* bias, Context& context,
                                             ActivationEpilogue activation = {}) {
  auto const view = as_view(x);
  internal::check_inputs<In, Out>(view.shape(), weight);
  internal::check_rounds(weight);
  Bfloat16Rows<RowAxis<X>, Out> result(Shape<RowAxis<X>, Out>::of({view.rows(), weight.outputs()}), context);
  Buffer const scratch = internal::product_scratch(weight, view.rows(), context);
  internal::multiply({view.rows(), view.data(), view.row_stride(), scratch.data()}, weight, bias, {nullptr, 0, result.memory()}, context,
                     activation);
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
