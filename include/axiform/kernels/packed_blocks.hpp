/// @file
/// A packed matrix whose weights are in blocks: its layout, how rows are written to it and read from it, and how its panels become floats.
///
/// A panel has its inputs in groups of 32, one block of each of its `panel_width` outputs:
///
///     scales   [panel_width]        binary16
///     minima   [panel_width]        binary16, of q4_1 alone
///     words    [bits][panel_width]  32 bits each
///
/// A word has the numbers of 32 / bits inputs of one output, the first in its lowest bits, in two's complement where numbers have a sign: a
/// register of words lies across outputs, as one of floats does, and memory that is all zeros is a matrix of zeros. No byte more than the
/// blocks themselves have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/simd/batch.hpp>

#if AXIFORM_DEFINES(kernels)
#include <cstring>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What kernels know of a format of blocks.
template <unsigned Bits, bool HasMinimum>
struct BlockWeights {
  static constexpr unsigned bits = Bits;                       ///< Of a number, and words of an output in a group.
  static constexpr bool has_minimum = HasMinimum;              ///< Else numbers have a sign.
  static constexpr std::size_t inputs = 32 / Bits;             ///< Whose numbers a word has.
  static constexpr std::size_t words_at = HasMinimum ? 4 : 2;  ///< Bytes of a block before its numbers.
  static constexpr std::size_t bytes = words_at + Bits * 4;    ///< Of a block.

  /// Scales, or minima: `lanes` of them.
  [[gnu::always_inline]] static simd::Floats load(std::byte const* halves) noexcept {
    return simd::load_half(reinterpret_cast<std::uint16_t const*>(halves));
  }
  /// The words of `lanes` outputs.
  [[gnu::always_inline]] static simd::Ints load_words(std::byte const* words) noexcept {
    return simd::load_words(reinterpret_cast<std::uint32_t const*>(words));
  }

  /// The numbers of input `Index` of a word as floats.
  template <std::size_t Index>
  [[gnu::always_inline]] static simd::Floats number(simd::Ints words) noexcept {
    return simd::floats_of_bits<Index * Bits, Bits, HasMinimum ? simd::Sign::absent : simd::Sign::twos_complement>(words);
  }

  /// Weights: number * scale, + minimum where there is one, which rounds once.
  [[gnu::always_inline]] static simd::Floats weight(simd::Floats number, simd::Floats scale,
                                                    [[maybe_unused]] simd::Floats minimum) noexcept {
    if constexpr (HasMinimum) {
      return simd::fma(number, scale, minimum);
    } else {
      return number * scale;
    }
  }
};

/// Calls `use(BlockWeights<…>{})` with those of the format.
/// @pre The format is one of blocks.
template <class Use>
[[gnu::always_inline]] inline void with_block_weights(WeightFormat format, Use const& use) {
  if (format == WeightFormat::q8_0) return use(BlockWeights<8, false>{});
  if (format == WeightFormat::q4_0) return use(BlockWeights<4, false>{});
  return use(BlockWeights<4, true>{});
}

namespace detail {

// Calls each(index) for 0, 1, … Count - 1, as constants.
template <class Each, std::size_t... Index>
[[gnu::always_inline]] inline void for_constants(Each const& each, std::index_sequence<Index...>) noexcept {
  (each(std::integral_constant<std::size_t, Index>{}), ...);
}

}  // namespace detail

/// Writes the blocks [first_block, first_block + count) of output `output`, as core/weight_blocks.hpp has them.
/// @param packed The whole packed matrix of `inputs` inputs.
void pack_blocks(WeightFormat format, std::byte const* blocks, std::size_t inputs, std::size_t output, std::size_t first_block,
                 std::size_t count, std::byte* packed) noexcept;

/// Reads the blocks [first_block, first_block + count) of output `output`, as core/weight_blocks.hpp has them.
/// @param packed The whole packed matrix of `inputs` inputs.
void unpack_blocks(WeightFormat format, std::byte const* packed, std::size_t inputs, std::size_t output, std::size_t first_block,
                   std::size_t count, std::byte* blocks) noexcept;

/// Widens `inputs` inputs of a panel, whole groups, to `[inputs][panel_width]` floats.
/// @param groups The first of the groups. @param target At a multiple of a register's size.
void widen_groups(WeightFormat format, std::byte const* groups, std::size_t inputs, float* target) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Numbers i and i + 16 of a block are in one byte, in a word those of eight neighbours; q4_0 has 8 added in blocks. Either is its own inverse
// but for the order of nibbles, so both directions go by the nibble.
inline unsigned nibble_of(std::byte const* numbers, std::size_t i) noexcept {
  return std::to_integer<unsigned>(numbers[i % 16] >> (i < 16 ? 0 : 4)) & 15u;
}

// Of the group of a panel that a block is in.
inline std::size_t bytes_before_block(WeightFormat format, std::size_t inputs, std::size_t output, std::size_t block) noexcept {
  return bytes_of(format, (output / panel_width * inputs + block * weights_of_block) * panel_width);
}

template <class Blocks>
void pack_row(std::byte const* blocks, std::size_t count, std::byte* group, std::size_t lane) noexcept {
  for (std::size_t i = 0; i < count; ++i, blocks += Blocks::bytes, group += Blocks::bytes * panel_width) {
    std::memcpy(group + 2 * lane, blocks, 2);
    if constexpr (Blocks::has_minimum) std::memcpy(group + 2 * (panel_width + lane), blocks + 2, 2);
    std::byte const* const numbers = blocks + Blocks::words_at;
    for (std::size_t w = 0; w < Blocks::bits; ++w) {
      std::uint32_t word = 0;
      for (std::size_t j = 0; j < Blocks::inputs; ++j) {
        std::size_t const input = w * Blocks::inputs + j;
        std::uint32_t const number = Blocks::bits == 8 ? std::to_integer<std::uint32_t>(numbers[input])
                                                       : nibble_of(numbers, input) ^ (Blocks::has_minimum ? 0u : 8u);
        word |= number << j * Blocks::bits;
      }
      std::memcpy(group + Blocks::words_at * panel_width + 4 * (w * panel_width + lane), &word, 4);
    }
  }
}

template <class Blocks>
void unpack_row(std::byte const* group, std::size_t lane, std::size_t count, std::byte* blocks) noexcept {
  for (std::size_t i = 0; i < count; ++i, blocks += Blocks::bytes, group += Blocks::bytes * panel_width) {
    std::memcpy(blocks, group + 2 * lane, 2);
    if constexpr (Blocks::has_minimum) std::memcpy(blocks + 2, group + 2 * (panel_width + lane), 2);
    std::byte* const numbers = blocks + Blocks::words_at;
    if constexpr (Blocks::bits == 4) std::memset(numbers, 0, 16);
    for (std::size_t w = 0; w < Blocks::bits; ++w) {
      std::uint32_t word;
      std::memcpy(&word, group + Blocks::words_at * panel_width + 4 * (w * panel_width + lane), 4);
      for (std::size_t j = 0; j < Blocks::inputs; ++j, word >>= Blocks::bits) {
        std::size_t const input = w * Blocks::inputs + j;
        if constexpr (Blocks::bits == 8) {
          numbers[input] = static_cast<std::byte>(word & 255u);
        } else {
          unsigned const number = (word & 15u) ^ (Blocks::has_minimum ? 0u : 8u);
          numbers[input % 16] |= static_cast<std::byte>(number << (input < 16 ? 0 : 4));
        }
      }
    }
  }
}

template <class Blocks>
void widen(std::byte const* group, std::size_t inputs, float* target) noexcept {
  using simd::Floats, simd::Ints;
  for (std::size_t k = 0; k < inputs; k += 32, group += Blocks::bytes * panel_width) {
    Floats scales[tile_vectors], minima[tile_vectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < tile_vectors; ++v) {
      scales[v] = Blocks::load(group + 2 * v * simd::lanes);
      if constexpr (Blocks::has_minimum) minima[v] = Blocks::load(group + 2 * (panel_width + v * simd::lanes));
    }
    std::byte const* words = group + Blocks::words_at * panel_width;
    for (std::size_t w = 0; w < Blocks::bits; ++w)
#pragma GCC unroll 4
      for (std::size_t v = 0; v < tile_vectors; ++v, words += 4 * simd::lanes) {
        Ints const word = Blocks::load_words(words);
        float* const to = target + (k + w * Blocks::inputs) * panel_width + v * simd::lanes;
        for_constants(
            [&](auto j) { simd::store(to + j * panel_width, Blocks::weight(Blocks::template number<j>(word), scales[v], minima[v])); },
            std::make_index_sequence<Blocks::inputs>{});
      }
  }
}

}  // namespace detail

AXIFORM_INLINE void pack_blocks(WeightFormat format, std::byte const* blocks, std::size_t inputs, std::size_t output,
                                std::size_t first_block, std::size_t count, std::byte* packed) noexcept {
  std::byte* const group = packed + detail::bytes_before_block(format, inputs, output, first_block);
  with_block_weights(format, [&]<class Blocks>(Blocks) { detail::pack_row<Blocks>(blocks, count, group, output % panel_width); });
}

AXIFORM_INLINE void unpack_blocks(WeightFormat format, std::byte const* packed, std::size_t inputs, std::size_t output,
                                  std::size_t first_block, std::size_t count, std::byte* blocks) noexcept {
  std::byte const* const group = packed + detail::bytes_before_block(format, inputs, output, first_block);
  with_block_weights(format, [&]<class Blocks>(Blocks) { detail::unpack_row<Blocks>(group, output % panel_width, count, blocks); });
}

AXIFORM_INLINE void widen_groups(WeightFormat format, std::byte const* groups, std::size_t inputs, float* target) noexcept {
  with_block_weights(format, [&]<class Blocks>(Blocks) { detail::widen<Blocks>(groups, inputs, target); });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
