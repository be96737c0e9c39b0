/// @file
/// The product of rows with a packed matrix, with what is fused behind it: bias, activation, residual.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/packing.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstdint>

#include <axiform/kernels/block_tile.hpp>
#include <axiform/kernels/gemm_tile.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/simd/batch.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What follows a product, in this order, each when it is given.
struct Epilogue {
  float const* bias = nullptr;               ///< [n]
  Activation activation = Activation::none;  ///< of the product and its bias
  float const* residual = nullptr;           ///< [m, n], added last; may be the product's own target
  std::size_t residual_stride = 0;           ///< floats from one row of the residual to the next
};

/// C = A * B, then the epilogue, spread over the executor's threads. Nothing is allocated.
///
/// Each element of the product is summed in one order over k, so a row of C has the same bits whatever the number of rows and threads. Weights in
/// f16 are widened as they are loaded, those in blocks for few rows in registers, for many a part of a panel at a time: the product has the bits of one with
/// floats that were rounded to the format. So has one with bf16; but where `simd::has_bfloat16_products` rows of A are rounded to bf16 too, once for all
/// their outputs, and numbers below the normal ones count as zeros.
///
/// @param a         [m, k], rows `a_stride` floats apart.
/// @param packed_b  [k, n] as `pack_panels` writes it, in any format.
/// @param c         [m, n], rows `c_stride` floats apart; may be the epilogue's residual, must not overlap A.
/// @param scratch   `gemm_scratch_bytes(packed_b.format, m, k)`, at a multiple of 64 bytes.
void gemm(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
          std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch = nullptr);

/// The bytes of scratch memory that `gemm` needs for `m` rows of `k` inputs: for what products with weights of this format make of A.
/// For bf16 with `simd::has_bfloat16_products` that are the rows in bfloat16; none else.
std::size_t gemm_scratch_bytes(WeightFormat format, std::size_t m, std::size_t k) noexcept;

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
    std::size_t const piece = line * (step.k1 - step.k0) / step.shares / 2;
    TileOperands operands{.k = step.k1 - step.k0,
                          .a = a + step.first_row * a_stride + step.k0 / inputs_of_float,
                          .a_stride = a_stride,
                          .b = weights_at(step.panel, step.k0),
                          .b_step = panel_width,
                          .b_panel_stride = panel_width * k,
                          .c = c + step.first_row * c_stride + column,
                          .c_stride = c_stride,
                          .resume = step.k0 != 0};
    // This tile's share of the panel behind: a piece of its first half and one of its second, so that the streams of the tiles join.
    operands.prefetch = reinterpret_cast<std::uintptr_t>(operands.b) + step.panels * line * k + step.share * piece;
    operands.prefetch_apart = step.shares * piece;
    operands.prefetch_step = (line * inputs / step.shares + 1) / 2;
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
    Tile const tile = b.format == WeightFormat::f32 ? narrow_tile(rows, (columns + simd::lanes - 1) / simd::lanes)
                      : is_in_blocks(b.format)      ? block_tile(b.format, rows)
                                                    : full_tile(b.format, rows);
    tile({.k = k,
          .a = a + first_row * a_stride,
          .a_stride = a_stride,
          .b = weights_at(panel, 0),
          .b_step = panel_width,
          .c = buffer,
          .c_stride = panel_width});
    finish_buffered(first_row, last_row, panel, buffer);
  }

  // What follows the product whose sums, [rows][panel_width], are in a buffer.
  void finish_buffered(std::size_t first_row, std::size_t last_row, std::size_t panel, float* buffer) const noexcept {
    std::size_t const column = panel * panel_width;
    std::size_t const columns = std::min(panel_width, n - column);
    std::size_t const rows = last_row - first_row;
    for (std::size_t j = 0; epilogue.bias != nullptr && j < columns; j += simd::lanes) {
      simd::Floats const bias = simd::load_partial(epilogue.bias + column + j, std::min(simd::lanes, columns - j));
      for (std::size_t r = 0; r < rows; ++r) {
        float* const value = buffer + r * panel_width + j;
        simd::store(value, simd::load(value) + bias);
      }
    }
    activate_rows(epilogue.activation, buffer, panel_width, rows, columns);
    for (std::size_t r = 0; r < rows; ++r) {
      float* const target = c + (first_row + r) * c_stride + column;
      float const* const added =
          epilogue.residual != nullptr ? epilogue.residual + (first_row + r) * epilogue.residual_stride + column : nullptr;
      for (std::size_t j = 0; j < columns; j += simd::lanes) {
        std::size_t const count = std::min(simd::lanes, columns - j);
        simd::Floats value = simd::load(buffer + r * panel_width + j);
        if (added != nullptr) value += simd::load_partial(added + j, count);
        simd::store_partial(target + j, value, count);
      }
    }
  }

  // Tiles [first_tile, last_tile) of `tiles`, panels [first_panel, last_panel).
  //
  // A block of rows stays in L2 while the panels pass, and a panel, once there, serves all its tiles. Where rows are long the block takes only
  // a part of k at a time, so that it has rows enough for each panel to be worth bringing in: the sums wait in C meanwhile and go on in the same
  // order, so this changes no bit.
  void run(std::size_t tiles, std::size_t first_tile, std::size_t last_tile, std::size_t first_panel,
           std::size_t last_panel) const noexcept {
    if (first_tile >= last_tile || first_panel >= last_panel) return;
    if (is_in_blocks(b.format)) return run_blocks(tiles, first_tile, last_tile, first_panel, last_panel);
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

  // The same for weights in blocks.
  void run_blocks(std::size_t tiles, std::size_t first_tile, std::size_t last_tile, std::size_t first_panel,
                  std::size_t last_panel) const noexcept {
    bool const buffered = epilogue.residual != nullptr && epilogue.activation != Activation::none;
    std::size_t const count = last_tile - first_tile;
    if (count > most_tiles_of_blocks) {
      std::size_t const block = std::max<std::size_t>(1, a_block_floats / (tile_rows * k + 1));
      std::size_t const blocks = (count + block - 1) / block;
      for (std::size_t i = 0; i < blocks; ++i)
        for (std::size_t panel = first_panel; panel < last_panel; ++panel)
          run_widened(tiles, first_tile + i * count / blocks, first_tile + (i + 1) * count / blocks, panel, buffered);
      return;
    }
    std::size_t const full_panels = buffered ? first_panel : std::min(last_panel, n / panel_width);
    WideTile const wide = wide_block_tile(b.format, m / tiles + (m % tiles != 0));
    for (std::size_t panel = first_panel; panel < last_panel;) {
      std::size_t const panels = panel + wide.panels <= full_panels ? wide.panels : 1;
      for (std::size_t i = first_tile; i < last_tile; ++i) {
        std::size_t const row = row_of(i, tiles), end = row_of(i + 1, tiles);
        if (panel >= full_panels) {
          run_buffered(row, end, panel);
        } else {
          run_full({row, end, panel, panels, 0, k, 0, 1}, panels > 1 ? wide.tile : block_tile(b.format, end - row));
        }
      }
      panel += panels;
    }
  }

  // Tiles [first_tile, last_tile) and one panel, which is widened a part of k at a time into memory that stays in L1. The sums wait in C, or in a buffer
  // where C is not theirs alone: columns beyond n, a residual in C itself, sums to activate before the residual comes.
  void run_widened(std::size_t tiles, std::size_t first_tile, std::size_t last_tile, std::size_t panel, bool buffered) const noexcept {
    alignas(64) float weights[widened_inputs * panel_width];
    alignas(64) float sums[most_buffered_tiles * tile_rows * panel_width];
    std::size_t const column = panel * panel_width;
    std::size_t const columns = std::min(panel_width, n - column);
    std::size_t const vectors = (columns + simd::lanes - 1) / simd::lanes;
    buffered = buffered || columns < panel_width || epilogue.residual == c;
    std::size_t const most_tiles = buffered ? most_buffered_tiles : last_tile - first_tile;
    for (std::size_t from = first_tile; from < last_tile; from += most_tiles) {
      std::size_t const to = std::min(from + most_tiles, last_tile), first_row = row_of(from, tiles);
      for (std::size_t k0 = 0; k0 < k; k0 += widened_inputs) {
        std::size_t const k1 = std::min(k0 + widened_inputs, k);
        widen_groups(b.format, reinterpret_cast<std::byte const*>(weights_at(panel, k0)), k1 - k0, weights);
        for (std::size_t i = from; i < to; ++i) {
          std::size_t const row = row_of(i, tiles), end = row_of(i + 1, tiles);
          TileOperands operands{.k = k1 - k0,
                                .a = a + row * a_stride + k0,
                                .a_stride = a_stride,
                                .b = weights,
                                .b_step = panel_width,
                                .c = buffered ? sums + (row - first_row) * panel_width : c + row * c_stride + column,
                                .c_stride = buffered ? panel_width : c_stride,
                                .resume = k0 != 0};
          bool const is_last = k1 == k && !buffered;
          if (is_last && epilogue.bias != nullptr) operands.bias = epilogue.bias + column;
          if (is_last && epilogue.residual != nullptr) {
            operands.residual = epilogue.residual + row * epilogue.residual_stride + column;
            operands.residual_stride = epilogue.residual_stride;
          }
          narrow_tile(end - row, vectors)(operands);
          if (is_last) activate_rows(epilogue.activation, operands.c, c_stride, end - row, columns);
        }
      }
      for (std::size_t i = from; buffered && i < to; ++i) {
        std::size_t const row = row_of(i, tiles);
        finish_buffered(row, row_of(i + 1, tiles), panel, sums + (row - first_row) * panel_width);
      }
    }
  }

  static constexpr std::size_t most_tiles_of_blocks = 4;                 // more of them, and a panel is widened once for all
  static constexpr std::size_t widened_inputs = 8 * 1024 / panel_width;  // 32 KiB of floats
  static constexpr std::size_t most_buffered_tiles = 8;
  static constexpr std::size_t a_block_floats = 64 * 1024;  // half of an L2 of 512 KiB
  static constexpr std::size_t most_k = 1024;
};

// Rows in bfloat16, by pairs, each rounded once whatever the panels; on all threads where a thread's part takes longer than a fork and join.
inline void round_rows(std::size_t m, std::size_t k, float const* a, std::size_t a_stride, float* words, Executor& executor) {
  constexpr std::size_t least_floats = 16 * 1024;
  std::size_t const parts = std::clamp<std::size_t>(m * k / least_floats, 1, executor.concurrency());
  auto const round = [&](std::size_t part) {
    for (std::size_t row = part * m / parts; row < (part + 1) * m / parts; ++row)
      round_row(a + row * a_stride, k, words + row * words_of_row(k));
  };
  if (parts == 1) return round(0);
  executor.parallel_for(parts, round);
}

// How many threads share the rows; threads / rows of them share the columns.
inline std::size_t row_parts(std::size_t tiles, std::size_t panels, std::size_t threads) noexcept {
  // A tile costs about tile_rows cycles for each k and vector; a panel that no other row part shares costs about as much to bring in.
  std::size_t best = 1;
  std::size_t best_cost = 0;
  for (std::size_t parts = 1; parts <= threads; ++parts) {
    std::size_t const others = threads / parts;
    std::size_t const part_tiles = (tiles + parts - 1) / parts;
    std::size_t const part_panels = (panels + others - 1) / others;
    std::size_t const cost = part_panels * (part_tiles + 1) * 16 + part_tiles;
    if (parts == 1 || cost < best_cost) {
      best = parts;
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace detail

AXIFORM_INLINE void gemm(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
                         std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch) {
  if (m == 0 || n == 0) return;
  if (k == 0) packed_b = PackedPanels(nullptr, WeightFormat::f32);  // nothing to read, in no format
  detail::Product product{m, n, k, a, a_stride, packed_b, c, c_stride, epilogue};
  if (gemm_scratch_bytes(packed_b.format, m, k) != 0) {
    product.a = reinterpret_cast<float*>(scratch);
    product.a_stride = words_of_row(k);
    product.inputs_of_float = 2;
    detail::round_rows(m, k, a, a_stride, reinterpret_cast<float*>(scratch), executor);
  }
  std::size_t const tiles = m / tile_rows + (m % tile_rows != 0);
  std::size_t const panels = panel_count(n);
  // Below this a thread costs more than it brings (a spinning fork-join takes 0.2 to 0.5 us).
  constexpr std::size_t least_work = 32 * 1024;
  std::size_t const threads = std::clamp<std::size_t>(m * n / (least_work / (k + 1) + 1), 1, executor.concurrency());
  if (threads == 1) return product.run(tiles, 0, tiles, 0, panels);

  std::size_t const down = detail::row_parts(tiles, panels, threads);
  std::size_t const across = threads / down;
  executor.parallel_for(down * across, [&](std::size_t part) {
    std::size_t const i = part / across;
    std::size_t const j = part % across;
    product.run(tiles, i * tiles / down, (i + 1) * tiles / down, j * panels / across, (j + 1) * panels / across);
  });
}

AXIFORM_INLINE std::size_t gemm_scratch_bytes(WeightFormat format, std::size_t m, std::size_t k) noexcept {
  return format == WeightFormat::bf16 && simd::has_bfloat16_products ? m * words_of_row(k) * sizeof(float) : 0;
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
