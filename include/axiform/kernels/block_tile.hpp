/// @file
/// The register tile of a few rows with weights in blocks, which are widened in registers: for rows too few to be worth widening a panel first.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/gemm_tile.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// Rows for which a panel is taken as a whole. Where registers do not suffice for the sums of more (AVX2: five rows take 1.5 times as long otherwise), its
// halves come one after the other; the second is in L1 then.
constexpr std::size_t rows_of_whole_panel = simd::registers >= 32 ? tile_rows : 4;

// As `tile`, of whole panels: each element is fma(a[k], weight, sum) in the order of k. Memory ahead is asked for, since there is more between two loads
// than the processor looks ahead.
template <class Blocks, std::size_t Rows, std::size_t Vectors, std::size_t Panels>
[[gnu::always_inline]] inline void add_blocks(simd::Floats (&sums)[Rows][Vectors * Panels], float const* const (&a)[Rows],
                                              std::size_t count, std::byte const* group, std::size_t column,
                                              std::size_t panel_bytes) noexcept {
  using simd::Floats, simd::Ints;
  constexpr std::size_t all = Panels * Vectors;
  constexpr std::size_t prefetched = 2048;
  // Where vector v of what lies [panel_width] wide is.
  auto const place = [=](std::size_t v, std::size_t bytes) {
    return v / Vectors * panel_bytes + (column + v % Vectors * simd::lanes) * bytes;
  };
  for (std::size_t k = 0; k < count; k += weights_of_block, group += Blocks::bytes * panel_width) {
    Floats scales[all], minima[all];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < all; ++v) {
      scales[v] = Blocks::load(group + place(v, 2));
      if constexpr (Blocks::has_minimum) minima[v] = Blocks::load(group + 2 * panel_width + place(v, 2));
    }
    std::byte const* words = group + Blocks::words_at * panel_width;
    for (std::size_t w = 0; w < Blocks::bits; ++w, words += 4 * panel_width) {
      Ints word[all];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < all; ++v) {
        word[v] = Blocks::load_words(words + place(v, 4));
        if (v * simd::lanes * 4 % 64 == 0) __builtin_prefetch(words + place(v, 4) + prefetched);
      }
      for_constants(
          [&](auto j) {
            Floats factors[Rows];
#pragma GCC unroll 8
            for (std::size_t r = 0; r < Rows; ++r) factors[r] = simd::broadcast(a[r][k + w * Blocks::inputs + j]);
#pragma GCC unroll 16
            for (std::size_t v = 0; v < all; ++v) {
              Floats const weight = Blocks::weight(Blocks::template number<j>(word[v]), scales[v], minima[v]);
#pragma GCC unroll 8
              for (std::size_t r = 0; r < Rows; ++r) sums[r][v] = simd::fma(factors[r], weight, sums[r][v]);
            }
          },
          std::make_index_sequence<Blocks::inputs>{});
    }
  }
}

template <class Blocks, std::size_t Rows, std::size_t Panels>
[[gnu::noinline]] void tile_of_blocks(TileOperands const& operands) noexcept {
  constexpr std::size_t vectors = Rows <= rows_of_whole_panel ? tile_vectors : tile_vectors / 2;
  float const* a[Rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) a[r] = operands.a + r * operands.a_stride;
  std::size_t const panel_bytes = operands.b_panel_stride / weights_of_block * Blocks::bytes;
  auto const* const groups = reinterpret_cast<std::byte const*>(operands.b);
  TileOperands part = operands;
  for (std::size_t column = 0; column < panel_width; column += vectors * simd::lanes) {
    simd::Floats sums[Rows][vectors * Panels];
    begin_tile(sums, part);
    add_blocks<Blocks, Rows, vectors, Panels>(sums, a, operands.k, groups, column, panel_bytes);
    finish_tile(sums, part);
    part.c += vectors * simd::lanes;
    if (part.bias != nullptr) part.bias += vectors * simd::lanes;
    if (part.residual != nullptr) part.residual += vectors * simd::lanes;
  }
}

// Where a panel is two registers wide, one row of one panel has two sums in flight, half of what hides the latency of fma.
constexpr std::size_t block_panels_at_once(std::size_t rows) noexcept { return rows == 1 && tile_vectors < 4 ? 2 : 1; }

template <class Blocks, std::size_t... Index>
constexpr auto block_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<Tile, sizeof...(Index)>{&tile_of_blocks<Blocks, Index + 1, 1>...};
}
template <class Blocks, std::size_t... Index>
constexpr auto wide_block_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<Tile, sizeof...(Index)>{&tile_of_blocks<Blocks, Index + 1, block_panels_at_once(Index + 1)>...};
}

}  // namespace detail

/// The tile of 1 to `tile_rows` rows and one panel of blocks.
inline Tile block_tile(WeightFormat format, std::size_t rows) noexcept {
  Tile result = nullptr;
  with_block_weights(format, [&]<class Blocks>(Blocks) {
    static constexpr auto tiles = detail::block_tiles<Blocks>(std::make_index_sequence<tile_rows>{});
    result = tiles[rows - 1];
  });
  return result;
}

/// The same for many full panels.
inline WideTile wide_block_tile(WeightFormat format, std::size_t rows) noexcept {
  WideTile result{nullptr, detail::block_panels_at_once(rows)};
  with_block_weights(format, [&]<class Blocks>(Blocks) {
    static constexpr auto tiles = detail::wide_block_tiles<Blocks>(std::make_index_sequence<tile_rows>{});
    result.tile = tiles[rows - 1];
  });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
