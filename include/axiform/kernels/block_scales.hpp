/// @file
/// The scales and minima of a panel of blocks as registers of floats.
///
/// Blocks of one group have a half of each, which is widened as it is loaded. Of q4_k a group's scale is the block's times a number of 6 bits, and its minimum
/// too: both exact in float, a product of 11 bits and 6. They are made for some groups of a panel at once, before tiles read them, so that what it takes is
/// spread over the rows; for one row memory hides it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <axiform/core/config.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/words.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What a tile reads scales from: for each group those of a panel's outputs, behind them the minima where there are any.
template <class Blocks>
struct TileScales {
  /// Whether they must be floats, which `widen_scales` writes; else they are read as they are packed.
  static constexpr bool are_widened = Blocks::groups_of_block > 1;
  using Element = std::conditional_t<are_widened, float, std::uint16_t>;                            ///< One of them.
  static constexpr std::size_t group_elements = (Blocks::has_minimum ? 2 : 1) * block_panel_width;  ///< Of a panel's group.

  /// Those of `lanes` outputs.
  [[gnu::always_inline]] static simd::Floats load(Element const* source) noexcept {
    if constexpr (are_widened) {
      return simd::load(source);
    } else {
      return simd::load_half(source);
    }
  }
};

/// Writes the scales and minima of some blocks of a panel as floats, [groups][1 or 2][16]: a weight is scale * number + minimum.
/// @param scales As packed, from the first of the blocks on. @param ahead Bytes from there to scales that will be wanted; they are asked for, and need not be
///               there.
template <class Blocks>
inline void widen_scales(std::byte const* scales, std::size_t blocks, std::size_t ahead, float* target) noexcept {
  using simd::Floats, simd::Ints;
  constexpr std::size_t width = block_panel_width;
  for (std::size_t block = 0; block < blocks; ++block, scales += Blocks::block_scale_bytes) {
    for (std::size_t line = 0; line < Blocks::block_scale_bytes; line += 64)
      __builtin_prefetch(reinterpret_cast<void const*>(reinterpret_cast<std::uintptr_t>(scales + line) + ahead), 0, 2);
    auto const* const halves = reinterpret_cast<std::uint16_t const*>(scales);
    for (std::size_t first = 0; first < width; first += simd::lanes) {
      Floats const scale = simd::load_half(halves + first);
      if constexpr (Blocks::groups_of_block == 1) {
        simd::store(target + first, scale);
        if constexpr (Blocks::has_minimum) simd::store(target + width + first, simd::load_half(halves + width + first));
      } else {
        Floats const scale_of_minima = -simd::load_half(halves + width + first);
        auto const word = [=](std::size_t i) { return simd::load_words(scales + 4 * (width + i * width + first)); };
        // As `read_six_bits` of core/weight_blocks.hpp, four groups in the bytes of a word.
        Ints const a = word(0), b = word(1), c = word(2), six(0x3f3f3f3f), four(0x0f0f0f0f), upper(0x30303030);
        Ints const bits[2][2] = {{a & six, b & six}, {(c & four) | ((a >> 2) & upper), ((c >> 4) & four) | ((b >> 2) & upper)}};
#pragma GCC unroll 8
        for (std::size_t g = 0; g < 8; ++g) {
          auto const float_of = [=](Ints words) {
            Ints const shifted = words >> static_cast<int>(8 * (g % 4));
            return xsimd::to_float(g % 4 == 3 ? shifted : shifted & Ints(63));
          };
          simd::store(target + 2 * g * width + first, scale * float_of(bits[g / 4][0]));
          simd::store(target + (2 * g + 1) * width + first, scale_of_minima * float_of(bits[g / 4][1]));
        }
      }
    }
    target += Blocks::groups_of_block * TileScales<Blocks>::group_elements;
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
