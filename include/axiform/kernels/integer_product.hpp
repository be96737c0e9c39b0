/// @file
/// Products with weights in blocks, by integers.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/epilogue.hpp>
#include <axiform/kernels/packing.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstdint>

#include <axiform/kernels/integer_tile.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/rounded_rows.hpp>
#include <axiform/kernels/tiles_on_threads.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// As `gemm`, of which it is the part for weights in blocks.
///
/// Rows of A are rounded to numbers of 8 bits in groups of 32 (kernels/rounded_rows.hpp). Products of a group are summed in integers, exactly; its sum
/// becomes a float, which is multiplied by the row's scale and, by fma, with the weights' scale; a minimum is multiplied with the row's offset and added by
/// fma behind it. Groups come in the order 0, 1, … from zero: a row of C has the same bits whatever the number of rows and threads.
/// @param scratch The bytes of `rounded_rows(format, scratch, m, k)`, at a multiple of 64 bytes.
/// @pre The format is one of blocks, none of the sizes is zero, and k a multiple of 32.
void integer_product(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
                     std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// One product whose rows have been rounded.
template <class Blocks>
struct IntegerProduct {
  RoundedRows rows;
  BlockLayout layout;
  std::byte const* packed;
  float* c;
  std::size_t c_stride;
  Epilogue const& epilogue;

  using Scales = TileScales<Blocks>;

  // Rows whose sums are kept at once, and groups that their panels are taken by, so that both stay in L1. Scales that a tile cannot read as they lie are
  // widened for as many.
  static constexpr std::size_t most_rows = 128, most_groups = 16;
  static constexpr std::size_t sums_stride = integer_tile_panels * block_panel_width;

  std::size_t tiles() const noexcept { return (rows.rows + integer_tile_rows - 1) / integer_tile_rows; }
  // As many panels as a tile takes are one unit of work.
  std::size_t units() const noexcept { return (block_panel_count(layout.outputs) + integer_tile_panels - 1) / integer_tile_panels; }
  // The first row of the i-th tile. Heights differ by at most one: 5 rows are 3 + 2, not 4 + 1.
  std::size_t row_of(std::size_t i) const noexcept {
    std::size_t const count = tiles();
    return i * (rows.rows / count) + std::min(i, rows.rows % count);
  }

  // Tiles [first_tile, last_tile), units [first_unit, last_unit).
  void run(std::size_t first_tile, std::size_t last_tile, std::size_t first_unit, std::size_t last_unit) const noexcept {
    constexpr std::size_t most_tiles = most_rows / integer_tile_rows;
    std::size_t const count = last_tile - first_tile, blocks = (count + most_tiles - 1) / most_tiles;
    for (std::size_t i = 0; i < blocks; ++i)
      for (std::size_t unit = first_unit; unit < last_unit; ++unit)
        run_unit(first_tile + i * count / blocks, first_tile + (i + 1) * count / blocks, unit);
  }

  void run_unit(std::size_t first_tile, std::size_t last_tile, std::size_t unit) const noexcept {
    alignas(64) float sums[most_rows * sums_stride];
    [[maybe_unused]] alignas(64) float widened[Scales::are_widened ? integer_tile_panels * most_groups * Scales::group_elements : 1];
    std::byte const* const scales = packed + layout.scales_at(Blocks::format);
    std::size_t const groups = layout.groups();
    std::size_t const panel = unit * integer_tile_panels;
    std::size_t const panels = std::min(integer_tile_panels, block_panel_count(layout.outputs) - panel);
    std::size_t const first_row = row_of(first_tile);
    bool const in_parts = Scales::are_widened || last_tile - first_tile > 1;
    std::size_t const parts = in_parts ? (groups + most_groups - 1) / most_groups : 1;
    constexpr std::size_t of_block = Blocks::groups_of_block;
    for (std::size_t part = 0; part < parts; ++part) {
      std::size_t const block = part * (groups / of_block) / parts, end = (part + 1) * (groups / of_block) / parts, g = block * of_block;
      IntegerTileOperands operands{.groups = (end - block) * of_block,
                                   .numbers_stride = rows.k * rows.number_bytes,
                                   .scales_stride = groups,
                                   .words = packed + (panel * groups + g) * Blocks::group_bytes,
                                   .words_stride = groups * Blocks::group_bytes,
                                   .panel_scales = scales + (panel * groups + g) / of_block * Blocks::block_scale_bytes,
                                   .panel_scales_stride = groups * Scales::group_elements,
                                   .sums_stride = sums_stride,
                                   .words_ahead = integer_tile_panels * groups * Blocks::group_bytes,
                                   .panel_scales_ahead = integer_tile_panels * groups / of_block * Blocks::block_scale_bytes,
                                   .resume = part != 0};
      if constexpr (Scales::are_widened) {
        constexpr std::size_t stride = most_groups * Scales::group_elements;
        for (std::size_t p = 0; p < panels; ++p)
          widen_scales<Blocks>(scales + ((panel + p) * groups + g) / of_block * Blocks::block_scale_bytes, end - block,
                               operands.panel_scales_ahead, widened + p * stride);
        operands.panel_scales = widened;
        operands.panel_scales_stride = stride;
      }
      for (std::size_t tile = first_tile; tile < last_tile; ++tile) {
        std::size_t const row = row_of(tile);
        operands.numbers = rows.numbers(row) + g * weights_of_group * rows.number_bytes;
        operands.scales = rows.scales(row) + g;
        operands.offsets = rows.offsets(row) + g;
        operands.sums = sums + (row - first_row) * sums_stride;
        integer_tile<Blocks>(row_of(tile + 1) - row, panels)(operands);
      }
    }
    std::size_t const column = panel * block_panel_width;
    finish_rows(epilogue, {first_row, row_of(last_tile) - first_row, column, std::min(panels * block_panel_width, layout.outputs - column)},
                sums, sums_stride, c, c_stride);
  }
};

}  // namespace detail

AXIFORM_INLINE void integer_product(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride,
                                    PackedPanels packed_b, float* c, std::size_t c_stride, Epilogue const& epilogue, Executor& executor,
                                    std::byte* scratch) {
  RoundedRows const rows = rounded_rows(packed_b.format, scratch, m, k);
  // Below these a thread costs more than it brings (a spinning fork-join takes 0.2 to 0.5 us).
  constexpr std::size_t least_work = 128 * 1024, least_rounded = 8 * 1024;
  run_rows(m, k, least_rounded, executor,
           [&](std::size_t first, std::size_t last) { round_rows(packed_b.format, a, a_stride, first, last, rows); });
  with_block_weights(packed_b.format, [&]<class Blocks>(Blocks) {
    detail::IntegerProduct<Blocks> const product{rows, {k, n}, static_cast<std::byte const*>(packed_b.data), c, c_stride, epilogue};
    run_tiles(product.tiles(), product.units(), m * n / (least_work / (k + 1) + 1), executor, [&](auto... part) { product.run(part...); });
  });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
