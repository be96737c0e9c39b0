/// @file
/// Products of signed bytes, summed exactly in 32-bit integers.
///
/// Instruction sets have them in different forms: two signed bytes (NEON, by four of them where it has dot products), an unsigned and a signed one (VNNI), or 16-bit integers alone. One
/// operand is therefore loaded as it is and the other `as the right one`, greater by `right_bias`, which whoever sums takes away again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <axiform/simd/arch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

#if defined(AXIFORM_HAS_VNNI)
inline constexpr std::size_t byte_lanes = 4 * lanes;  ///< Bytes of one step.
inline constexpr std::int32_t right_bias = 128;       ///< What the right operand is greater by.
#elif defined(__AVX512BW__)
inline constexpr std::size_t byte_lanes = 32;
inline constexpr std::int32_t right_bias = 0;
#elif defined(__AVX2__) || defined(__ARM_FEATURE_DOTPROD)
inline constexpr std::size_t byte_lanes = 16;
inline constexpr std::int32_t right_bias = 0;
#else
inline constexpr std::size_t byte_lanes = 8;
inline constexpr std::int32_t right_bias = 0;
#endif

/// Bytes of one step.
struct Bytes {
#if defined(__AVX512BW__)
  __m512i values;
#elif defined(__AVX2__)
  __m256i values;
#elif defined(__x86_64__)
  __m128i values;
#elif defined(__ARM_FEATURE_DOTPROD)
  int8x16_t values;
#else
  int8x8_t values;
#endif
};

/// Sums of products.
struct ByteSums {
#if defined(__x86_64__)
  decltype(Bytes::values) values;
#else
  int32x4_t values;
#endif
};

/// Sums of nothing.
[[gnu::always_inline]] inline ByteSums no_byte_sums() noexcept {
#if defined(__AVX512BW__)
  return {_mm512_setzero_si512()};
#elif defined(__AVX2__)
  return {_mm256_setzero_si256()};
#elif defined(__x86_64__)
  return {_mm_setzero_si128()};
#else
  return {vdupq_n_s32(0)};
#endif
}

/// The `byte_lanes` bytes at `source`, of any alignment, as the left operand.
[[gnu::always_inline]] inline Bytes load_left(std::int8_t const* source) noexcept {
#if defined(AXIFORM_HAS_VNNI) && defined(__AVX512BW__)
  return {_mm512_loadu_si512(source)};
#elif defined(AXIFORM_HAS_VNNI)
  return {_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source))};
#elif defined(__AVX512BW__)
  return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source)))};
#elif defined(__AVX2__)
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source)))};
#elif defined(__x86_64__)
  __m128i const bytes = _mm_loadl_epi64(reinterpret_cast<__m128i const*>(source));
  return {_mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8)};
#elif defined(__ARM_FEATURE_DOTPROD)
  return {vld1q_s8(source)};
#else
  return {vld1_s8(source)};
#endif
}

/// The same as the right operand: each byte is greater by `right_bias`.
[[gnu::always_inline]] inline Bytes load_right(std::int8_t const* source) noexcept {
#if defined(AXIFORM_HAS_VNNI) && defined(__AVX512BW__)
  return {_mm512_xor_si512(load_left(source).values, _mm512_set1_epi8(-128))};
#elif defined(AXIFORM_HAS_VNNI)
  return {_mm256_xor_si256(load_left(source).values, _mm256_set1_epi8(-128))};
#else
  return load_left(source);
#endif
}

namespace detail {

// Bytes behind `count` are zeros; memory beyond `count` is not touched.
template <class Load>
[[gnu::always_inline]] inline Bytes load_first(std::int8_t const* source, std::size_t count, Load load) noexcept {
  alignas(64) std::int8_t buffer[byte_lanes] = {};
  std::memcpy(buffer, source, count);
  return load(buffer);
}

}  // namespace detail

/// The first `count` bytes at `source` as the left operand, zeros behind them; memory beyond `count` is not touched. @pre count <= byte_lanes.
[[gnu::always_inline]] inline Bytes load_left_partial(std::int8_t const* source, std::size_t count) noexcept {
  return detail::load_first(source, count, [](std::int8_t const* bytes) { return load_left(bytes); });
}
/// The same as the right operand.
[[gnu::always_inline]] inline Bytes load_right_partial(std::int8_t const* source, std::size_t count) noexcept {
  return detail::load_first(source, count, [](std::int8_t const* bytes) { return load_right(bytes); });
}

/// The sums with the products of two steps' bytes added. They are exact, modulo 2^32.
[[gnu::always_inline]] inline ByteSums add_products(ByteSums sums, Bytes left, Bytes right) noexcept {
#if defined(AXIFORM_HAS_VNNI) && defined(__AVX512BW__)
  return {_mm512_dpbusd_epi32(sums.values, right.values, left.values)};
#elif defined(AXIFORM_HAS_VNNI)
  return {_mm256_dpbusd_avx_epi32(sums.values, right.values, left.values)};
#elif defined(__AVX512BW__)
  return {_mm512_add_epi32(sums.values, _mm512_madd_epi16(left.values, right.values))};
#elif defined(__AVX2__)
  return {_mm256_add_epi32(sums.values, _mm256_madd_epi16(left.values, right.values))};
#elif defined(__x86_64__)
  return {_mm_add_epi32(sums.values, _mm_madd_epi16(left.values, right.values))};
#elif defined(__ARM_FEATURE_DOTPROD)
  return {vdotq_s32(sums.values, left.values, right.values)};
#else
  return {vpadalq_s16(sums.values, vmull_s8(left.values, right.values))};
#endif
}

/// The sum of all lanes, modulo 2^32.
[[gnu::always_inline]] inline std::uint32_t total(ByteSums sums) noexcept {
#if defined(__x86_64__)
#if defined(__AVX512BW__)
  __m256i const half = _mm256_add_epi32(_mm512_castsi512_si256(sums.values), _mm512_extracti64x4_epi64(sums.values, 1));
  __m128i const quarter = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
#elif defined(__AVX2__)
  __m128i const quarter = _mm_add_epi32(_mm256_castsi256_si128(sums.values), _mm256_extracti128_si256(sums.values, 1));
#else
  __m128i const quarter = sums.values;
#endif
  __m128i const pair = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0b01'00'11'10));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0b10'11'00'01))));
#else
  return static_cast<std::uint32_t>(vaddvq_s32(sums.values));
#endif
}

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
