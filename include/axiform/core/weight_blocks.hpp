/// @file
/// Blocks of weights, as llama.cpp and its GGUF files have them: floats are rounded to blocks, and blocks are floats again.
///
/// A block is 32 weights of a row. In memory: the scale (binary16); of q4_1 the minimum (binary16); the numbers, a byte each of q8_0, of the
/// others sixteen bytes with the numbers i and i + 16. Numbers of q4_0 are kept with 8 added to them.
///
/// A block of q4_k is 256 weights, in eight groups of 32: a weight is (scale * s) * number - (scale of minima * m), with s and m from 0 to 63 for each group.
/// In memory: the scale and the scale of minima (binary16); twelve bytes with s and m; 128 bytes, 32 for each two groups, with number i of the first in the
/// lower half and of the second in the upper one. Of the twelve bytes, four have s of groups 0 to 3, four m, and four the lower halves of s and of m of groups
/// 4 to 7, whose two upper bits are above the six of s and m of the first groups.
///
/// Source: ggml's ggml-quants.c; `gguf.quants` of the Python package gguf gives the same bytes, and the same floats. It has no way from floats to q4_k.
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
/// least), and numbers are the nearest, halves rounded up; of q8_0, away from zero. Of q4_k, scale and minimum of a group are those of nine tried that leave the
/// least error, before they are rounded to 6 bits; no minimum is above zero.
/// @param blocks `bytes_of(format, count)` bytes. @pre The format is one of blocks, and `count` one of whole blocks.
void write_blocks(WeightFormat format, float const* values, std::size_t count, std::byte* blocks) noexcept;

/// Writes the floats that `count` weights in blocks are.
/// @pre The format is one of blocks, and `count` one of whole blocks.
void read_blocks(WeightFormat format, std::byte const* blocks, std::size_t count, float* values) noexcept;

/// Refuses a part of a row that is not of whole blocks.
/// @throws ArgumentError when `first` or `count` is no multiple of `weights_of_block(format)`.
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
  for (std::size_t i = 0; i < weights_of_group; ++i) greatest = std::max(greatest, std::abs(values[i]));
  float const scale = greatest / 127.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  for (std::size_t i = 0; i < weights_of_group; ++i)
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
  float const furthest = *std::max_element(values, values + weights_of_group, [](float a, float b) { return std::abs(a) < std::abs(b); });
  float const scale = furthest / -8.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  // One sum, as ggml has it: adding 8 and then a half would round twice.
  write_pairs(block + 2, [&](std::size_t i) { return number_of_4_bits(values[i] * inverse + 8.5f); });
}

inline void quantize_q4_1(float const* values, std::byte* block) noexcept {
  auto const [least, greatest] = std::minmax_element(values, values + weights_of_group);
  float const minimum = *least, scale = (*greatest - minimum) / 15.0f, inverse = inverse_of(scale);
  write_half(scale, block);
  write_half(minimum, block + 2);
  write_pairs(block + 4, [&](std::size_t i) { return number_of_4_bits((values[i] - minimum) * inverse + 0.5f); });
}

// The groups of a block of q4_k, and what each has of 6 bits.
inline constexpr std::size_t groups_of_q4_k = most_weights_of_block / weights_of_group;
struct SixBits {
  unsigned scale, minimum;
};

inline SixBits read_six_bits(std::byte const* twelve, std::size_t group) noexcept {
  auto const byte = [=](std::size_t i) { return std::to_integer<unsigned>(twelve[i]); };
  std::size_t const i = group % 4;
  if (group < 4) return {byte(i) & 63u, byte(i + 4) & 63u};
  return {(byte(i + 8) & 15u) | (byte(i) >> 6 << 4), (byte(i + 8) >> 4) | (byte(i + 4) >> 6 << 4)};
}

inline void write_six_bits(SixBits const (&groups)[groups_of_q4_k], std::byte* twelve) noexcept {
  for (std::size_t i = 0; i < 4; ++i) {
    auto const &first = groups[i], &second = groups[i + 4];
    twelve[i] = static_cast<std::byte>(first.scale | (second.scale >> 4 << 6));
    twelve[i + 4] = static_cast<std::byte>(first.minimum | (second.minimum >> 4 << 6));
    twelve[i + 8] = static_cast<std::byte>((second.scale & 15u) | (second.minimum & 15u) << 4);
  }
}

// What a group's weights are: scale * number - minimum, the minimum not below zero.
struct ScaleAndMinimum {
  float scale, minimum;
};

// Nine widths of a step are tried: numbers are rounded with each, and of the scales and minima that fit these numbers best, by least squares, those are taken
// that leave the least error. Of normal numbers it is 9 % less than in q4_1, whose step is the distance from the least to the greatest by 15; 21 widths bring
// no more.
inline ScaleAndMinimum best_of_group(float const* values) noexcept {
  constexpr std::size_t lanes = 8;  // Partial sums, so that loops are vectorised; products of a float and 4 bits are exact.
  auto const sum_of = [](auto const& partial) {
    return ((partial[0] + partial[4]) + (partial[1] + partial[5])) + ((partial[2] + partial[6]) + (partial[3] + partial[7]));
  };
  auto const [smallest, largest] = std::minmax_element(values, values + weights_of_group);
  float const least = std::min(*smallest, 0.0f), distance = *largest - least;
  ScaleAndMinimum best{distance / 15.0f, -least};
  double best_fit = 0.0, totals[lanes] = {};
  for (std::size_t i = 0; i < weights_of_group; ++i) totals[i % lanes] += static_cast<double>(values[i]);
  double const sum = sum_of(totals);
  for (float steps = 13.0f; steps <= 16.0f; steps += 0.375f) {
    float const inverse = inverse_of(distance / steps);
    int number[weights_of_group], numbers = 0, squares = 0;
    double partial[lanes] = {};
    for (std::size_t i = 0; i < weights_of_group; ++i) {
      float const place = (values[i] - least) * inverse + 0.5f;
      number[i] = static_cast<int>(place < 15.0f ? std::max(place, 0.0f) : 15.0f);
    }
    for (std::size_t i = 0; i < weights_of_group; ++i) numbers += number[i], squares += number[i] * number[i];
    for (std::size_t i = 0; i < weights_of_group; i += lanes)
      for (std::size_t l = 0; l < lanes; ++l) partial[l] += static_cast<double>(values[i + l]) * number[i + l];
    if (squares == 0) continue;
    double const products = sum_of(partial), count = weights_of_group, divisor = count * squares - static_cast<double>(numbers) * numbers;
    double offset = divisor > 0.0 ? (squares * sum - numbers * products) / divisor : 0.0;
    double scale = (count * products - numbers * sum) / divisor;
    if (!(offset < 0.0)) offset = 0.0, scale = products / squares;
    // The sum of squares less that of the errors, since the two fit best.
    double const fit = scale * products + offset * sum;
    if (fit > best_fit) best = {static_cast<float>(scale), static_cast<float>(-offset)}, best_fit = fit;
  }
  return best;
}

inline unsigned number_of_6_bits(float value) noexcept { return value < 63.0f ? static_cast<unsigned>(std::max(value, 0.0f)) : 63u; }

inline void quantize_q4_k(float const* values, std::byte* block) noexcept {
  ScaleAndMinimum groups[groups_of_q4_k];
  float greatest_scale = 0.0f, greatest_minimum = 0.0f;
  for (std::size_t g = 0; g < groups_of_q4_k; ++g) {
    groups[g] = best_of_group(values + g * weights_of_group);
    greatest_scale = std::max(greatest_scale, groups[g].scale);
    greatest_minimum = std::max(greatest_minimum, groups[g].minimum);
  }
  write_half(greatest_scale / 63.0f, block);
  write_half(greatest_minimum / 63.0f, block + 2);
  // Everything else is rounded to what these are when they are read.
  float const scale_of_scales = read_half(block), scale_of_minima = read_half(block + 2);
  float const inverse_scale = inverse_of(scale_of_scales), inverse_minimum = inverse_of(scale_of_minima);
  SixBits bits[groups_of_q4_k];
  for (std::size_t g = 0; g < groups_of_q4_k; ++g)
    bits[g] = {number_of_6_bits(groups[g].scale * inverse_scale + 0.5f), number_of_6_bits(groups[g].minimum * inverse_minimum + 0.5f)};
  write_six_bits(bits, block + 4);
  std::byte* const numbers = block + 16;
  for (std::size_t g = 0; g < groups_of_q4_k; ++g) {
    float const inverse = inverse_of(scale_of_scales * static_cast<float>(bits[g].scale));
    float const minimum = scale_of_minima * static_cast<float>(bits[g].minimum);
    for (std::size_t i = 0; i < weights_of_group; ++i) {
      unsigned const number = number_of_4_bits((values[g * weights_of_group + i] + minimum) * inverse + 0.5f);
      std::byte& pair = numbers[g / 2 * weights_of_group + i];
      pair = g % 2 == 0 ? static_cast<std::byte>(number) : pair | static_cast<std::byte>(number << 4);
    }
  }
}

inline void dequantize_q8_0(std::byte const* block, float* values) noexcept {
  float const scale = read_half(block);
  for (std::size_t i = 0; i < weights_of_group; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

template <bool HasMinimum>
void dequantize_q4(std::byte const* block, float* values) noexcept {
  float const scale = read_half(block);
  [[maybe_unused]] float const minimum = read_half(block + 2);
  std::byte const* const numbers = block + (HasMinimum ? 4 : 2);
  for (std::size_t i = 0; i < weights_of_group; ++i) {
    int const number = std::to_integer<int>(numbers[i % 16] >> (i < 16 ? 0 : 4)) & 15;
    // The product is exact, so a sum is rounded once, as an fma.
    values[i] = HasMinimum ? scale * static_cast<float>(number) + minimum : scale * static_cast<float>(number - 8);
  }
}

inline void dequantize_q4_k(std::byte const* block, float* values) noexcept {
  float const scale_of_scales = read_half(block), scale_of_minima = read_half(block + 2);
  for (std::size_t g = 0; g < groups_of_q4_k; ++g) {
    auto const bits = read_six_bits(block + 4, g);
    float const scale = scale_of_scales * static_cast<float>(bits.scale), minimum = scale_of_minima * static_cast<float>(bits.minimum);
    std::byte const* const numbers = block + 16 + g / 2 * weights_of_group;
    for (std::size_t i = 0; i < weights_of_group; ++i) {
      int const number = std::to_integer<int>(numbers[i] >> (g % 2 == 0 ? 0 : 4)) & 15;
      values[g * weights_of_group + i] = scale * static_cast<float>(number) - minimum;  // Rounded once, as of q4_1.
    }
  }
}

}  // namespace detail::weight_blocks

AXIFORM_INLINE void write_blocks(WeightFormat format, float const* values, std::size_t count, std::byte* blocks) noexcept {
  auto const write = format == WeightFormat::q8_0   ? &detail::weight_blocks::quantize_q8_0
                     : format == WeightFormat::q4_0 ? &detail::weight_blocks::quantize_q4_0
                     : format == WeightFormat::q4_1 ? &detail::weight_blocks::quantize_q4_1
                                                    : &detail::weight_blocks::quantize_q4_k;
  std::size_t const weights = weights_of_block(format), bytes = bytes_of(format, weights);
  for (std::size_t i = 0; i < count; i += weights, blocks += bytes) write(values + i, blocks);
}

AXIFORM_INLINE void read_blocks(WeightFormat format, std::byte const* blocks, std::size_t count, float* values) noexcept {
  auto const read = format == WeightFormat::q8_0   ? &detail::weight_blocks::dequantize_q8_0
                    : format == WeightFormat::q4_0 ? &detail::weight_blocks::dequantize_q4<false>
                    : format == WeightFormat::q4_1 ? &detail::weight_blocks::dequantize_q4<true>
                                                   : &detail::weight_blocks::dequantize_q4_k;
  std::size_t const weights = weights_of_block(format), bytes = bytes_of(format, weights);
  for (std::size_t i = 0; i < count; i += weights, blocks += bytes) read(blocks, values + i);
}

AXIFORM_INLINE void check_whole_blocks(WeightFormat format, std::size_t first, std::size_t count) {
  std::size_t const weights = weights_of_block(format);
  if (first % weights != 0 || count % weights != 0)
    throw ArgumentError("weights in " + std::string(name_of(format)) + ": found " + std::to_string(count) + " of a row from " +
                        std::to_string(first) + " on, expected whole blocks of " + std::to_string(weights));
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
