/// @file
/// A packed matrix whose weights are in blocks: its layout, and how rows are written to it and read from it.
///
/// A panel has 16 outputs, for every instruction set, and its inputs in groups of 32, one block of each output. What blocks have lies in two arrays,
/// one behind the other, so that numbers begin at multiples of 64 bytes and scales do not come between them:
///
///     numbers  [panels][groups][words][16]  32 bits each: 8 words for numbers of 8 bits, 4 for numbers of 4
///     scales   [panels][groups][16]         binary16; of q4_1 [panels][groups][2][16], the minima behind the scales
///
/// Word w of 8 bits has the inputs 4 w to 4 w + 3, a byte each; of 4 bits the same in the lower halves of its bytes, and those 16 further on in the upper
/// halves, as blocks have them. So a matrix is made by exchanging words of 32 bits, and a register of words lies across outputs. All numbers are without
/// sign: those of 8 bits are greater by 128 than in blocks. Memory that is all zeros is a matrix of zeros, for its scales are; and no byte more is there
/// than the blocks themselves have.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>

#if AXIFORM_DEFINES(kernels)
#include <cstring>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Outputs of a panel of blocks.
inline constexpr std::size_t block_panel_width = 16;

/// What kernels know of a format of blocks.
template <unsigned Bits, bool HasMinimum>
struct BlockWeights {
  static constexpr unsigned bits = Bits;                                    ///< Of a number, and words of an output in a group.
  static constexpr bool has_minimum = HasMinimum;                           ///< Else `zero` is subtracted from numbers.
  static constexpr std::int32_t zero = HasMinimum ? 0 : 1 << (Bits - 1);    ///< The number of a weight that is zero, as packed.
  static constexpr std::size_t halves = HasMinimum ? 2 : 1;                 ///< Of an output in a group: its scale, its minimum.
  static constexpr std::size_t bytes = 2 * halves + 4 * Bits;               ///< Of a block.
  static constexpr std::size_t group_bytes = 4 * Bits * block_panel_width;  ///< Of the numbers of a panel's group.
  static constexpr std::size_t group_halves = halves * block_panel_width;   ///< Of a panel's group.
};

/// Calls `use(BlockWeights<…>{})` with those of the format.
/// @pre The format is one of blocks.
template <class Use>
[[gnu::always_inline]] inline void with_block_weights(WeightFormat format, Use const& use) {
  if (format == WeightFormat::q8_0) return use(BlockWeights<8, false>{});
  if (format == WeightFormat::q4_0) return use(BlockWeights<4, false>{});
  return use(BlockWeights<4, true>{});
}

/// The panels of a matrix in blocks that has `outputs` outputs.
constexpr std::size_t block_panel_count(std::size_t outputs) noexcept {
  return outputs / block_panel_width + (outputs % block_panel_width != 0);
}
/// The weights of a packed matrix in blocks, those that fill its last panel included; `bytes_of` them are its bytes.
constexpr std::size_t packed_block_weights(std::size_t inputs, std::size_t outputs) noexcept {
  return block_panel_count(outputs) * block_panel_width * inputs;
}

/// The shape of a packed matrix in blocks, which says where what lies.
struct BlockLayout {
  std::size_t inputs;   ///< A multiple of 32.
  std::size_t outputs;  ///< Any number.

  /// Groups of a panel.
  constexpr std::size_t groups() const noexcept { return inputs / weights_of_block; }
  /// The bytes of all numbers, behind which the scales begin.
  template <class Blocks>
  constexpr std::size_t scales_at() const noexcept {
    return block_panel_count(outputs) * groups() * Blocks::group_bytes;
  }
};

/// Writes the blocks [first_block, first_block + count) of output `output`, as core/weight_blocks.hpp has them.
/// @param packed The whole packed matrix.
void pack_blocks(WeightFormat format, std::byte const* blocks, BlockLayout layout, std::size_t output, std::size_t first_block,
                 std::size_t count, std::byte* packed) noexcept;

/// Reads the blocks [first_block, first_block + count) of output `output`, as core/weight_blocks.hpp has them.
/// @param packed The whole packed matrix.
void unpack_blocks(WeightFormat format, std::byte const* packed, BlockLayout layout, std::size_t output, std::size_t first_block,
                   std::size_t count, std::byte* blocks) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Calls copy(i, packed, turn) for each of `count` blocks of an output, for each piece of it: where in the block and where in the packed matrix it lies, its
// bytes, and the bits that differ between the two.
template <class Blocks, class Copy>
void for_pieces(BlockLayout layout, std::size_t output, std::size_t first_block, std::size_t count, Copy const& copy) noexcept {
  std::size_t const first = output / block_panel_width * layout.groups() + first_block, lane = output % block_panel_width;
  std::size_t const scales = layout.scales_at<Blocks>();
  constexpr std::uint32_t turned = Blocks::bits == 8 ? 0x80808080u : 0u;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t const block = i * Blocks::bytes, group = first + i;
    for (std::size_t h = 0; h < Blocks::halves; ++h)
      copy.template operator()<std::uint16_t>(block + 2 * h, scales + 2 * (group * Blocks::group_halves + h * block_panel_width + lane),
                                              0u);
    for (std::size_t w = 0; w < Blocks::bits; ++w)
      copy.template operator()<std::uint32_t>(block + 2 * Blocks::halves + 4 * w,
                                              group * Blocks::group_bytes + 4 * (w * block_panel_width + lane), turned);
  }
}

// As many bytes as a `Piece` has, some of their bits turned.
template <class Piece>
void copy_piece(std::byte const* source, std::byte* target, std::uint32_t turned) noexcept {
  Piece piece;
  std::memcpy(&piece, source, sizeof piece);
  piece = static_cast<Piece>(piece ^ turned);
  std::memcpy(target, &piece, sizeof piece);
}

}  // namespace detail

AXIFORM_INLINE void pack_blocks(WeightFormat format, std::byte const* blocks, BlockLayout layout, std::size_t output,
                                std::size_t first_block, std::size_t count, std::byte* packed) noexcept {
  with_block_weights(format, [&]<class Blocks>(Blocks) {
    detail::for_pieces<Blocks>(layout, output, first_block, count,
                               [=]<class Piece>(std::size_t from, std::size_t to, std::uint32_t turned) {
                                 detail::copy_piece<Piece>(blocks + from, packed + to, turned);
                               });
  });
}

AXIFORM_INLINE void unpack_blocks(WeightFormat format, std::byte const* packed, BlockLayout layout, std::size_t output,
                                  std::size_t first_block, std::size_t count, std::byte* blocks) noexcept {
  with_block_weights(format, [&]<class Blocks>(Blocks) {
    detail::for_pieces<Blocks>(layout, output, first_block, count,
                               [=]<class Piece>(std::size_t to, std::size_t from, std::uint32_t turned) {
                                 detail::copy_piece<Piece>(packed + from, blocks + to, turned);
                               });
  });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
