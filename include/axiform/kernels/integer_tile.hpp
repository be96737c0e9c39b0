/// @file
/// The register tile of integers: a few rows of numbers times a few panels of blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/block_scales.hpp>
#include <axiform/kernels/integer_arithmetic.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/words.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What a tile of integers reads and writes, from its first row, panel and group on.
struct IntegerTileOperands {
  std::size_t groups = 0;                 ///< How many of them are summed.
  std::byte const* numbers = nullptr;     ///< Of the rows.
  std::size_t numbers_stride = 0;         ///< Bytes from one row to the next.
  float const* scales = nullptr;          ///< Of the rows, for each group.
  std::int32_t const* offsets = nullptr;  ///< As the scales.
  std::size_t scales_stride = 0;          ///< Scales from one row to the next.
  std::byte const* words = nullptr;       ///< Of the panels.
  std::size_t words_stride = 0;           ///< Bytes from one panel to the next.
  void const* panel_scales = nullptr;     ///< Scales of the panels, and minima, as `TileScales` of the format has them.
  std::size_t panel_scales_stride = 0;    ///< Elements from one panel to the next.
  float* sums = nullptr;                  ///< [rows, panels * 16]
  std::size_t sums_stride = 0;            ///< From one row to the next.
  std::size_t words_ahead = 0;            ///< Bytes from a word to one that will be wanted; it is asked for, and need not be there.
  std::size_t panel_scales_ahead = 0;     ///< Bytes, the same for the scales of the panels.
  bool resume = false;                    ///< Whether the sums hold those of the groups before these, to go on with.
};

/// A tile of some number of rows and panels.
using IntegerTile = void (*)(IntegerTileOperands const&) noexcept;

/// Rows of the largest tile: six with AVX-VNNI, where twelve sums in integers, two registers of numbers and one of a row's are 15 of 16 (4 x 2: 3 to 8 % less).
inline constexpr std::size_t integer_tile_rows = simd::registers == 16 && simd::byte_products == simd::ByteProducts::of_four ? 6 : 4;
/// Panels of the largest tile.
inline constexpr std::size_t integer_tile_panels = simd::lanes == 16 ? 3 : 1;

namespace detail {

// Registers of outputs that a tile takes at once: all of its panels' with AVX-512, where the sums of 4 x 3 in integers and in floats, three registers of numbers
// and one of a row's are 28 of 32. Else two: eight sums in integers, two registers of words and two of their numbers, one of a row's, one of products and a
// mask are 15 of 16; sums in floats stay in memory.
inline constexpr std::size_t integer_tile_vectors = simd::lanes == 16 ? 3 : 2;
inline constexpr bool keeps_float_sums = simd::lanes == 16;

// A register of the row's scales and offsets.
[[gnu::always_inline]] inline simd::Floats as_floats(std::int32_t bits) noexcept { return xsimd::bitwise_cast<float>(simd::Ints(bits)); }

// Each element is, for groups 0, 1, …: sum = fma(integers * row's scale, weights' scale, sum), where there are minima then fma(minimum, row's offset, sum).
// `Vectors` registers of outputs from output `first` on.
template <class Blocks, std::size_t Rows, std::size_t Vectors>
[[gnu::always_inline]] inline void add_groups(IntegerTileOperands const& operands, std::size_t first) noexcept {
  using simd::Floats, simd::Ints;
  using Arithmetic = IntegerArithmetic<Blocks>;
  using Scales = TileScales<Blocks>;
  constexpr std::size_t of_panel = block_panel_width / simd::lanes;
  std::size_t const row_stride = operands.numbers_stride, scales_stride = operands.scales_stride, sums_stride = operands.sums_stride;
  std::size_t const words_ahead = operands.words_ahead;
  std::byte const* numbers = operands.numbers;
  std::byte const* words[Vectors];
  typename Scales::Element const* scales[Vectors];
#pragma GCC unroll 8
  for (std::size_t v = 0; v < Vectors; ++v) {
    words[v] = operands.words + v / of_panel * operands.words_stride + (first + v % of_panel * simd::lanes) * 4;
    scales[v] = static_cast<typename Scales::Element const*>(operands.panel_scales) + v / of_panel * operands.panel_scales_stride + first +
                v % of_panel * simd::lanes;
  }
  float* const kept = operands.sums + first;
  Floats sums[Rows][Vectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) {
      sums[r][v] = operands.resume ? simd::load(kept + r * sums_stride + v * simd::lanes) : simd::broadcast(0.0f);
      if (!keeps_float_sums) simd::store(kept + r * sums_stride + v * simd::lanes, sums[r][v]);
    }

  for (std::size_t g = 0; g < operands.groups; ++g) {
    Ints integers[Rows][Vectors];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      Ints const start = Arithmetic::begin(operands.offsets[r * scales_stride + g]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v) integers[r][v] = start;
    }
    Arithmetic::for_steps(
        words, words_ahead, [&](std::size_t step, Ints(&weights)[Vectors]) __attribute__((always_inline)) {
#pragma GCC unroll 8
          for (std::size_t r = 0; r < Rows; ++r) {
            Ints row = simd::broadcast_word(numbers + r * row_stride + 4 * step);
            if constexpr (Arithmetic::keeps) simd::keep(row);
#pragma GCC unroll 8
            for (std::size_t v = 0; v < Vectors; ++v) {
              Arithmetic::add(integers[r][v], weights[v], row);
              if constexpr (Arithmetic::keeps) simd::keep(integers[r][v]);
            }
          }
        });
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) {
      Floats const scale = Scales::load(scales[v]);
      if (!Scales::are_widened && v % of_panel == 0) ask_for(scales[v], operands.panel_scales_ahead);
      [[maybe_unused]] Floats const minimum = Scales::load(scales[v] + (Blocks::has_minimum ? block_panel_width : 0));
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) {
        std::int32_t const offset = operands.offsets[r * scales_stride + g];
        float* const place = kept + r * sums_stride + v * simd::lanes;
        Floats sum = keeps_float_sums ? sums[r][v] : simd::load(place);
        Floats const integer = xsimd::to_float(Arithmetic::end(integers[r][v], offset));
        sum = simd::fma(integer * simd::broadcast(operands.scales[r * scales_stride + g]), scale, sum);
        if constexpr (Blocks::has_minimum) sum = simd::fma(minimum, as_floats(offset), sum);
        if (keeps_float_sums) {
          sums[r][v] = sum;
        } else {
          simd::store(place, sum);
        }
      }
      words[v] += Blocks::group_bytes;
      scales[v] += Scales::group_elements;
    }
    numbers += weights_of_group * sizeof(typename Arithmetic::Number);
  }

  if (keeps_float_sums)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v) simd::store(kept + r * sums_stride + v * simd::lanes, sums[r][v]);
}

template <class Blocks, std::size_t Rows, std::size_t Panels>
[[gnu::noinline]] void tile_of_integers(IntegerTileOperands const& operands) noexcept {
  constexpr std::size_t all = Panels * block_panel_width / simd::lanes;
  constexpr std::size_t vectors = all < integer_tile_vectors ? all : integer_tile_vectors;
  for (std::size_t first = 0; first < all * simd::lanes; first += vectors * simd::lanes) add_groups<Blocks, Rows, vectors>(operands, first);
}

template <class Blocks, std::size_t... Index>
constexpr auto integer_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<IntegerTile, sizeof...(Index)>{
      &tile_of_integers<Blocks, Index / integer_tile_panels + 1, Index % integer_tile_panels + 1>...};
}

}  // namespace detail

/// The tile of 1 to `integer_tile_rows` rows and 1 to `integer_tile_panels` panels.
template <class Blocks>
IntegerTile integer_tile(std::size_t rows, std::size_t panels) noexcept {
  static constexpr auto tiles = detail::integer_tiles<Blocks>(std::make_index_sequence<integer_tile_rows * integer_tile_panels>{});
  return tiles[(rows - 1) * integer_tile_panels + panels - 1];
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
