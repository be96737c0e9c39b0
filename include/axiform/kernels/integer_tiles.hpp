/// @file
/// Sixteen rows of numbers times a panel of blocks, by tiles of AMX: the sums of kernels/integer_tile.hpp.
///
/// A group is one product of tiles, of 16 rows by 32 numbers and 32 numbers by 16 outputs. Weights are unpacked to signed bytes, once for many rows. What a
/// group costs besides is to bring its 256 integers from the tile to vectors through memory, and to scale them: 60 cycles, of which the product is 16
/// (docs/decisions/0050-products-by-tiles.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/block_scales.hpp>
#include <axiform/kernels/integer_arithmetic.hpp>
#include <axiform/kernels/integer_tile.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/tiles.hpp>
#include <axiform/simd/words.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

#if defined(AXIFORM_HAS_AMX)

/// Bytes of a panel's group as tiles take it: `[8 words][16 outputs][4 numbers]`.
inline constexpr std::size_t tile_group_bytes = weights_of_group * block_panel_width;

/// Unpacks groups of a panel.
/// @param words  Of the panel's first group that is wanted.
/// @param ahead  Bytes from a word to one that will be wanted; it is asked for, and need not be there.
/// @param target [groups][tile_group_bytes]
template <class Blocks>
void unpack_groups(std::byte const* words, std::size_t groups, std::size_t ahead, std::byte* target) noexcept {
  // Numbers without sign lose their zero; those of 8 bits by turning the highest bit.
  constexpr std::uint32_t turned = Blocks::bits == 8 ? 0x80808080u : 0u;
  for (std::size_t g = 0; g < groups; ++g, words += Blocks::group_bytes, target += tile_group_bytes) {
    std::byte const* const places[1] = {words};
    detail::for_bytes<Blocks, turned>(
        places, ahead, [&](std::size_t w, simd::Ints(&numbers)[1]) __attribute__((always_inline)) {
          if constexpr (Blocks::bits == 4 && !Blocks::has_minimum)
            numbers[0] = simd::subtract_bytes(numbers[0], simd::Ints(Blocks::zero * 0x01010101));
          numbers[0].store_unaligned(reinterpret_cast<std::int32_t*>(target + w * 4 * block_panel_width));
        });
  }
}

/// As a tile of integers of `simd::tile_height` rows and one panel, whose words are those of `unpack_groups`, and whose scales those of `widen_scales`, of
/// any format.
/// They are all groups of a sum. @pre A scope of tiles of so many rows and of 8 words.
template <class Blocks>
[[gnu::noinline]] void add_groups_by_tiles(IntegerTileOperands const& operands) noexcept {
  using simd::Floats, simd::Ints;
  constexpr std::size_t height = simd::tile_height;
  alignas(64) std::int32_t integers[2][height * block_panel_width];
  Floats sums[height];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < height; ++r) sums[r] = simd::broadcast(0.0f);
  std::byte const* numbers = operands.numbers;
  std::byte const* words = operands.words;
  auto const multiply = [&](std::int32_t * target) __attribute__((always_inline)) {
    simd::zero_tile<0>();
    simd::load_tile<4>(numbers, operands.numbers_stride);
    simd::load_tile<6>(words, 4 * block_panel_width);
    simd::add_products_of_bytes<0, 4, 6>();
    simd::store_tile<0>(target, 4 * block_panel_width);
    numbers += weights_of_group;
    words += tile_group_bytes;
  };
  multiply(integers[0]);
  auto const* scales = static_cast<float const*>(operands.panel_scales);
  for (std::size_t g = 0; g < operands.groups; ++g, scales += TileScales<Blocks>::group_elements) {
    if (g + 1 < operands.groups) multiply(integers[(g + 1) % 2]);
    Floats const scale = simd::load(scales);
    [[maybe_unused]] Floats const minimum = simd::load(scales + (Blocks::has_minimum ? block_panel_width : 0));
#pragma GCC unroll 16
    for (std::size_t r = 0; r < height; ++r) {
      Floats const integer = xsimd::to_float(Ints::load_aligned(integers[g % 2] + r * block_panel_width));
      sums[r] = simd::fma(integer * simd::broadcast(operands.scales[r * operands.scales_stride + g]), scale, sums[r]);
      if constexpr (Blocks::has_minimum)
        sums[r] = simd::fma(minimum, detail::as_floats(operands.offsets[r * operands.scales_stride + g]), sums[r]);
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < height; ++r) simd::store(operands.sums + r * operands.sums_stride, sums[r]);
}

#endif

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
