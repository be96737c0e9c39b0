/// @file
/// bfloat16 in a packed matrix, and rows of the other operand like them: two inputs of one output share a word of 32 bits, as the product's instructions
/// take them.
///
/// A panel is `[inputs / 2][panel_width][2]`; where there are tiles (`simd::Bfloat16Products::of_tiles`) it is `[2][chunks][2][16][16][2]`, in which a chunk of
/// 32 inputs is two tiles of sixteen columns, and only inputs behind the last whole chunk lie as everywhere: the upper half of a word is the first of two
/// inputs, the lower half the second, so that an instruction that multiplies both, the upper ones first, adds them in the order of inputs; and one that does
/// not has each as a float by a mask or a shift. Where inputs are odd in number the last is a line of `[panel_width]` by itself, so a panel has no more bytes
/// than weights.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/tiles.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Inputs of a chunk of a panel; one, where panels are not cut into chunks.
inline constexpr std::size_t chunk_inputs = simd::bfloat16_products == simd::Bfloat16Products::of_tiles ? 32 : 1;

/// Where the weight of an input and a column of a panel lies, in weights from the panel's first.
constexpr std::size_t place_in_pairs(std::size_t input, std::size_t column, std::size_t inputs) noexcept {
  if (std::size_t const whole = inputs / chunk_inputs * chunk_inputs; chunk_inputs > 1 && input < whole)
    return column / 32 * 32 * whole + input / chunk_inputs * 32 * chunk_inputs + column % 32 / 16 * 16 * chunk_inputs +
           input % chunk_inputs / 2 * 32 + column % 16 * 2 + (input % 2 == 0 ? 1 : 0);
  if (input % 2 == 0 && input + 1 == inputs) return input * panel_width + column;
  return input / 2 * 2 * panel_width + column * 2 + (input % 2 == 0 ? 1 : 0);
}

/// Rounds inputs [first, first + count) of `columns` columns from `column` on into a panel.
/// @param values [count, columns], rows `stride` floats apart.
/// @param panel  The panel, of `inputs` inputs in all.
void write_pairs(float const* values, std::size_t stride, std::size_t first, std::size_t count, std::size_t column, std::size_t columns,
                 std::size_t inputs, std::uint16_t* panel) noexcept;

/// values[i] = the weight of input i and `column`, for every input.
void read_pairs(std::uint16_t const* panel, std::size_t column, std::size_t inputs, float* values) noexcept;

/// values[i] += the weight of input i and `column` likewise.
void add_pairs(std::uint16_t const* panel, std::size_t column, std::size_t inputs, float* values) noexcept;

/// The words from one row of pairs to the next: whole registers.
constexpr std::size_t words_of_row(std::size_t k) noexcept { return (k / 2 + k % 2 + simd::lanes - 1) / simd::lanes * simd::lanes; }

/// Rounds a row of `k` floats to bfloat16 in pairs, zeros behind them.
/// @param words `words_of_row(k)` words.
void round_to_pairs(float const* row, std::size_t k, float* words) noexcept;

/// Rows rounded to bfloat16, as tiles take them: `[m / 16, rounded up][chunks][16 rows][16 words]`, a word two neighbouring
/// inputs. What lies behind the last row in the last sixteen has no meaning.
struct PairRows {
  std::size_t m;  ///< How many there are.
  std::size_t k;  ///< Inputs of a row.
  float* words;   ///< At a multiple of 64 bytes.

  static constexpr std::size_t height = simd::tile_height;       ///< Rows that lie together.
  static constexpr std::size_t chunk_words = simd::tile_words;   ///< Of a chunk of inputs; the last one has zeros behind its inputs.
  static constexpr std::size_t chunk_columns = 2 * chunk_words;  ///< Inputs of a chunk.

  /// Chunks of so many columns.
  static constexpr std::size_t chunks_of(std::size_t columns) noexcept { return columns / chunk_columns + (columns % chunk_columns != 0); }
  /// Chunks of a row.
  constexpr std::size_t chunks() const noexcept { return chunks_of(k); }
  /// All bytes.
  constexpr std::size_t bytes() const noexcept { return (m + height - 1) / height * height * chunks() * chunk_words * sizeof(float); }
  /// The words of a row in a chunk; of the next row they lie `chunk_words` further on.
  float* at(std::size_t row, std::size_t chunk) const noexcept {
    return words + ((row / height * chunks() + chunk) * height + row % height) * chunk_words;
  }
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Columns of a panel whose words of one pair of inputs lie together.
inline constexpr std::size_t columns_together = chunk_inputs > 1 ? 16 : panel_width;

}  // namespace detail

AXIFORM_INLINE void write_pairs(float const* values, std::size_t stride, std::size_t first, std::size_t count, std::size_t column,
                                std::size_t columns, std::size_t inputs, std::uint16_t* panel) noexcept {
  for (std::size_t input = first; input < first + count;) {
    float const* const line = values + (input - first) * stride;
    if (input % 2 == 0 && input + 1 < first + count) {
      float const* const next = line + stride;
      for (std::size_t j = 0; j < columns;) {
        std::size_t const together = std::min(columns - j, detail::columns_together - (column + j) % detail::columns_together);
        std::uint16_t* const pairs = panel + place_in_pairs(input + 1, column + j, inputs);
        for (std::size_t i = 0; i < together; ++i) {
          pairs[2 * i] = bfloat16_from_float(next[j + i]);
          pairs[2 * i + 1] = bfloat16_from_float(line[j + i]);
        }
        j += together;
      }
      input += 2;
      continue;
    }
    // One of a pair, whose other half may be written by another thread; or the last of an odd number.
    for (std::size_t j = 0; j < columns; ++j) panel[place_in_pairs(input, column + j, inputs)] = bfloat16_from_float(line[j]);
    ++input;
  }
}

AXIFORM_INLINE void read_pairs(std::uint16_t const* panel, std::size_t column, std::size_t inputs, float* values) noexcept {
  for (std::size_t i = 0; i < inputs; ++i) values[i] = float_from_bfloat16(panel[place_in_pairs(i, column, inputs)]);
}

AXIFORM_INLINE void add_pairs(std::uint16_t const* panel, std::size_t column, std::size_t inputs, float* values) noexcept {
  for (std::size_t i = 0; i < inputs; ++i) values[i] += float_from_bfloat16(panel[place_in_pairs(i, column, inputs)]);
}

AXIFORM_INLINE void round_to_pairs(float const* row, std::size_t k, float* words) noexcept {
  constexpr std::size_t step = 2 * simd::lanes;
  std::size_t const whole = k / step * step;
  for (std::size_t i = 0; i < whole; i += step)
    simd::store_bfloat16_pairs(words + i / 2, simd::load(row + i), simd::load(row + i + simd::lanes));
  if (whole == k) return;
  std::size_t const first = std::min(k - whole, simd::lanes);
  simd::store_bfloat16_pairs(words + whole / 2, simd::load_partial(row + whole, first),
                             simd::load_partial(row + whole + first, k - whole - first));
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
