/// @file
/// The layout of a packed matrix: panels of `panel_width` columns in which the values of one k lie together, as the product kernels stream them.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/simd/arch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Rows of the register tile: of C, and of A.
inline constexpr std::size_t tile_rows = 6;

/// Vectors in a row of the register tile. Six rows of accumulators, one row of B and a broadcast of A must fit the registers:
/// 6x4 + 4 + 1 = 29 of 32 (AVX-512, NEON), 6x2 + 2 + 1 = 15 of 16 (SSE, AVX).
inline constexpr std::size_t tile_vectors = simd::registers >= 32 ? 4 : 2;

/// Columns of a panel: 64 with AVX-512, 16 with AVX and NEON, 8 with SSE.
inline constexpr std::size_t panel_width = tile_vectors * simd::lanes;

/// The panels of a matrix of `n` columns.
constexpr std::size_t panel_count(std::size_t n) noexcept { return n / panel_width + (n % panel_width != 0); }

/// The floats that the packed form of B, [k, n], takes.
constexpr std::size_t packed_floats(std::size_t k, std::size_t n) noexcept { return panel_count(n) * panel_width * k; }

/// Refers to the panels of a packed matrix, in one format.
struct PackedPanels {
  void const* data = nullptr;               ///< `[panel_count(n)][k][panel_width]` weights.
  WeightFormat format = WeightFormat::f32;  ///< What they are.

  /// Panels of floats.
  PackedPanels(float const* panels) noexcept : data(panels) {}
  /// Panels of a format.
  PackedPanels(void const* panels, WeightFormat of) noexcept : data(panels), format(of) {}
};

namespace detail {

// Up to eight lanes: xsimd transposes 4x4 and 8x8 in registers, and 16x16 through memory, element by element.
using TransposeBatch = std::conditional_t<(simd::lanes <= 8), simd::Floats, xsimd::make_sized_batch_t<float, 8>>;

}  // namespace detail

/// target[j * target_stride + i] = source[i * source_stride + j] for i < rows and j < columns. Nothing else is written.
void transpose(std::size_t rows, std::size_t columns, float const* source, std::size_t source_stride, float* target,
               std::size_t target_stride) noexcept;

/// Packs panels [first_panel, last_panel) of B, [k, n], as `[panel_count(n)][k][panel_width]`; columns beyond n become zero.
///
/// Panels may be packed from several threads, and from parts: `source` may be shifted so that only the columns asked for are in memory.
///
/// @param source The element of row k and column n is `source[n * n_stride + k * k_stride]`: a weight [out, in] has strides (in, 1), a
///               transposed one (Conv1D's [in, out]) has (1, out).
/// @param packed The whole packed matrix, `packed_floats(k, n)`, best at a multiple of 64 bytes.
void pack_panels(std::size_t k, std::size_t n, float const* source, std::size_t n_stride, std::size_t k_stride, float* packed,
                 std::size_t first_panel, std::size_t last_panel) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void transpose(std::size_t rows, std::size_t columns, float const* source, std::size_t source_stride, float* target,
                              std::size_t target_stride) noexcept {
  using Batch = detail::TransposeBatch;
  constexpr std::size_t size = Batch::size;
  std::size_t const whole_rows = rows / size * size;
  std::size_t const whole_columns = columns / size * size;
  for (std::size_t i = 0; i < whole_rows; i += size)
    for (std::size_t j = 0; j < whole_columns; j += size) {
      Batch block[size];
#pragma GCC unroll 8
      for (std::size_t l = 0; l < size; ++l) block[l] = Batch::load_unaligned(source + (i + l) * source_stride + j);
      xsimd::transpose(block, block + size);
#pragma GCC unroll 8
      for (std::size_t l = 0; l < size; ++l) block[l].store_unaligned(target + (j + l) * target_stride + i);
    }
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
      target[j * target_stride + i] = source[i * source_stride + j];
}

AXIFORM_INLINE void pack_panels(std::size_t k, std::size_t n, float const* source, std::size_t n_stride, std::size_t k_stride,
                                float* packed, std::size_t first_panel, std::size_t last_panel) noexcept {
  for (std::size_t panel = first_panel; panel < last_panel; ++panel) {
    std::size_t const first = panel * panel_width;
    std::size_t const columns = std::min(panel_width, n - first);
    float* const target = packed + first * k;
    float const* const from = source + first * n_stride;
    if (columns < panel_width) std::fill_n(target, k * panel_width, 0.0f);
    if (n_stride == 1) {
      for (std::size_t i = 0; i < k; ++i) std::copy_n(from + i * k_stride, columns, target + i * panel_width);
      continue;
    }
    if (k_stride == 1) {
      transpose(columns, k, from, n_stride, target, panel_width);
      continue;
    }
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t i = 0; i < k; ++i) target[i * panel_width + j] = from[j * n_stride + i * k_stride];
  }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
