/// @file
/// Blocks of weights, as llama.cpp and its GGUF files have them: floats are rounded to blocks, and blocks are floats again.
///
/// A block is 32 weights of a row. In memory: the scale (binary16); of q4_1 the minimum (binary16); the numbers, a byte each of q8_0, of the
/// others sixteen bytes with the numbers i and i + 16. Numbers of q4_0 are kept with 8 added to them.
///
/// Source: ggml's ggml-quants.c; `gguf.quants` of the Python package gguf gives the same bytes, and the same floats.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>

#if AXIFORM_DEFINES(core)
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include <axiform/core/error.hpp>
#endif

namespace axiform {

/// Rounds `count` floats to whole blocks: the scale is that which the greatest magnitude needs (of q4_1, the distance of the greatest from the
/// least), and numbers are the nearest, halves rounded up; of q8_0, away from zero.
/// @param blocks `bytes_of(format, count)` bytes. @pre The format is one of blocks, and `count` a multiple of 32.
void write_blocks(WeightFormat format, float const* values, std::size_t count, std::byte* blocks) noexcept;

/// Writes the floats that `count` weights in blocks are.
/// @pre The format is one of blocks, and `count` a multiple of 32.
void read_blocks(WeightFormat format, std::byte const* blocks, std::size_t count, float* values) noexcept;

/// Refuses a part of a row that is not of whole blocks.
/// @throws ArgumentError when `first` or `count` is no multiple of 32.
void check_whole_blocks(WeightFormat format, std::size_t first, std::size_t count);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

namespace detail::weight_blocks {

// What every block begins with.
inline void write_half(float value, std::byte* target) noexcept {
  std::uint16_t const half = half_from_float(value);
  std::memcpy(target, &half, sizeof half);
}
inline float read_half(std::byte const* source) noexcept {
  std::uint16_t half;
  std::memcpy(&half, source, sizeof half);
  return float_from_half(half);
}

// 1 / scale, with which floats become numbers; the scale itself is rounded only when it is written.
inline float inverse_of(float scale) noexcept { return scale == 0.0f ? 0.0f : 1.0f / scale; }

// Of weights that are infinite or no numbers something must become, too; what, is nowhere said.
inline int number_of_8_bits(float value) noexcept { return std::abs(value) <= 127.0f ? static_cast<int>(value) : 0; }

inline void quantize_q8_0(float const* values, std::byte* block) noexcept {
  float greatest = 0.0f;
  for (std::size_t i = 0; i < weights_of_block; ++i) greatest = std::max(greatest, std::abs(values[i]));
  float const scale = greatest / 127.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  for (std::size_t i = 0; i < weights_of_block; ++i)
    block[2 + i] = static_cast<std::byte>(number_of_8_bits(std::round(values[i] * inverse)));
}

// The whole part, and no more than 15.
inline unsigned number_of_4_bits(float value) noexcept { return value < 15.0f ? static_cast<unsigned>(std::max(value, 0.0f)) : 15u; }

// `number(i)` of the numbers i and i + 16, in a byte.
template <class Number>
void write_pairs(std::byte* target, Number const& number) noexcept {
  for (std::size_t i = 0; i < 16; ++i) target[i] = static_cast<std::byte>(number(i) | number(i + 16) << 4);
}

inline void quantize_q4_0(float const* values, std::byte* block) noexcept {
  float const furthest = *std::max_element(values, values + weights_of_block, [](float a, float b) { return std::abs(a) < std::abs(b); });
  float const scale = furthest / -8.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  // One sum, as ggml has it: adding 8 and then a half would round twice.
  write_pairs(block + 2, [&](std::size_t i) { return number_of_4_bits(values[i] * inverse + 8.5f); });
}

inline void quantize_q4_1(float const* values, std::byte* block) noexcept {
  auto const [least, greatest] = std::minmax_element(values, values + weights_of_block);
  float const minimum = *least, scale = (*greatest - minimum) / 15.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  write_half(minimum, block + 2);
  write_pairs(block + 4, [&](std::size_t i) { return number_of_4_bits((values[i] - minimum) * inverse + 0.5f); });
}

inline void dequantize_q8_0(std::byte const* block, float* values) noexcept {
  float const scale = read_half(block);
  for (std::size_t i = 0; i < weights_of_block; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

template <bool HasMinimum>
void dequantize_q4(std::byte const* block, float* values) noexcept {
  float const scale = read_half(block);
  [[maybe_unused]] float const minimum = read_half(block + 2);
  std::byte const* const numbers = block + (HasMinimum ? 4 : 2);
  for (std::size_t i = 0; i < weights_of_block; ++i) {
    int const number = std::to_integer<int>(numbers[i % 16] >> (i < 16 ? 0 : 4)) & 15;
    // The product is exact, so a sum is rounded once, as an fma.
    values[i] = HasMinimum ? scale * static_cast<float>(number) + minimum : scale * static_cast<float>(number - 8);
  }
}

}  // namespace detail::weight_blocks

AXIFORM_INLINE void write_blocks(WeightFormat format, float const* values, std::size_t count, std::byte* blocks) noexcept {
  auto const write = format == WeightFormat::q8_0   ? &detail::weight_blocks::quantize_q8_0
                     : format == WeightFormat::q4_0 ? &detail::weight_blocks::quantize_q4_0
                                                    : &detail::weight_blocks::quantize_q4_1;
  std::size_t const bytes = bytes_of(format, weights_of_block);
  for (std::size_t i = 0; i < count; i += weights_of_block, blocks += bytes) write(values + i, blocks);
}

AXIFORM_INLINE void read_blocks(WeightFormat format, std::byte const* blocks, std::size_t count, float* values) noexcept {
  auto const read = format == WeightFormat::q8_0   ? &detail::weight_blocks::dequantize_q8_0
                    : format == WeightFormat::q4_0 ? &detail::weight_blocks::dequantize_q4<false>
                                                   : &detail::weight_blocks::dequantize_q4<true>;
  std::size_t const bytes = bytes_of(format, weights_of_block);
  for (std::size_t i = 0; i < count; i += weights_of_block, blocks += bytes) read(blocks, values + i);
}

AXIFORM_INLINE void check_whole_blocks(WeightFormat format, std::size_t first, std::size_t count) {
  if (first % weights_of_block != 0 || count % weights_of_block != 0)
    throw ArgumentError("weights in " + std::string(name_of(format)) + ": found " + std::to_string(count) + " of a row from " +
                        std::to_string(first) + " on, expected whole blocks of " + std::to_string(weights_of_block));
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
