#include <cmath>
#include <iostream>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/ops/rows.hpp>
#include <axiform/simd/batch.hpp>

namespace axiform::inline AXIFORM_ARCH::kernels {

/// x / sqrt(mean(x²) + epsilon) * weight, over each row (Zhang and Sennrich 2019, eq. 4). Nothing beyond `columns` is touched.
///
/// @param x,target [rows, columns], strides in floats from one row to the next.
/// @param weight   [columns].
inline void rms_norm(float const* x, std::size_t x_stride, float const* weight, float epsilon, float* target, std::size_t target_stride,
                     std::size_t rows, std::size_t columns) noexcept {
  std::size_t const whole = columns / simd::lanes * simd::lanes, rest = columns - whole;
  for (std::size_t row = 0; row < rows; ++row, x += x_stride, target += target_stride) {
    simd::Floats squares = simd::broadcast(0.0f);  // one order of summation, whatever the rows and threads; the tail joins with zeros
    for (std::size_t i = 0; i < whole; i += simd::lanes) squares = simd::fma(simd::load(x + i), simd::load(x + i), squares);
    simd::Floats const tail = simd::load_partial(x + whole, rest);
    squares = simd::fma(tail, tail, squares);
    simd::Floats const scale = simd::broadcast(1.0f / std::sqrt(simd::sum_lanes(squares) / static_cast<float>(columns) + epsilon));
    for (std::size_t i = 0; i < whole; i += simd::lanes) simd::store(target + i, simd::load(x + i) * scale * simd::load(weight + i));
    simd::store_partial(target + whole, tail * scale * simd::load_partial(weight + whole, rest), rest);
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

namespace axiform::inline AXIFORM_ARCH {

/// The kernel with shapes: rows are spread over the context's threads.
///
/// @param x      [rows, Columns].
/// @param weight [Columns].
/// @return       [rows, Columns], in the context's memory.
/// @throws ShapeError when the lengths differ.
template <Axis Columns, RowsOf<Columns> X>
Tensor<float, RowAxis<X>, Columns> rms_norm(X const& x, View<Columns> weight, float epsilon, Context& context) {
  auto const view = as_view(x);
  if (view.columns() != weight.size())
    throw ShapeError("rms_norm: found a tensor " + view.shape().to_string() + ", expected rows of " + std::to_string(weight.size()));
  auto result = make_tensor<float>(context, Shape<RowAxis<X>, Columns>::of({view.rows(), view.columns()}));
  for_row_ranges(context.executor(), view.rows(), view.columns(), [&](std::size_t first, std::size_t last) {
    kernels::rms_norm(view.data() + first * view.row_stride(), view.row_stride(), weight.data(), epsilon,
                      result.data() + first * result.row_stride(), result.row_stride(), last - first, view.columns());
  });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH

using axiform::Context, axiform::Tensor, axiform::axes::Hidden, axiform::axes::Tokens;

int main() {
  Context context;
  double greatest_error = 0;
  for (std::size_t columns = 1; columns <= 70; ++columns) {  // every tail
    Tensor<float, Tokens, Hidden> x(3, columns);
    Tensor<float, Hidden> weight(columns);
    for (std::size_t i = 0; i < x.size(); ++i) x.elements()[i] = std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < columns; ++i) weight.elements()[i] = 1.0f + 0.01f * static_cast<float>(i);
    auto const result = axiform::rms_norm<Hidden>(x, weight, 1e-6f, context);
    for (std::size_t row = 0; row < 3; ++row) {
      double squares = 0;
      for (float value : x.row(row)) squares += static_cast<double>(value) * value;
      double const scale = 1 / std::sqrt(squares / static_cast<double>(columns) + 1e-6);
      for (std::size_t i = 0; i < columns; ++i)
        greatest_error = std::max(greatest_error, std::abs(result(row, i) - x(row, i) * scale * weight(i)));
    }
  }
  std::cout << (greatest_error < 1e-6 ? "agrees with double precision" : "differs from double precision") << "\n";
}

// Prints:
// agrees with double precision
