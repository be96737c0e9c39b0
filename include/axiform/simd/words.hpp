/// @file
/// Words of four bytes, one in each lane: products of unsigned with signed bytes, summed exactly, and floats that become bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

/// Whether `add_byte_products` is one instruction.
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
inline constexpr bool has_byte_products = true;
#elif defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
inline constexpr bool has_byte_products = true;
#else
inline constexpr bool has_byte_products = false;
#endif

/// The `lanes` words at `source`, of any alignment.
[[gnu::always_inline]] inline Ints load_words(std::byte const* source) noexcept {
  return Ints::load_unaligned(reinterpret_cast<std::int32_t const*>(source));
}

/// The word at `source`, of any alignment, in every lane.
[[gnu::always_inline]] inline Ints broadcast_word(void const* source) noexcept {
  std::int32_t word;
  std::memcpy(&word, source, sizeof word);
  return Ints(word);
}

/// Adds to each lane's sum the four products of its unsigned and its signed bytes.
[[gnu::always_inline]] inline void add_byte_products(Ints& sums, Ints unsigned_bytes, Ints signed_bytes) noexcept {
#if defined(__AVX512VNNI__) && defined(__AVX512F__)
  // In assembler: of the intrinsic GCC 12 copies every accumulator, which takes as long as the product.
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.data) : "v"(unsigned_bytes.data), "v"(signed_bytes.data));
#elif defined(__AVXVNNI__)
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums.data) : "x"(unsigned_bytes.data), "x"(signed_bytes.data));
#else
  Ints const low(255);
  sums += (unsigned_bytes & low) * ((signed_bytes << 24) >> 24);
  sums += ((unsigned_bytes >> 8) & low) * ((signed_bytes << 16) >> 24);
  sums += ((unsigned_bytes >> 16) & low) * ((signed_bytes << 8) >> 24);
  sums += ((unsigned_bytes >> 24) & low) * (signed_bytes >> 24);
#endif
}

/// The nearest integers, of two equally near the even ones. @pre They are ones that 32 bits hold.
[[gnu::always_inline]] inline Ints rounded(Floats values) noexcept {
#if defined(__AVX512F__)
  return Ints(_mm512_cvtps_epi32(values));
#elif defined(__AVX__)
  return Ints(_mm256_cvtps_epi32(values));
#elif defined(__x86_64__)
  return Ints(_mm_cvtps_epi32(values));
#else
  return Ints(vcvtnq_s32_f32(values));
#endif
}

/// Writes each lane as a byte. @pre They are integers that 8 bits hold.
[[gnu::always_inline]] inline void store_bytes(std::int8_t* target, Ints values) noexcept {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target), _mm512_cvtepi32_epi8(values));
#elif defined(__AVX2__)
  __m128i const halves = _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(target), _mm_packs_epi16(halves, halves));
#else
  for (std::size_t i = 0; i < lanes; ++i) target[i] = static_cast<std::int8_t>(values.get(i));
#endif
}

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
