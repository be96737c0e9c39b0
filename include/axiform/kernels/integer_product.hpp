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
#include <axiform/kernels/integer_tiles.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/rounded_rows.hpp>
#include <axiform/kernels/tiles_on_threads.hpp>
#include <axiform/simd/tiles.hpp>
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
  bool by_tiles = false;  // of AMX

  using Scales = TileScales<Blocks>;

  // Rows whose sums are kept at once, and groups that their panels are taken by, so that both stay in L1. Scales that a tile cannot read as they lie are
  // widened for as many.
  static constexpr std::size_t most_rows = 128, most_groups = 16;
  static constexpr std::size_t sums_stride = integer_tile_panels * block_panel_width;

  std::size_t tile_rows() const noexcept { return by_tiles ? simd::tile_height : integer_tile_rows; }
  std::size_t tiles() const noexcept { return (rows.rows + tile_rows() - 1) / tile_rows(); }
  // As many panels as a tile takes are one unit of work.
  std::size_t units() const noexcept { return (block_panel_count(layout.outputs) + integer_tile_panels - 1) / integer_tile_panels; }
  // The first row of the i-th tile. Heights differ by at most one: 5 rows are 3 + 2, not 4 + 1. Tiles of AMX take as long for one row as for sixteen.
  std::size_t row_of(std::size_t i) const noexcept {
    if (by_tiles) return std::min(i * tile_rows(), rows.rows);
    std::size_t const count = tiles();
    return i * (rows.rows / count) + std::min(i, rows.rows % count);
  }

  // Tiles [first_tile, last_tile), units [first_unit, last_unit).
  void run(std::size_t first_tile, std::size_t last_tile, std::size_t first_unit, std::size_t last_unit) const noexcept {
    if (first_tile == last_tile) return;
#if defined(AXIFORM_HAS_AMX)
    if (by_tiles) return run_by_tiles(first_tile, last_tile, first_unit, last_unit);
#endif
    constexpr std::size_t most_tiles = most_rows / integer_tile_rows;
    std::size_t const count = last_tile - first_tile, blocks = (count + most_tiles - 1) / most_tiles;
    for (std::size_t i = 0; i < blocks; ++i)
      for (std::size_t unit = first_unit; unit < last_unit; ++unit)
        run_unit(first_tile + i * count / blocks, first_tile + (i + 1) * count / blocks, unit);
  }

#if defined(AXIFORM_HAS_AMX)
  // By tiles of AMX. A few panels are unpacked for as many rows as stay in L2, and sixteen of these pass them at a time.
  void run_by_tiles(std::size_t first_tile, std::size_t last_tile, std::size_t first_unit, std::size_t last_unit) const noexcept {
    constexpr std::size_t height = simd::tile_height, l2_bytes = 768 * 1024;
    simd::TileScope const scope(height, weights_of_group / 4);
    alignas(64) std::byte numbers[most_unpacked_groups * tile_group_bytes];
    alignas(64) float scales[most_unpacked_groups * Scales::group_elements];
    alignas(64) float sums[height * most_panels * block_panel_width];
    std::size_t const last_panel = std::min(last_unit * integer_tile_panels, block_panel_count(layout.outputs));
    std::size_t const together = std::min(most_panels, most_unpacked_groups / layout.groups());
    std::size_t const block = std::max<std::size_t>(1, l2_bytes / (height * rows.k));
    for (std::size_t from = first_tile; from < last_tile; from += block)
      for (std::size_t panel = first_unit * integer_tile_panels; panel < last_panel; panel += together) {
        std::size_t const panels = std::min(together, last_panel - panel);
        unpack_panels(panel, panels, numbers, scales);
        for (std::size_t tile = from; tile < std::min(last_tile, from + block); ++tile)
          add_panels_by_tiles(tile, panel, panels, numbers, scales, sums);
      }
  }

  void unpack_panels(std::size_t panel, std::size_t panels, std::byte* numbers, float* scales) const noexcept {
    std::size_t const groups = layout.groups(), blocks = groups / Blocks::groups_of_block;
    std::size_t const bytes = groups * Blocks::group_bytes, scale_bytes = blocks * Blocks::block_scale_bytes;
    for (std::size_t p = 0; p < panels; ++p) {
      unpack_groups<Blocks>(packed + (panel + p) * bytes, groups, panels * bytes, numbers + p * groups * tile_group_bytes);
      widen_scales<Blocks>(packed + layout.scales_at(Blocks::format) + (panel + p) * scale_bytes, blocks, panels * scale_bytes,
                           scales + p * groups * Scales::group_elements);
    }
  }

  void add_panels_by_tiles(std::size_t tile, std::size_t panel, std::size_t panels, std::byte const* numbers, float const* scales,
                           float* sums) const noexcept {
    constexpr std::size_t stride = most_panels * block_panel_width;
    std::size_t const groups = layout.groups();
    // The last tile may begin among the rows of the one before it, and so has as many.
    std::size_t const row = row_of(tile), first = std::min(row, rows.rows - simd::tile_height);
    for (std::size_t p = 0; p < panels; ++p)
      add_groups_by_tiles<Blocks>({.groups = groups,
                                   .numbers = rows.numbers(first),
                                   .numbers_stride = rows.k,
                                   .scales = rows.scales(first),
                                   .offsets = rows.offsets(first),
                                   .scales_stride = groups,
                                   .words = numbers + p * groups * tile_group_bytes,
                                   .panel_scales = scales + p * groups * Scales::group_elements,
                                   .sums = sums + p * block_panel_width,
                                   .sums_stride = stride});
    std::size_t const column = panel * block_panel_width;
    finish_rows(epilogue, {row, row_of(tile + 1) - row, column, std::min(panels * block_panel_width, layout.outputs - column)},
                sums + (row - first) * stride, stride, c, c_stride);
  }
  static constexpr std::size_t most_panels = 4;
#endif
  // Of panels that are unpacked for tiles: 192 KiB. Longer rows are multiplied by vectors.
  static constexpr std::size_t most_unpacked_groups = 384;

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
    // Sixteen rows take as long by vectors, since weights are unpacked for them alone.
    bool const by_tiles =
        m >= 2 * simd::tile_height && k / weights_of_group <= detail::IntegerProduct<Blocks>::most_unpacked_groups && simd::may_use_tiles();
    detail::IntegerProduct<Blocks> const product{rows,     {k, n},  static_cast<std::byte const*>(packed_b.data), c, c_stride,
                                                 epilogue, by_tiles};
    run_tiles(product.tiles(), product.units(), m * n / (least_work / (k + 1) + 1), executor, [&](auto... part) { product.run(part...); });
  });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
