/// @file
/// The product of rows with a packed matrix, with what is fused behind it: bias, activation, residual.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/epilogue.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/simd/arch.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstdint>

#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/gemm_tile.hpp>
#include <axiform/kernels/integer_product.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/kernels/pair_product.hpp>
#include <axiform/kernels/rounded_rows.hpp>
#include <axiform/kernels/tiles_on_threads.hpp>
#include <axiform/simd/batch.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// C = A * B, then the epilogue, spread over the executor's threads. Nothing is allocated.
///
/// Each element of the product is summed in one order over k, so a row of C has the same bits whatever the number of rows and threads. Weights in
/// bf16 and f16 are widened as they are loaded: the product has the bits of one with floats that were rounded to the format. But with bf16, where
/// `simd::has_bfloat16_products`, rows of A are rounded to it too, and numbers below the normal ones count as zeros. With weights in blocks it is one of
/// integers (kernels/integer_product.hpp).
///
/// @param a         [m, k], rows `a_stride` floats apart; or null where a product before has left them in `scratch` (`Epilogue::rounded`).
/// @param packed_b  [k, n] as `pack_panels` writes it, in any format; in blocks as `pack_blocks` does.
/// @param c         [m, n], rows `c_stride` floats apart; may be the epilogue's residual, must not overlap A; null with `Epilogue::rounded`.
/// @param scratch   `gemm_scratch_bytes(packed_b.format, m, k)`, at a multiple of 64 bytes.
void gemm(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
          std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch = nullptr);

/// The bytes of scratch memory that `gemm` needs for `m` rows of `k` inputs: for what products with weights of this format make of A.
/// For bf16 with `simd::has_bfloat16_products` that are the rows in bfloat16; none else.
std::size_t gemm_scratch_bytes(WeightFormat format, std::size_t m, std::size_t k) noexcept;

/// Whether a product with weights of this format can leave its results as another one's scratch memory has its rows: floats that none will read are
/// neither written nor read then, and the bits are the same.
constexpr bool can_round_results(WeightFormat format) noexcept {
  return format == WeightFormat::bf16 && simd::bfloat16_products == simd::Bfloat16Products::of_tiles;
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// One product: its operands, and the loops over a part of its tiles.
struct Product {
  std::size_t m, n, k;
  float const* a;
  std::size_t a_stride;
  PackedPanels b;
  float* c;
  std::size_t c_stride;
  Epilogue const& epilogue;
  std::size_t inputs_of_float = 1;  // of A: two where its rows were rounded to pairs

  // The first row of the i-th of `tiles` tiles whose heights differ by at most one: 7 rows are 4 + 3, not 6 + 1.
  std::size_t row_of(std::size_t i, std::size_t tiles) const noexcept { return i * (m / tiles) + std::min(i, m % tiles); }

  // The weights of a panel from k0 on, as tiles take them.
  float const* weights_at(std::size_t panel, std::size_t k0) const noexcept {
    std::size_t const weights = panel * panel_width * k + k0 * panel_width;
    return reinterpret_cast<float const*>(static_cast<std::byte const*>(b.data) + bytes_of(b.format, weights));
  }

  // Tile i of the full panels [panel, panel + panels), for the k of [k0, k1): all of them, or a part that goes on where the last one stopped.
  struct Step {
    std::size_t first_row, last_row;
    std::size_t panel, panels;
    std::size_t k0, k1;
    std::size_t share, shares;  // of bringing in the panel behind
  };
  void run_full(Step const& step, Tile tile) const noexcept {
    std::size_t const column = step.panel * panel_width;
    std::size_t const columns = step.panels * panel_width;
    std::size_t const line = bytes_of(b.format, panel_width);
    std::size_t const inputs = b.format == WeightFormat::bf16 ? 2 : 1;
    std::size_t const piece = line * (step.k1 - step.k0) / step.shares / prefetch_streams;
    TileOperands operands{.k = step.k1 - step.k0,
                          .a = a + step.first_row * a_stride + step.k0 / inputs_of_float,
                          .a_stride = a_stride,
                          .b = weights_at(step.panel, step.k0),
                          .b_step = panel_width,
                          .b_panel_stride = panel_width * k,
                          .c = c + step.first_row * c_stride + column,
                          .c_stride = c_stride,
                          .resume = step.k0 != 0};
    // This tile's share of the panel behind: a piece of each of its quarters, so that the streams of the tiles join.
    operands.prefetch = reinterpret_cast<std::uintptr_t>(operands.b) + step.panels * line * k + step.share * piece;
    operands.prefetch_apart = step.shares * piece;
    operands.prefetch_step = (line * inputs / step.shares + prefetch_streams - 1) / prefetch_streams;
    if (step.k1 < k) return tile(operands);

    if (epilogue.bias != nullptr) operands.bias = epilogue.bias + column;
    if (epilogue.residual != nullptr) {
      operands.residual = epilogue.residual + step.first_row * epilogue.residual_stride + column;
      operands.residual_stride = epilogue.residual_stride;
    }
    tile(operands);
    // In place, while the tile lies in L1: a load and a store for each vector are little beside the activation, and no tile is
    // compiled once more for each of them.
    activate_rows(epilogue.activation, operands.c, c_stride, step.last_row - step.first_row, columns);
  }

  // One panel, all k, through a buffer, for what must not be stored at once: columns beyond n, and sums to activate before the residual comes.
  void run_buffered(std::size_t first_row, std::size_t last_row, std::size_t panel) const noexcept {
    std::size_t const column = panel * panel_width;
    std::size_t const columns = std::min(panel_width, n - column);
    std::size_t const rows = last_row - first_row;
    alignas(64) float buffer[tile_rows * panel_width];
    // Of floats, no more vectors than there are columns; other formats have tiles of whole panels alone, whose last columns are zeros.
    Tile const tile =
        b.format == WeightFormat::f32 ? narrow_tile(rows, (columns + simd::lanes - 1) / simd::lanes) : full_tile(b.format, rows);
    tile({.k = k,
          .a = a + first_row * a_stride,
          .a_stride = a_stride,
          .b = weights_at(panel, 0),
          .b_step = panel_width,
          .c = buffer,
          .c_stride = panel_width});
    finish_rows(epilogue, {first_row, rows, column, columns}, buffer, panel_width, c, c_stride);
  }

  // Tiles [first_tile, last_tile) of `tiles`, panels [first_panel, last_panel).
  //
  // A block of rows stays in L2 while the panels pass, and a panel, once there, serves all its tiles. Where rows are long the block takes only
  // a part of k at a time, so that it has rows enough for each panel to be worth bringing in: the sums wait in C meanwhile and go on in the same
  // order, so this changes no bit.
  void run(std::size_t tiles, std::size_t first_tile, std::size_t last_tile, std::size_t first_panel,
           std::size_t last_panel) const noexcept {
    if (first_tile >= last_tile || first_panel >= last_panel) return;
    bool const buffered = epilogue.residual != nullptr && epilogue.activation != Activation::none;
    std::size_t const full_panels = buffered ? first_panel : std::min(last_panel, n / panel_width);
    WideTile const wide = wide_tile(m / tiles + (m % tiles != 0), b.format);
    std::size_t const count = last_tile - first_tile;
    bool const whole = count == 1 || epilogue.residual == c;  // sums in C would overwrite the residual
    std::size_t const parts = whole ? 1 : std::max<std::size_t>(1, (k / inputs_of_float + most_k - 1) / most_k);
    std::size_t const block = std::max<std::size_t>(1, a_block_floats / (tile_rows * (k / inputs_of_float / parts) + 1));
    std::size_t const blocks = (count + block - 1) / block;
    auto const k_of = [&](std::size_t part) { return part == parts ? k : part * k / parts / 2 * 2; };  // pairs stay together
    for (std::size_t i = 0; i < blocks; ++i) {
      std::size_t const from = first_tile + i * count / blocks;
      std::size_t const to = first_tile + (i + 1) * count / blocks;
      for (std::size_t part = 0; part < parts; ++part)
        for (std::size_t panel = first_panel; panel < full_panels;) {
          std::size_t const panels = panel + wide.panels <= full_panels ? wide.panels : 1;
          for (std::size_t j = from; j < to; ++j) {
            std::size_t const row = row_of(j, tiles);
            std::size_t const end = row_of(j + 1, tiles);
            run_full({row, end, panel, panels, k_of(part), k_of(part + 1), j - from, to - from},
                     panels > 1 ? wide.tile : full_tile(b.format, end - row));
          }
          panel += panels;
        }
      for (std::size_t panel = std::max(first_panel, full_panels); panel < last_panel; ++panel)
        for (std::size_t j = from; j < to; ++j) run_buffered(row_of(j, tiles), row_of(j + 1, tiles), panel);
    }
  }

#if defined(AXIFORM_HAS_AMX)
  // Processors with tiles have 2 MiB of L2: 2 to 5 % faster there on 128 to 1024 rows than the other.
  static constexpr std::size_t a_block_floats = 192 * 1024;
#else
  static constexpr std::size_t a_block_floats = 64 * 1024;  // half of an L2 of 512 KiB
#endif
  static constexpr std::size_t most_k = 1024;
};

// Rows in bfloat16, by pairs, each rounded once whatever the panels.
inline void round_rows_to_pairs(std::size_t m, std::size_t k, float const* a, std::size_t a_stride, float* words, Executor& executor) {
  constexpr std::size_t least_floats = 16 * 1024;
  run_rows(m, k, least_floats, executor, [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) round_to_pairs(a + row * a_stride, k, words + row * words_of_row(k));
  });
}

}  // namespace detail

AXIFORM_INLINE void gemm(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
                         std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch) {
  if (m == 0 || n == 0) return;
  if constexpr (simd::bfloat16_products == simd::Bfloat16Products::of_tiles)
    if (packed_b.format == WeightFormat::bf16)
      return pair_product(m, n, k, a, a_stride, packed_b, c, c_stride, epilogue, executor, scratch);
  if (k == 0) packed_b = PackedPanels(nullptr, WeightFormat::f32);  // nothing to read, in no format
  if (is_in_blocks(packed_b.format)) return integer_product(m, n, k, a, a_stride, packed_b, c, c_stride, epilogue, executor, scratch);
  detail::Product product{m, n, k, a, a_stride, packed_b, c, c_stride, epilogue};
  if (gemm_scratch_bytes(packed_b.format, m, k) != 0) {
    product.a = reinterpret_cast<float*>(scratch);
    product.a_stride = words_of_row(k);
    product.inputs_of_float = 2;
    detail::round_rows_to_pairs(m, k, a, a_stride, reinterpret_cast<float*>(scratch), executor);
  }
  std::size_t const tiles = m / tile_rows + (m % tile_rows != 0);
  // Below this a thread costs more than it brings (a spinning fork-join takes 0.2 to 0.5 us).
  constexpr std::size_t least_work = 32 * 1024;
  run_tiles(tiles, panel_count(n), m * n / (least_work / (k + 1) + 1), executor, [&](auto... part) { product.run(tiles, part...); });
}

AXIFORM_INLINE std::size_t gemm_scratch_bytes(WeightFormat format, std::size_t m, std::size_t k) noexcept {
  if (is_in_blocks(format)) return rounded_rows(format, nullptr, m, k).bytes();
  if (format != WeightFormat::bf16) return 0;
  switch (simd::bfloat16_products) {
    case simd::Bfloat16Products::of_floats:
      return 0;
    case simd::Bfloat16Products::of_pairs:
      return m * words_of_row(k) * sizeof(float);
    case simd::Bfloat16Products::of_tiles:
      return PairRows{m, k, nullptr}.bytes();
  }
  return 0;
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
