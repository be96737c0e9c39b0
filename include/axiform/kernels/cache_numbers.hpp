/// @file
/// The numbers of a key-value cache that is not kept in floats: how they are made of floats, and how they become floats again.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <axiform/core/cache_format.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels::detail {

// The greatest magnitude of a row; NaN when a number is infinite or NaN.
inline float greatest_magnitude(float const* values, std::size_t count) noexcept {
  float most = 0.0F, difference = 0.0F;
  for (std::size_t i = 0; i < count; ++i) {
    most = std::max(most, std::fabs(values[i]));
    difference += values[i] - values[i];  // 0, or NaN
  }
  return most + difference;
}

// Numbers of a byte, for a row of that greatest magnitude. A row too small for its scale to have an inverse is zero; one that is not finite has
// a scale of NaN, and so every score or sum in which it has a part.
struct ByteScale {
  float scale, inverse;

  explicit ByteScale(float most) noexcept : scale(most / 127.0F), inverse(127.0F / most) {
    if (most < 0x1p-100F) scale = inverse = 0.0F;
    if (!(most <= std::numeric_limits<float>::max())) scale = std::numeric_limits<float>::quiet_NaN(), inverse = 0.0F;
  }
  // The nearest whole number, of two equally near the even one: what is behind the point is lost as 1.5 * 2^23 is added.
  std::int8_t operator()(float value) const noexcept {
    if (inverse == 0.0F) return 0;
    return static_cast<std::int8_t>(static_cast<std::int32_t>((value * inverse + 0x1.8p23F) - 0x1.8p23F));
  }
};

// One number at place `index` of a stretch of numbers.
inline void write_number(std::uint16_t number, float* data, std::size_t index) noexcept {
  std::memcpy(reinterpret_cast<std::byte*>(data) + 2 * index, &number, 2);
}
inline void write_number(std::int8_t number, float* data, std::size_t index) noexcept {
  std::memcpy(reinterpret_cast<std::byte*>(data) + index, &number, 1);
}

// The scale of a row of keys or values in int8; bf16 has none.
inline ByteScale scale_of_row(CacheFormat format, float const* values, std::size_t count) noexcept {
  return ByteScale(format == CacheFormat::int8 ? greatest_magnitude(values, count) : 0.0F);
}

// Numbers for `count` floats of a row, at places first, first + step, …
inline void write_narrow(CacheFormat format, ByteScale const& bytes, float const* values, std::size_t count, float* data, std::size_t first,
                         std::size_t step) noexcept {
  if (format == CacheFormat::bf16) {
    for (std::size_t i = 0; i < count; ++i) write_number(bfloat16_from_float(values[i]), data, first + i * step);
  } else {
    for (std::size_t i = 0; i < count; ++i) write_number(bytes(values[i]), data, first + i * step);
  }
}

// The `lanes` bytes at `source` as floats.
[[gnu::always_inline]] inline simd::Floats load_byte_floats(std::int8_t const* source) noexcept {
#if defined(__AVX512F__)
  return simd::Floats(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source)))));
#elif defined(__AVX2__)
  return simd::Floats(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<__m128i const*>(source)))));
#else
  std::int32_t wide[simd::lanes];
  for (std::size_t i = 0; i < simd::lanes; ++i) wide[i] = source[i];
  return xsimd::batch_cast<float>(simd::Ints::load_unaligned(wide));
#endif
}

// The numbers at places first, first + 1, … as floats, without their scales: `count` of them, a multiple of the lanes.
inline void widen_numbers(CacheFormat format, float const* data, std::size_t first, std::size_t count, float* target) noexcept {
  if (format == CacheFormat::bf16) {
    auto const* const from = reinterpret_cast<std::uint16_t const*>(data) + first;
    for (std::size_t i = 0; i < count; i += simd::lanes) simd::store(target + i, simd::load_bfloat16(from + i));
  } else {
    auto const* const from = reinterpret_cast<std::int8_t const*>(data) + first;
    for (std::size_t i = 0; i < count; i += simd::lanes) simd::store(target + i, load_byte_floats(from + i));
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels::detail

AXIFORM_END_KERNELS
