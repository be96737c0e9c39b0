/// @file
/// Words of four bytes, one in each lane: products of unsigned with signed bytes, and floats that become bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

/// How an instruction set multiplies bytes and sums what comes of it exactly.
enum class ByteProducts {
  of_four,   ///< Four unsigned by four signed bytes join a 32-bit sum: AVX-512 VNNI, AVX-VNNI, and NEON with I8MM.
  of_two,    ///< Two by two become 16 bits, and two of 16 bits by two become 32: x86 otherwise.
  of_signed  ///< Four signed by four signed bytes join a 32-bit sum: NEON otherwise.
};

#if defined(AXIFORM_HAS_VNNI) || (defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8))
inline constexpr ByteProducts byte_products = ByteProducts::of_four;  ///< Of this instruction set.
#elif defined(__x86_64__)
inline constexpr ByteProducts byte_products = ByteProducts::of_two;
#else
inline constexpr ByteProducts byte_products = ByteProducts::of_signed;
#endif

/// The `lanes` words at `source`, of any alignment.
[[gnu::always_inline]] inline Ints load_words(std::byte const* source) noexcept {
  return Ints::load_unaligned(reinterpret_cast<std::int32_t const*>(source));
}

/// The same, from memory though a register may have them still.
[[gnu::always_inline]] inline Ints load_words_again(std::byte const* source) noexcept {
  asm volatile("" : "+r"(source));
  return load_words(source);
}

/// The word at `source`, of any alignment, in every lane.
[[gnu::always_inline]] inline Ints broadcast_word(void const* source) noexcept {
  std::int32_t word;
  std::memcpy(&word, source, sizeof word);
  return Ints(word);
}

#if defined(AXIFORM_HAS_VNNI) || !defined(__x86_64__)

/// Adds to each lane's sum the four products of its bytes: of unsigned with signed ones, where they are `of_signed` of signed ones alone.
[[gnu::always_inline]] inline void add_products_of_four(Ints& sums, Ints left, Ints right) noexcept {
#if defined(AXIFORM_HAS_VNNI) && defined(__AVX512F__)
  // In assembler: of the intrinsic GCC 12 copies every sum, which takes as long as the product.
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.data) : "v"(left.data), "v"(right.data));
#elif defined(AXIFORM_HAS_VNNI)
  // Without {vex} assemblers write AVX-512's form, which machines with AVX-VNNI alone do not have.
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums.data) : "x"(left.data), "x"(right.data));
#elif defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
  sums = Ints(vusdotq_s32(sums.data, vreinterpretq_u8_s32(left.data), vreinterpretq_s8_s32(right.data)));
#elif defined(__ARM_FEATURE_DOTPROD)
  sums = Ints(vdotq_s32(sums.data, vreinterpretq_s8_s32(left.data), vreinterpretq_s8_s32(right.data)));
#else
  int8x16_t const a = vreinterpretq_s8_s32(left.data), b = vreinterpretq_s8_s32(right.data);
  // Two products of bytes fit 16 bits, but for -128 * -128 twice: rows have no -128.
  int16x8_t const pairs = vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b));
  sums = Ints(vpadalq_s16(sums.data, pairs));
#endif
}

#endif

#if defined(__AVX512BW__)
/// Each byte less that of the other.
[[gnu::always_inline]] inline Ints subtract_bytes(Ints a, Ints b) noexcept { return Ints(_mm512_sub_epi8(a, b)); }
#endif

/// Holds a value in its register at this place of the code. GCC 12 otherwise moves loads and products of bytes far ahead of where they are summed, and spills:
/// half of a tile's instructions were moves (AVX2), and up to a fifth went to the stack or came from it (NEON).
[[gnu::always_inline]] inline void keep(Ints& value) noexcept {
#if defined(__AVX512F__)
  asm volatile("" : "+v"(value.data));
#elif defined(__x86_64__)
  asm volatile("" : "+x"(value.data));
#else
  asm volatile("" : "+w"(value.data));
#endif
}

#if defined(__x86_64__)

namespace detail {

// What an instruction on 16-bit numbers takes: all of a register, but for AVX-512 without BW and AVX without AVX2, which have none of their width.
#if defined(__AVX512BW__)
using Part = __m512i;
#elif defined(__AVX2__)
using Part = __m256i;
#else
using Part = __m128i;
#endif

// f of each part.
template <class F>
[[gnu::always_inline]] inline Ints by_parts(F const& f, Ints a, Ints b) noexcept {
#if defined(__AVX512F__) && !defined(__AVX512BW__)
  __m256i const low = f(_mm512_castsi512_si256(a), _mm512_castsi512_si256(b));
  return Ints(_mm512_inserti64x4(_mm512_castsi256_si512(low), f(_mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1)), 1));
#elif defined(__AVX__) && !defined(__AVX2__)
  __m128i const low = f(_mm256_castsi256_si128(a), _mm256_castsi256_si128(b));
  return Ints(_mm256_insertf128_si256(_mm256_castsi128_si256(low), f(_mm256_extractf128_si256(a, 1), _mm256_extractf128_si256(b, 1)), 1));
#else
  return Ints(f(a, b));
#endif
}

}  // namespace detail

/// Each word's two pairs of bytes, unsigned by signed, multiplied and summed to 16 bits. @pre The sums fit them.
[[gnu::always_inline]] inline Ints products_of_bytes(Ints left, Ints right) noexcept {
  return detail::by_parts(
      [](detail::Part x, detail::Part y) {
#if defined(__AVX512BW__)
        return _mm512_maddubs_epi16(x, y);
#elif defined(__AVX2__)
        return _mm256_maddubs_epi16(x, y);
#elif defined(__SSSE3__)
        return _mm_maddubs_epi16(x, y);
#else
        // SSE2 has products of 16 bits alone.
        __m128i const even = _mm_mullo_epi16(_mm_and_si128(x, _mm_set1_epi16(255)), _mm_srai_epi16(_mm_slli_epi16(y, 8), 8));
        return _mm_add_epi16(even, _mm_mullo_epi16(_mm_srli_epi16(x, 8), _mm_srai_epi16(y, 8)));
#endif
      },
      left, right);
}

/// Each word's pair of 16-bit numbers multiplied and summed.
[[gnu::always_inline]] inline Ints products_of_halves(Ints left, Ints right) noexcept {
  return detail::by_parts(
      [](detail::Part x, detail::Part y) {
#if defined(__AVX512BW__)
        return _mm512_madd_epi16(x, y);
#elif defined(__AVX2__)
        return _mm256_madd_epi16(x, y);
#else
        return _mm_madd_epi16(x, y);
#endif
      },
      left, right);
}

/// Sums of 16-bit numbers.
[[gnu::always_inline]] inline Ints add_halves(Ints a, Ints b) noexcept {
  return detail::by_parts(
      [](detail::Part x, detail::Part y) {
#if defined(__AVX512BW__)
        return _mm512_add_epi16(x, y);
#elif defined(__AVX2__)
        return _mm256_add_epi16(x, y);
#else
        return _mm_add_epi16(x, y);
#endif
      },
      a, b);
}

/// The upper byte of each 16-bit number.
[[gnu::always_inline]] inline Ints upper_bytes(Ints values) noexcept {
  return detail::by_parts(
      [](detail::Part x, detail::Part) {
#if defined(__AVX512BW__)
        return _mm512_srli_epi16(x, 8);
#elif defined(__AVX2__)
        return _mm256_srli_epi16(x, 8);
#else
        return _mm_srli_epi16(x, 8);
#endif
      },
      values, values);
}

#endif  // __x86_64__

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
#elif defined(__x86_64__) && !defined(__AVX__)
  __m128i const halves = _mm_packs_epi32(values, values), bytes = _mm_packs_epi16(halves, halves);
  std::memcpy(target, &bytes, 4);
#else
  for (std::size_t i = 0; i < lanes; ++i) target[i] = static_cast<std::int8_t>(values.get(i));
#endif
}

/// Writes each lane as 16 bits, of every four the first and third before the second and fourth. @pre They are integers that 16 bits hold.
[[gnu::always_inline]] inline void store_halves_by_twos(std::int16_t* target, Ints values) noexcept {
#if defined(__AVX512F__)
  // Lanes 0, 2, 1, 3: 32 bits first, which are then cut.
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), _mm512_cvtepi32_epi16(_mm512_shuffle_epi32(values, _MM_PERM_DBCA)));
#elif defined(__AVX2__)
  __m256i const turned = _mm256_shuffle_epi32(values, 0b11'01'10'00);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(target),
                   _mm_packs_epi32(_mm256_castsi256_si128(turned), _mm256_extracti128_si256(turned, 1)));
#elif defined(__x86_64__) && !defined(__AVX__)
  __m128i const turned = _mm_shuffle_epi32(values, 0b11'01'10'00);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(target), _mm_packs_epi32(turned, turned));
#else
  for (std::size_t i = 0; i < lanes; ++i) target[(i & ~3u) | (i & 1u) << 1 | (i >> 1 & 1u)] = static_cast<std::int16_t>(values.get(i));
#endif
}

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
