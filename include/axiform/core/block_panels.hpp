/// @file
/// Blocks of weights in panels of 16 rows, as products stream them: the layout, which is the same on every machine and in files that were prepared, and how
/// rows of blocks are written to it and read from it.
///
/// What a block has lies in two arrays, so that numbers are not parted by scales. `blocks` are those of a row, from one panel to the next:
///
///     numbers  [panels][blocks][words][16]           32 bits each: 8 words for 32 numbers of 8 bits, 4 for 32 of 4 bits
///     scales   [panels][blocks] of [halves][16]      16 bits each: the scale; of q4_1 and q4_k behind it the minimum, or the scale of minima
///                              and [scale_words][16] 32 bits each: of q4_k the three words of its groups' scales and minima, as the block has them
///
/// Word w of 8 bits has the inputs 4 w to 4 w + 3, a byte each; of 4 bits the same in the lower halves of its bytes, and those 16 further on in the upper
/// halves. So q4_0 and q4_1 have them in their blocks; a block of q4_k has group 2 i in the lower halves and group 2 i + 1 in the upper ones, and becomes
/// eight groups like those of q4_1. Words are exchanged whole, and a register of them lies across outputs. All numbers are without sign: those of 8 bits are
/// greater by 128 than in blocks. Memory that is all zeros is weights that are zeros, for their scales are; and no byte more is there than the blocks have.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>

#if AXIFORM_DEFINES(core)
#include <cstring>
#endif

namespace axiform {

/// Rows of a panel of blocks: outputs of a product.
inline constexpr std::size_t block_panel_rows = 16;

/// What a block is made of, one behind the other: halves, words of scales, words of numbers.
struct BlockParts {
  std::size_t halves;        ///< Of 16 bits: its scale, and what goes with minima.
  std::size_t scale_words;   ///< Of 32 bits: the scales of its groups.
  std::size_t number_words;  ///< Of 32 bits.

  constexpr std::size_t scale_bytes() const noexcept { return 2 * halves + 4 * scale_words; }  ///< All that are no numbers.
  constexpr std::size_t number_bytes() const noexcept { return 4 * number_words; }             ///< Of the numbers.
  constexpr std::size_t bytes() const noexcept { return scale_bytes() + number_bytes(); }      ///< Of the block.
};

/// That of a format's blocks. @pre The format is one of blocks.
constexpr BlockParts parts_of_block(WeightFormat format) noexcept {
  if (format == WeightFormat::q8_0) return {1, 0, 8};
  if (format == WeightFormat::q4_0) return {1, 0, 4};
  if (format == WeightFormat::q4_1) return {2, 0, 4};
  return {2, 3, 32};
}

/// Where rows lie in panels.
/// @tparam Byte `std::byte` or `std::byte const`.
template <class Byte>
struct BlockPanels {
  Byte* numbers;           ///< Those of the first panel.
  Byte* scales;            ///< The same.
  std::size_t row_blocks;  ///< Blocks of a row.
};

/// Writes the blocks [first_block, first_block + count) of a row, as core/weight_blocks.hpp has them.
void pack_blocks(WeightFormat format, std::byte const* blocks, BlockPanels<std::byte> panels, std::size_t row, std::size_t first_block,
                 std::size_t count) noexcept;

/// Reads the blocks [first_block, first_block + count) of a row, as core/weight_blocks.hpp has them.
void unpack_blocks(WeightFormat format, BlockPanels<std::byte const> panels, std::size_t row, std::size_t first_block, std::size_t count,
                   std::byte* blocks) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

namespace detail::block_panels {

// The numbers of a block as panels have them become those of the block, or the other way round.
inline void convert_numbers(WeightFormat format, std::uint32_t (&words)[32]) noexcept {
  if (format == WeightFormat::q8_0)
    for (std::size_t w = 0; w < 8; ++w) words[w] ^= 0x80808080u;
  if (format != WeightFormat::q4_k) return;
  constexpr std::uint32_t lower = 0x0f0f0f0fu, upper = 0xf0f0f0f0u;
  // Of two groups, whose words stand in two fours: the upper halves of the first four and the lower ones of the second change places.
  for (std::size_t pair = 0; pair < 32; pair += 8)
    for (std::size_t w = pair; w < pair + 4; ++w) {
      std::uint32_t const first = words[w], second = words[w + 4];
      words[w] = (first & lower) | (second & lower) << 4;
      words[w + 4] = (first >> 4 & lower) | (second & upper);
    }
}

// Copies `count` pieces of a block to where a panel has them, side by side with those of other rows, or back.
template <std::size_t Size>
void spread(std::byte const* block, std::size_t count, std::byte* panel) noexcept {
  for (std::size_t i = 0; i < count; ++i) std::memcpy(panel + i * block_panel_rows * Size, block + i * Size, Size);
}
template <std::size_t Size>
void collect(std::byte const* panel, std::size_t count, std::byte* block) noexcept {
  for (std::size_t i = 0; i < count; ++i) std::memcpy(block + i * Size, panel + i * block_panel_rows * Size, Size);
}

// Calls use(numbers, halves, scale_words) with where the pieces of each block of a row lie.
template <class Byte, class Use>
void for_blocks(BlockParts parts, BlockPanels<Byte> panels, std::size_t row, std::size_t first_block, std::size_t count,
                Use const& use) noexcept {
  std::size_t const first = row / block_panel_rows * panels.row_blocks + first_block, lane = row % block_panel_rows;
  for (std::size_t block = first; block < first + count; ++block) {
    Byte* const scales = panels.scales + block * block_panel_rows * parts.scale_bytes();
    use(panels.numbers + block * block_panel_rows * parts.number_bytes() + 4 * lane, scales + 2 * lane,
        scales + block_panel_rows * 2 * parts.halves + 4 * lane);
  }
}

}  // namespace detail::block_panels

AXIFORM_INLINE void pack_blocks(WeightFormat format, std::byte const* blocks, BlockPanels<std::byte> panels, std::size_t row,
                                std::size_t first_block, std::size_t count) noexcept {
  BlockParts const parts = parts_of_block(format);
  detail::block_panels::for_blocks(
      parts, panels, row, first_block, count, [&](std::byte* numbers, std::byte* halves, std::byte* scale_words) {
        std::uint32_t words[32];
        std::memcpy(words, blocks + parts.scale_bytes(), parts.number_bytes());
        detail::block_panels::convert_numbers(format, words);
        detail::block_panels::spread<2>(blocks, parts.halves, halves);
        detail::block_panels::spread<4>(blocks + 2 * parts.halves, parts.scale_words, scale_words);
        detail::block_panels::spread<4>(reinterpret_cast<std::byte const*>(words), parts.number_words, numbers);
        blocks += parts.bytes();
      });
}

AXIFORM_INLINE void unpack_blocks(WeightFormat format, BlockPanels<std::byte const> panels, std::size_t row, std::size_t first_block,
                                  std::size_t count, std::byte* blocks) noexcept {
  BlockParts const parts = parts_of_block(format);
  detail::block_panels::for_blocks(parts, panels, row, first_block, count,
                                   [&](std::byte const* numbers, std::byte const* halves, std::byte const* scale_words) {
                                     std::uint32_t words[32];
                                     detail::block_panels::collect<4>(numbers, parts.number_words, reinterpret_cast<std::byte*>(words));
                                     detail::block_panels::convert_numbers(format, words);
                                     detail::block_panels::collect<2>(halves, parts.halves, blocks);
                                     detail::block_panels::collect<4>(scale_words, parts.scale_words, blocks + 2 * parts.halves);
                                     std::memcpy(blocks + parts.scale_bytes(), words, parts.number_bytes());
                                     blocks += parts.bytes();
                                   });
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
