/// @file
/// What follows a product: bias, activation, residual.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/kernels/activation.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What follows a product, in this order, each when it is given.
struct Epilogue {
  float const* bias = nullptr;               ///< [n]
  Activation activation = Activation::none;  ///< of the product and its bias
  float const* residual = nullptr;           ///< [m, n], added last; may be the product's own target
  std::size_t residual_stride = 0;           ///< floats from one row of the residual to the next
  /// Where given, results go there and not to the target: as the scratch memory of a product with weights of the same format has its rows.
  /// @pre `can_round_results` of the format, and no residual.
  std::byte* rounded = nullptr;
};

/// A part of a product's target: `rows` rows and `columns` columns from `first_row` and `first_column` on.
struct TargetPart {
  std::size_t first_row;     ///< Of the part.
  std::size_t rows;          ///< Of the part.
  std::size_t first_column;  ///< Of the part.
  std::size_t columns;       ///< Of the part.
};

/// Bias and activation, on sums in a buffer.
///
/// @param sums [rows, columns], rows `sums_stride` floats apart, whole registers beyond the last column included.
inline void add_bias_and_activate(Epilogue const& epilogue, TargetPart const& part, float* sums, std::size_t sums_stride) noexcept {
  for (std::size_t j = 0; epilogue.bias != nullptr && j < part.columns; j += simd::lanes) {
    simd::Floats const bias = simd::load_partial(epilogue.bias + part.first_column + j, std::min(simd::lanes, part.columns - j));
    for (std::size_t r = 0; r < part.rows; ++r) {
      float* const value = sums + r * sums_stride + j;
      simd::store(value, simd::load(value) + bias);
    }
  }
  activate_rows(epilogue.activation, sums, sums_stride, part.rows, part.columns);
}

/// All that follows the product whose sums are in a buffer, which is overwritten; the result goes to the target.
///
/// @param sums   As `add_bias_and_activate`.
/// @param target The whole target, rows `target_stride` floats apart.
inline void finish_rows(Epilogue const& epilogue, TargetPart const& part, float* sums, std::size_t sums_stride, float* target,
                        std::size_t target_stride) noexcept {
  add_bias_and_activate(epilogue, part, sums, sums_stride);
  for (std::size_t r = 0; r < part.rows; ++r) {
    std::size_t const row = part.first_row + r;
    float const* const added =
        epilogue.residual != nullptr ? epilogue.residual + row * epilogue.residual_stride + part.first_column : nullptr;
    for (std::size_t j = 0; j < part.columns; j += simd::lanes) {
      std::size_t const count = std::min(simd::lanes, part.columns - j);
      simd::Floats value = simd::load(sums + r * sums_stride + j);
      if (added != nullptr) value += simd::load_partial(added + j, count);
      simd::store_partial(target + row * target_stride + part.first_column + j, value, count);
    }
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
