/// @file
/// A packed matrix whose weights are in blocks: the panels of core/block_panels.hpp, all numbers and behind them all scales, so that numbers begin at multiples
/// of 64 bytes. An output is a row of these panels, and its inputs are in groups of 32.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Outputs of a panel of blocks.
inline constexpr std::size_t block_panel_width = block_panel_rows;

/// What kernels know of a format of blocks.
template <WeightFormat Format>
struct BlockWeights {
  static constexpr WeightFormat format = Format;               ///< Its name.
  static constexpr BlockParts parts = parts_of_block(Format);  ///< Of a block.
  /// Groups of a block.
  static constexpr std::size_t groups_of_block = weights_of_block(Format) / weights_of_group;
  static constexpr std::size_t bits = parts.number_words / groups_of_block;  ///< Of a number, and words of an output in a group.
  static constexpr bool has_minimum = parts.halves == 2;                     ///< Else `zero` is subtracted from numbers.
  static constexpr std::int32_t zero = has_minimum ? 0 : 1 << (bits - 1);    ///< The number of a weight that is zero, as packed.
  static constexpr std::size_t group_bytes = 4 * bits * block_panel_width;   ///< Of the numbers of a panel's group.
  /// Of a panel's block: all that are no numbers.
  static constexpr std::size_t block_scale_bytes = parts.scale_bytes() * block_panel_width;
};

/// Calls `use(BlockWeights<…>{})` with those of the format.
/// @pre The format is one of blocks.
template <class Use>
[[gnu::always_inline]] inline void with_block_weights(WeightFormat format, Use const& use) {
  if (format == WeightFormat::q8_0) return use(BlockWeights<WeightFormat::q8_0>{});
  if (format == WeightFormat::q4_0) return use(BlockWeights<WeightFormat::q4_0>{});
  if (format == WeightFormat::q4_1) return use(BlockWeights<WeightFormat::q4_1>{});
  return use(BlockWeights<WeightFormat::q4_k>{});
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
  std::size_t inputs;   ///< Those of whole blocks.
  std::size_t outputs;  ///< Any number.

  /// Groups of a panel.
  constexpr std::size_t groups() const noexcept { return inputs / weights_of_group; }
  /// The bytes of all numbers, behind which the scales begin.
  constexpr std::size_t scales_at(WeightFormat format) const noexcept {
    return block_panel_count(outputs) * block_panel_width * (inputs / weights_of_block(format)) * parts_of_block(format).number_bytes();
  }
  /// The panels of the whole packed matrix.
  template <class Byte>
  constexpr BlockPanels<Byte> panels(WeightFormat format, Byte* packed) const noexcept {
    return {packed, packed + scales_at(format), inputs / weights_of_block(format)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
