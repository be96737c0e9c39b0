/// @file
/// The register tile of integers: a few rows of numbers times a few panels of blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/words.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What a tile of integers reads and writes, from its first row, panel and group on.
struct IntegerTileOperands {
  std::size_t groups = 0;                 ///< How many of them are summed.
  std::int8_t const* numbers = nullptr;   ///< Of the rows.
  std::size_t numbers_stride = 0;         ///< Bytes from one row to the next.
  float const* scales = nullptr;          ///< Of the rows, for each group.
  std::int32_t const* offsets = nullptr;  ///< As the scales.
  std::size_t scales_stride = 0;          ///< Scales from one row to the next.
  std::byte const* words = nullptr;       ///< Of the panels.
  std::size_t words_stride = 0;           ///< Bytes from one panel to the next.
  std::uint16_t const* halves = nullptr;  ///< Scales of the panels, and minima.
  std::size_t halves_stride = 0;          ///< Halves from one panel to the next.
  float* sums = nullptr;                  ///< [rows, panels * 16]
  std::size_t sums_stride = 0;            ///< From one row to the next.
  bool resume = false;                    ///< Whether the sums hold those of the groups before these, to go on with.
};

/// A tile of some number of rows and panels.
using IntegerTile = void (*)(IntegerTileOperands const&) noexcept;

/// Rows of the largest tile.
inline constexpr std::size_t integer_tile_rows = 4;
/// Panels of the largest tile. The sums of 4 x 3 in integers and in floats, three registers of numbers and one of a row's are 28 of 32.
inline constexpr std::size_t integer_tile_panels = simd::lanes == 16 ? 3 : 1;

namespace detail {

// Calls each(step, numbers) for the eight words of a group's inputs: the numbers of each of `Vectors` registers of outputs, four bytes in a lane.
template <class Blocks, std::size_t Vectors, class Each>
[[gnu::always_inline]] inline void for_words(std::byte const* const (&words)[Vectors], Each const& each) noexcept {
  constexpr std::size_t step_bytes = 4 * block_panel_width;
  if constexpr (Blocks::bits == 8) {
#pragma GCC unroll 8
    for (std::size_t w = 0; w < 8; ++w) {
      simd::Ints numbers[Vectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v) numbers[v] = simd::load_words(words[v] + w * step_bytes);
      each(w, numbers);
    }
  } else {
    simd::Ints const low(0x0f0f0f0f);
#pragma GCC unroll 4
    for (std::size_t w = 0; w < 4; ++w) {
      simd::Ints pairs[Vectors], numbers[Vectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v) {
        pairs[v] = simd::load_words(words[v] + w * step_bytes);
        numbers[v] = pairs[v] & low;
      }
      each(w, numbers);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v) numbers[v] = (pairs[v] >> 4) & low;
      each(w + 4, numbers);
    }
  }
}

// Each element is, for groups 0, 1, …: sum = fma(integers * row's scale, weights' scale, sum), where there are minima then fma(minimum, row's offset, sum).
template <class Blocks, std::size_t Rows, std::size_t Panels>
[[gnu::noinline]] void tile_of_integers(IntegerTileOperands const& operands) noexcept {
  using simd::Floats, simd::Ints;
  constexpr std::size_t of_panel = block_panel_width / simd::lanes, vectors = Panels * of_panel;
  Floats sums[Rows][vectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v)
      sums[r][v] = operands.resume ? simd::load(operands.sums + r * operands.sums_stride + v * simd::lanes) : simd::broadcast(0.0f);

  std::int8_t const* numbers = operands.numbers;
  std::size_t const numbers_stride = operands.numbers_stride, scales_stride = operands.scales_stride;
  std::size_t const words_stride = operands.words_stride, halves_stride = operands.halves_stride;
  std::byte const* words = operands.words;
  std::uint16_t const* halves = operands.halves;
  for (std::size_t g = 0; g < operands.groups; ++g) {
    Ints integers[Rows][vectors];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      Ints const start = Blocks::has_minimum ? Ints(0) : Ints(operands.offsets[r * scales_stride + g]);
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) integers[r][v] = start;
    }
    std::byte const* places[vectors];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) places[v] = words + v / of_panel * words_stride + v % of_panel * 4 * simd::lanes;
    for_words<Blocks>(
        places, [&](std::size_t step, Ints(&weights)[vectors]) __attribute__((always_inline)) {
#pragma GCC unroll 8
          for (std::size_t r = 0; r < Rows; ++r) {
            Ints const row = simd::broadcast_word(numbers + r * numbers_stride + 4 * step);
#pragma GCC unroll 16
            for (std::size_t v = 0; v < vectors; ++v) simd::add_byte_products(integers[r][v], weights[v], row);
          }
        });
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) {
      std::uint16_t const* const place = halves + v / of_panel * halves_stride + v % of_panel * simd::lanes;
      Floats const scale = simd::load_half(place);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) {
        Floats const integer = xsimd::to_float(integers[r][v]);
        sums[r][v] = simd::fma(integer * simd::broadcast(operands.scales[r * scales_stride + g]), scale, sums[r][v]);
      }
      if constexpr (Blocks::has_minimum) {
        Floats const minimum = simd::load_half(place + block_panel_width);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Rows; ++r)
          sums[r][v] = simd::fma(minimum, xsimd::bitwise_cast<float>(Ints(operands.offsets[r * scales_stride + g])), sums[r][v]);
      }
    }
    numbers += weights_of_block;
    words += Blocks::group_bytes;
    halves += Blocks::group_halves;
  }

#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) simd::store(operands.sums + r * operands.sums_stride + v * simd::lanes, sums[r][v]);
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
