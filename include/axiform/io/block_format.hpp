/// @file
/// Block formats: weights of a few bits, 32 or 256 to a block that has scales of its own, as llama.cpp quantises them; and the floats that
/// they stand for.
///
/// Source: ggml's ggml-quants.c; `gguf.quants.dequantize` of the Python package gguf gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// How a tensor's elements are packed in blocks. The numbers are those that GGUF files have for them, so that a format which is not read, and
/// is not listed here, still has one.
enum class BlockFormat : std::uint32_t {
  q4_0 = 2,   ///< 32 elements of 4 bits, a scale.
  q4_1 = 3,   ///< 32 elements of 4 bits, a scale, a minimum.
  q5_0 = 6,   ///< 32 elements of 5 bits, a scale.
  q5_1 = 7,   ///< 32 elements of 5 bits, a scale, a minimum.
  q8_0 = 8,   ///< 32 elements of 8 bits, a scale.
  q2_k = 10,  ///< 256 elements of 2 bits; a scale and a minimum of 4 bits for each 16, and a scale of either.
  q3_k = 11,  ///< 256 elements of 3 bits; a scale of 6 bits for each 16, and a scale of those.
  q4_k = 12,  ///< 256 elements of 4 bits; a scale and a minimum of 6 bits for each 32, and a scale of either.
  q5_k = 13,  ///< 256 elements of 5 bits, otherwise as `q4_k`.
  q6_k = 14,  ///< 256 elements of 6 bits; a scale of 8 bits for each 16, and a scale of those.
};

/// A block of a format: it does not go on in the next row.
struct BlockSize {
  std::size_t elements = 0;  ///< How many a block has.
  std::size_t bytes = 0;     ///< What it takes.
};

/// Its name in GGUF: "Q4_0"; of a format that has none here, "type 99".
std::string name_of(BlockFormat format);

/// The size of its blocks, or nothing where the format is not read.
std::optional<BlockSize> block_size(BlockFormat format) noexcept;

/// The format in which weights are kept as these blocks, or nothing where they are floats when they are in memory.
constexpr std::optional<WeightFormat> weight_format_of(BlockFormat format) noexcept {
  switch (format) {
    case BlockFormat::q8_0:
      return WeightFormat::q8_0;
    case BlockFormat::q4_0:
      return WeightFormat::q4_0;
    case BlockFormat::q4_1:
      return WeightFormat::q4_1;
    case BlockFormat::q4_k:
      return WeightFormat::q4_k;
    default:
      return std::nullopt;
  }
}

/// The blocks in which weights of a format are, or nothing of one that has none.
constexpr std::optional<BlockFormat> block_format_of(WeightFormat format) noexcept {
  for (BlockFormat const blocks : {BlockFormat::q8_0, BlockFormat::q4_0, BlockFormat::q4_1, BlockFormat::q4_k})
    if (weight_format_of(blocks) == format) return blocks;
  return std::nullopt;
}

/// Fills `floats` from the bytes of whole blocks. All products are exact; where a format has minima, each float is rounded once, however a
/// compiler contracts it.
/// @throws ArgumentError when the format is not read, or the two sizes are not those of the same number of blocks.
void dequantize(BlockFormat format, std::span<std::byte const> blocks, std::span<float> floats);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

template <std::size_t Bytes>
using PackedBlock = std::array<std::uint8_t, Bytes>;

template <std::size_t Bytes>
float half_at(PackedBlock<Bytes> const& block, std::size_t place) {
  return float_from_half(static_cast<std::uint16_t>(block[place] | block[place + 1] << 8));
}

// Inner loops run over 16 or 32 elements whose bytes lie together, so that they are vectorised.

/// A block of Q4_0, Q4_1, Q5_0 or Q5_1: a scale, with or without a minimum, with or without fifth bits, and 16 bytes that have the elements
/// i and i + 16.
template <bool HasMinimum, bool HasFifthBits>
inline constexpr std::size_t bytes_of_32 = 2 + (HasMinimum ? 2 : 0) + (HasFifthBits ? 4 : 0) + 16;

template <bool HasMinimum, bool HasFifthBits>
void dequantize_32(PackedBlock<bytes_of_32<HasMinimum, HasFifthBits>> const& block, float* out) {
  constexpr std::size_t fifth_at = HasMinimum ? 4 : 2, low_at = bytes_of_32<HasMinimum, HasFifthBits> - 16;
  constexpr int zero = HasMinimum ? 0 : HasFifthBits ? 16 : 8;
  float const scale = half_at(block, 0);
  [[maybe_unused]] float const minimum = half_at(block, 2);
  for (std::size_t half = 0; half < 2; ++half) {
    [[maybe_unused]] int const fifth_bits = block[fifth_at + 2 * half] | block[fifth_at + 2 * half + 1] << 8;
    for (std::size_t i = 0; i < 16; ++i) {
      int number = block[low_at + i] >> 4 * half & 15;
      if constexpr (HasFifthBits) number += (fifth_bits & 1 << i) != 0 ? 16 : 0;
      float const product = scale * static_cast<float>(number - zero);
      out[16 * half + i] = HasMinimum ? product + minimum : product;
    }
  }
}

inline void dequantize_q8_0(PackedBlock<34> const& block, float* out) {
  float const scale = half_at(block, 0);
  for (std::size_t i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

/// Of Q2_K, Q3_K and Q6_K: `element(group, i)` is what element 16 group + i is before it is scaled, and `scale_of(group)` what scales it.
template <class Element, class ScaleOf>
void dequantize_sixteens(float* out, Element element, ScaleOf scale_of) {
  for (std::size_t group = 0; group < 16; ++group) {
    auto const scale = scale_of(group);
    for (std::size_t i = 0; i < 16; ++i) out[16 * group + i] = scale(static_cast<float>(element(group, i)));
  }
}

/// Two bits of element 16 group + i: a byte has those of the elements k, k + 32, k + 64 and k + 96.
template <std::size_t Bytes>
int two_bits(PackedBlock<Bytes> const& block, std::size_t begin, std::size_t group, std::size_t i) {
  return block[begin + group / 8 * 32 + group % 2 * 16 + i] >> group / 2 % 4 * 2 & 3;
}

inline void dequantize_q2_k(PackedBlock<84> const& block, float* out) {  // Scales and minima, elements, scale, scale of the minima.
  float const scale_of_scales = half_at(block, 80), scale_of_minima = half_at(block, 82);
  dequantize_sixteens(
      out, [&](std::size_t group, std::size_t i) { return two_bits(block, 16, group, i); },
      [&](std::size_t group) {
        float const scale = scale_of_scales * static_cast<float>(block[group] & 15);
        float const minimum = scale_of_minima * static_cast<float>(block[group] >> 4);
        return [=](float x) { return scale * x - minimum; };
      });
}

inline void dequantize_q3_k(PackedBlock<110> const& block, float* out) {  // Third bits, two bits, scales, scale.
  float const scale_of_scales = half_at(block, 108);
  dequantize_sixteens(
      out,
      [&](std::size_t group, std::size_t i) {  // The third bit says that 4 is not taken away.
        return two_bits(block, 32, group, i) - ((block[group % 2 * 16 + i] >> group / 2 & 1) ^ 1) * 4;
      },
      [&](std::size_t group) {
        int const low = block[96 + group % 8] >> group / 8 * 4 & 15, high = block[104 + group % 4] >> group / 4 * 2 & 3;
        float const scale = scale_of_scales * static_cast<float>((low | high << 4) - 32);
        return [=](float x) { return scale * x; };
      });
}

inline void dequantize_q6_k(PackedBlock<210> const& block, float* out) {  // Four bits, two bits, scales, scale.
  float const scale_of_scales = half_at(block, 208);
  dequantize_sixteens(
      out,
      [&](std::size_t group, std::size_t i) {  // A byte has the four bits of the elements k and k + 64.
        int const low = block[group / 8 * 64 + group % 4 * 16 + i] >> group / 4 % 2 * 4 & 15;
        return (low | two_bits(block, 128, group, i) << 4) - 32;
      },
      [&](std::size_t group) {
        float const scale = scale_of_scales * static_cast<float>(static_cast<std::int8_t>(block[192 + group]));
        return [=](float x) { return scale * x; };
      });
}

/// Q4_K and Q5_K: scale, scale of the minima, 12 bytes of scales and minima, fifth bits or none, and bytes that have the elements k and
/// k + 32.
template <bool HasFifthBits>
void dequantize_q45_k(PackedBlock<HasFifthBits ? 176 : 144> const& block, float* out) {
  constexpr std::size_t scales_at = 4, fifth_at = 16, low_at = HasFifthBits ? 48 : 16;
  float const scale_of_scales = half_at(block, 0), scale_of_minima = half_at(block, 2);
  for (std::size_t group = 0; group < 8; ++group) {
    // Six bits each: of the first four groups in a byte of their own, of the others four in one byte and two above those of the first.
    std::size_t const place = scales_at + group % 4;
    int const first_scale = block[place], first_minimum = block[place + 4], others = block[place + 8];
    int const scale_bits = group < 4 ? first_scale & 63 : (others & 15) | (first_scale >> 2 & 48);
    int const minimum_bits = group < 4 ? first_minimum & 63 : others >> 4 | (first_minimum >> 2 & 48);
    float const scale = scale_of_scales * static_cast<float>(scale_bits), minimum = scale_of_minima * static_cast<float>(minimum_bits);
    for (std::size_t i = 0; i < 32; ++i) {
      int number = block[low_at + group / 2 * 32 + i] >> group % 2 * 4 & 15;
      if constexpr (HasFifthBits) number |= (block[fifth_at + i] >> group & 1) << 4;
      out[32 * group + i] = scale * static_cast<float>(number) - minimum;
    }
  }
}

/// @param Dequantize Of one block.
template <std::size_t Elements, std::size_t Bytes, void (*Dequantize)(PackedBlock<Bytes> const&, float*)>
void dequantize_blocks(std::byte const* blocks, std::size_t count, float* out) {
  PackedBlock<Bytes> block;  // A copy, which `out` cannot overlap: else loops would not be vectorised.
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(block.data(), blocks + i * Bytes, Bytes);
    Dequantize(block, out + i * Elements);
  }
}

/// What there is to know about a format.
struct BlockFormatFacts {
  BlockFormat format;
  std::string_view name;
  BlockSize size = {};
  void (*dequantize)(std::byte const* blocks, std::size_t count, float* out) = nullptr;
};

template <std::size_t Elements, std::size_t Bytes, void (*Dequantize)(PackedBlock<Bytes> const&, float*)>
constexpr BlockFormatFacts read_block_format(BlockFormat format, std::string_view name) {
  return {format, name, {Elements, Bytes}, &dequantize_blocks<Elements, Bytes, Dequantize>};
}

/// Those that are read, and behind them those that messages can name.
inline constexpr auto block_formats = [] {
  using enum BlockFormat;
  auto const unread = [](std::uint32_t number, std::string_view name) { return BlockFormatFacts{BlockFormat{number}, name}; };
  return std::to_array<BlockFormatFacts>({
      read_block_format<32, 18, &dequantize_32<false, false>>(q4_0, "Q4_0"),
      read_block_format<32, 20, &dequantize_32<true, false>>(q4_1, "Q4_1"),
      read_block_format<32, 22, &dequantize_32<false, true>>(q5_0, "Q5_0"),
      read_block_format<32, 24, &dequantize_32<true, true>>(q5_1, "Q5_1"),
      read_block_format<32, 34, &dequantize_q8_0>(q8_0, "Q8_0"),
      read_block_format<256, 84, &dequantize_q2_k>(q2_k, "Q2_K"),
      read_block_format<256, 110, &dequantize_q3_k>(q3_k, "Q3_K"),
      read_block_format<256, 144, &dequantize_q45_k<false>>(q4_k, "Q4_K"),
      read_block_format<256, 176, &dequantize_q45_k<true>>(q5_k, "Q5_K"),
      read_block_format<256, 210, &dequantize_q6_k>(q6_k, "Q6_K"),
      unread(9, "Q8_1"),
      unread(15, "Q8_K"),
      unread(16, "IQ2_XXS"),
      unread(17, "IQ2_XS"),
      unread(18, "IQ3_XXS"),
      unread(19, "IQ1_S"),
      unread(20, "IQ4_NL"),
      unread(21, "IQ3_S"),
      unread(22, "IQ2_S"),
      unread(23, "IQ4_XS"),
      unread(29, "IQ1_M"),
      unread(34, "TQ1_0"),
      unread(35, "TQ2_0"),
      unread(39, "MXFP4"),
      unread(40, "NVFP4"),
      unread(41, "Q1_0"),
  });
}();

/// Those that are read, for messages.
inline std::string names_of_block_formats() {
  std::string names;
  for (BlockFormatFacts const& facts : block_formats)
    if (facts.dequantize) names += message({names.empty() ? "" : ", ", facts.name});
  return names;
}

inline BlockFormatFacts const* find_block_format(BlockFormat format) noexcept {
  auto const place = std::ranges::find(block_formats, format, &BlockFormatFacts::format);
  return place == block_formats.end() ? nullptr : &*place;
}

}  // namespace detail

AXIFORM_INLINE std::string name_of(BlockFormat format) {
  auto const* const facts = detail::find_block_format(format);
  return facts ? std::string(facts->name) : detail::message({"type ", static_cast<std::uint32_t>(format)});
}

AXIFORM_INLINE std::optional<BlockSize> block_size(BlockFormat format) noexcept {
  auto const* const facts = detail::find_block_format(format);
  return facts && facts->dequantize ? std::optional(facts->size) : std::nullopt;
}

AXIFORM_INLINE void dequantize(BlockFormat format, std::span<std::byte const> blocks, std::span<float> floats) {
  auto const* const facts = detail::find_block_format(format);
  if (!facts || !facts->dequantize)
    throw ArgumentError(detail::message({"found the block format ", name_of(format), ", which is not read"}));
  auto const [elements, bytes] = facts->size;
  if (floats.size() % elements != 0 || blocks.size() % bytes != 0 || blocks.size() / bytes != floats.size() / elements)
    throw ArgumentError(detail::message({facts->name, ": found ", blocks.size(), " bytes and room for ", floats.size(),
                                         " elements, expected a number of blocks of ", bytes, " bytes and ", elements, " elements"}));
  facts->dequantize(blocks.data(), floats.size() / elements, floats.data());
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
