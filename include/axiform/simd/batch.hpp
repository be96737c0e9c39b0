/// @file
/// The vocabulary of the kernels: a register of floats, how it is loaded and stored, and the operations whose order or rounding matters.
///
/// Arithmetic, comparison and `xsimd::select` come from xsimd itself. What is here is what xsimd leaves open: tails that never touch memory
/// beyond their count, a horizontal sum of one documented order, and `fma` with one meaning for each instruction set.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <axiform/core/weight_format.hpp>
#include <axiform/simd/arch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

/// `value` in every lane.
[[gnu::always_inline]] inline Floats broadcast(float value) noexcept { return Floats(value); }

/// The `lanes` floats at `source`, of any alignment.
[[gnu::always_inline]] inline Floats load(float const* source) noexcept { return Floats::load_unaligned(source); }

/// Writes all lanes to `target`, of any alignment.
[[gnu::always_inline]] inline void store(float* target, Floats values) noexcept { values.store_unaligned(target); }

/// The `lanes` bfloat16 at `source`, of any alignment, as floats.
[[gnu::always_inline]] inline Floats load_bfloat16(std::uint16_t const* source) noexcept {
#if defined(__AVX512F__)
  return Floats(
      _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source))), 16)));
#elif defined(__AVX2__)
  return Floats(
      _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source))), 16)));
#elif defined(__AVX__)
  __m128i const values = _mm_loadu_si128(reinterpret_cast<__m128i const*>(source)), zero = _mm_setzero_si128();
  __m128i const low = _mm_unpacklo_epi16(zero, values), high = _mm_unpackhi_epi16(zero, values);
  return Floats(_mm256_castsi256_ps(_mm256_insertf128_si256(_mm256_castsi128_si256(low), high, 1)));
#elif defined(__x86_64__)
  return Floats(_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(reinterpret_cast<__m128i const*>(source)))));
#else
  return Floats(vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(source), 16)));
#endif
}

/// The upper bfloat16 of each of the `lanes` words at `source`, of any alignment, as floats.
[[gnu::always_inline]] inline Floats load_upper_bfloat16(std::uint16_t const* source) noexcept {
#if defined(__AVX512F__)
  return Floats(_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(source), _mm512_set1_epi32(static_cast<int>(0xffff0000)))));
#elif defined(__AVX__)
  __m256 const upper = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xffff0000)));
  return Floats(_mm256_and_ps(_mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source))), upper));
#elif defined(__x86_64__)
  __m128i const upper = _mm_set1_epi32(static_cast<int>(0xffff0000));
  return Floats(_mm_castsi128_ps(_mm_and_si128(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source)), upper)));
#else
  return Floats(vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_u16(vld1q_u16(source)), vdupq_n_u32(0xffff0000))));
#endif
}

/// The lower bfloat16 of each likewise.
[[gnu::always_inline]] inline Floats load_lower_bfloat16(std::uint16_t const* source) noexcept {
#if defined(__AVX512F__)
  return Floats(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(source), 16)));
#elif defined(__AVX2__)
  return Floats(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source)), 16)));
#elif defined(__x86_64__)
  auto const shifted = [&](std::size_t first) {
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source + first)), 16));
  };
#if defined(__AVX__)
  return Floats(_mm256_insertf128_ps(_mm256_castps128_ps256(shifted(0)), shifted(8), 1));
#else
  return Floats(shifted(0));
#endif
#else
  return Floats(vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(vld1q_u16(source)), 16)));
#endif
}

/// The `lanes` IEEE 754 binary16 at `source`, of any alignment, as floats. A NaN is one, and may have become quiet.
[[gnu::always_inline]] inline Floats load_half(std::uint16_t const* source) noexcept {
#if defined(__AVX512F__)
  return Floats(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(source))));
#elif defined(__F16C__)
  return Floats(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(source))));
#elif defined(__x86_64__)
  // As `float_from_half`; a subnormal's fraction is a whole number of 2^-24.
  auto const widen = [](__m128i half) {
    __m128i const magnitude = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x7fff)), 13);
    __m128i const sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16);
    __m128i const is_special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32((31 << 23) - 1));
    __m128i const is_subnormal = _mm_cmpgt_epi32(_mm_set1_epi32(1 << 23), magnitude);
    __m128i const normal = _mm_add_epi32(magnitude, _mm_set1_epi32(112 << 23));
    __m128i const special = _mm_and_si128(is_special, _mm_set1_epi32(112 << 23));
    __m128i const subnormal =
        _mm_castps_si128(_mm_sub_ps(_mm_castsi128_ps(_mm_add_epi32(normal, _mm_set1_epi32(1 << 23))), _mm_set1_ps(0x1p-14f)));
    __m128i const value =
        _mm_or_si128(_mm_and_si128(is_subnormal, subnormal), _mm_andnot_si128(is_subnormal, _mm_add_epi32(normal, special)));
    return _mm_castsi128_ps(_mm_or_si128(sign, value));
  };
#if defined(__AVX__)
  __m128i const values = _mm_loadu_si128(reinterpret_cast<__m128i const*>(source)), zero = _mm_setzero_si128();
  __m128 const low = widen(_mm_unpacklo_epi16(values, zero)), high = widen(_mm_unpackhi_epi16(values, zero));
  return Floats(_mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1));
#else
  return Floats(widen(_mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<__m128i const*>(source)), _mm_setzero_si128())));
#endif
#else
  return Floats(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(source))));
#endif
}

namespace detail {

// Copies `count` < 2 * Chunk floats as powers of two: fixed sizes become single moves, where a memcpy of variable size would be a call.
template <std::size_t Chunk>
[[gnu::always_inline]] inline void copy_tail(float* target, float const* source, std::size_t count) noexcept {
  if ((count & Chunk) != 0) {
    std::memcpy(target, source, Chunk * sizeof(float));
    target += Chunk;
    source += Chunk;
  }
  if constexpr (Chunk > 1) copy_tail<Chunk / 2>(target, source, count);
}
#if defined(__AVX512F__)
[[gnu::always_inline]] inline __mmask16 first_lanes(std::size_t count) noexcept { return static_cast<__mmask16>((1u << count) - 1); }
#endif

}  // namespace detail

/// The first `count` floats at `source`, zero in the other lanes; memory beyond `count` is not touched. @pre count <= lanes.
[[gnu::always_inline]] inline Floats load_partial(float const* source, std::size_t count) noexcept {
  if (count >= lanes) return load(source);
#if defined(__AVX512F__)
  return Floats(_mm512_maskz_loadu_ps(detail::first_lanes(count), source));
#else
  alignas(Floats) float buffer[lanes] = {};
  detail::copy_tail<lanes / 2>(buffer, source, count);
  return Floats::load_aligned(buffer);
#endif
}

/// Writes the first `count` lanes to `target`; memory beyond `count` is not touched. @pre count <= lanes.
[[gnu::always_inline]] inline void store_partial(float* target, Floats values, std::size_t count) noexcept {
  if (count >= lanes) return store(target, values);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(target, detail::first_lanes(count), values.data);
#else
  alignas(Floats) float buffer[lanes];
  values.store_aligned(buffer);
  detail::copy_tail<lanes / 2>(target, buffer, count);
#endif
}

/// a * b + c, rounded once where `has_fma`, else after the product and after the sum.
[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) noexcept { return xsimd::fma(a, b, c); }

/// sum + upper(a) * upper(b), then + lower(a) * lower(b): products of the bfloat16 in the halves of each word, as `fma` does them. Where
/// `has_bfloat16_products` numbers below the normal ones count as zeros of their sign, in operands and results both (Intel's manual, VDPBF16PS: the odd pair
/// first; found so on Zen 4 too).
[[gnu::always_inline]] inline Floats multiply_pairs(Floats a, Floats b, Floats sum) noexcept {
#if defined(__AVX512F__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__)
  return Floats(_mm512_dpbf16_ps(sum.data, (__m512bh)a.data, (__m512bh)b.data));
#else
  auto const upper = [](Floats words) {
    return xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(words) & Ints(static_cast<std::int32_t>(0xffff0000)));
  };
  auto const lower = [](Floats words) { return xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(words) << 16); };
  return fma(lower(a), lower(b), fma(upper(a), upper(b), sum));
#endif
}

/// The nearest bfloat16 of 2 * `lanes` floats, in pairs: the first of two in the upper half of a word. Numbers below the normal ones become zeros where
/// `has_bfloat16_products`.
/// @param target `lanes` words, of any alignment.
[[gnu::always_inline]] inline void store_bfloat16_pairs(void* target, Floats first, Floats second) noexcept {
#if defined(__AVX512F__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__)
  auto const pairs = (__m512i)_mm512_cvtne2ps_pbh(second.data, first.data);
  _mm512_storeu_si512(target, _mm512_rol_epi32(pairs, 16));
#else
  alignas(Floats) float values[2 * lanes];
  store(values, first);
  store(values + lanes, second);
  std::uint32_t words[lanes];
  for (std::size_t i = 0; i < lanes; ++i)
    words[i] = std::uint32_t{bfloat16_from_float(values[2 * i])} << 16 | bfloat16_from_float(values[2 * i + 1]);
  std::memcpy(target, words, sizeof(words));
#endif
}

/// Two rows of sixteen words, each the bfloat16 of two neighbouring columns, become words of a column's two rows: those of the first row in the upper halves.
/// @param low,high Sixteen words each, of any alignment: those of the first sixteen columns, and of the others.
[[gnu::always_inline]] inline void store_pairs_of_rows(void* low, void* high, float const* first, float const* second) noexcept {
#if defined(__AVX512F__)
  __m512i const upper = _mm512_set1_epi32(static_cast<int>(0xffff0000)), a = _mm512_loadu_si512(first), b = _mm512_loadu_si512(second);
  __m512i const even = _mm512_or_si512(_mm512_and_si512(a, upper), _mm512_srli_epi32(b, 16));
  __m512i const odd = _mm512_or_si512(_mm512_slli_epi32(a, 16), _mm512_andnot_si512(upper, b));
  __m512i const order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  _mm512_storeu_si512(low, _mm512_permutex2var_epi32(even, order, odd));
  _mm512_storeu_si512(high, _mm512_permutex2var_epi32(even, _mm512_add_epi32(order, _mm512_set1_epi32(8)), odd));
#else
  std::uint32_t a[16], b[16], words[32];
  std::memcpy(a, first, sizeof(a));
  std::memcpy(b, second, sizeof(b));
  for (std::size_t i = 0; i < 16; ++i) {
    words[2 * i] = (a[i] & 0xffff0000u) | b[i] >> 16;
    words[2 * i + 1] = a[i] << 16 | (b[i] & 0xffffu);
  }
  std::memcpy(low, words, sizeof(a));
  std::memcpy(high, words + 16, sizeof(a));
#endif
}

/// a * b - c, rounded as `fma`.
[[gnu::always_inline]] inline Floats fms(Floats a, Floats b, Floats c) noexcept {
  // xsimd (13.2 and 14.3) has no fused form of this and of fnma for NEON: it rounds twice there.
  if constexpr (std::is_base_of_v<xsimd::neon64, Arch>) return xsimd::fma(a, b, -c);
  return xsimd::fms(a, b, c);
}

/// c - a * b, rounded as `fma`.
[[gnu::always_inline]] inline Floats fnma(Floats a, Floats b, Floats c) noexcept {
  if constexpr (std::is_base_of_v<xsimd::neon64, Arch>) return xsimd::fma(-a, b, c);
  return xsimd::fnma(a, b, c);
}

/// a / b, rounded once.
[[gnu::always_inline]] inline Floats divide(Floats a, Floats b) noexcept {
  // For NEON xsimd (13.2 and 14.3) multiplies by a refined estimate of 1 / b; the instruction exists in 64-bit mode.
  if constexpr (std::is_base_of_v<xsimd::neon64, Arch>) return Floats(a.data / b.data);
  return a / b;
}

/// The greater of two in each lane. Which one comes out when either is NaN depends on the instruction set.
[[gnu::always_inline]] inline Floats max(Floats a, Floats b) noexcept { return xsimd::max(a, b); }

/// The smaller of two in each lane. Which one comes out when either is NaN depends on the instruction set.
[[gnu::always_inline]] inline Floats min(Floats a, Floats b) noexcept { return xsimd::min(a, b); }

/// a > b ? a : b in each lane: b where either is NaN, and where both are zero. (xsimd::max has the operands in another order for each instruction set.)
[[gnu::always_inline]] inline Floats greater_or_second(Floats a, Floats b) noexcept {
#if defined(__AVX512F__)
  return Floats(_mm512_max_ps(a, b));
#elif defined(__AVX__)
  return Floats(_mm256_max_ps(a, b));
#elif defined(__x86_64__)
  return Floats(_mm_max_ps(a, b));
#else
  return xsimd::select(a > b, a, b);
#endif
}
/// a < b ? a : b likewise.
[[gnu::always_inline]] inline Floats smaller_or_second(Floats a, Floats b) noexcept {
#if defined(__AVX512F__)
  return Floats(_mm512_min_ps(a, b));
#elif defined(__AVX__)
  return Floats(_mm256_min_ps(a, b));
#elif defined(__x86_64__)
  return Floats(_mm_min_ps(a, b));
#else
  return xsimd::select(a < b, a, b);
#endif
}

namespace detail {

// Lane i of the result is lane i ^ Distance of `values`: neighbours, pairs or halves change places.
template <std::size_t Distance, std::size_t... Lane>
[[gnu::always_inline]] inline Floats exchange(Floats values, std::index_sequence<Lane...>) noexcept {
  return xsimd::swizzle(values, xsimd::batch_constant<std::uint32_t, Arch, (Lane ^ Distance)...>{});
}

template <std::size_t Distance, class Combine>
[[gnu::always_inline]] inline Floats fold(Floats values, Combine combine) noexcept {
  values = combine(values, exchange<Distance>(values, std::make_index_sequence<lanes>{}));
  if constexpr (Distance > 1) values = fold<Distance / 2>(values, combine);
  return values;
}

}  // namespace detail

/// The sum of all lanes, by halving: lane i and lane i + lanes/2, then lane i and lane i + lanes/4, and so on: of eight lanes,
/// ((l0 + l4) + (l2 + l6)) + ((l1 + l5) + (l3 + l7)).
/// Lanes of zero change nothing, so a partial vector filled with zeros has the sum of its valid lanes in that same order.
[[gnu::always_inline]] inline float sum_lanes(Floats values) noexcept {
  return detail::fold<lanes / 2>(values, [](Floats a, Floats b) { return a + b; }).get(0);
}

/// The greatest of all lanes. Which lanes count when some are NaN depends on the instruction set.
[[gnu::always_inline]] inline float max_lanes(Floats values) noexcept {
  return detail::fold<lanes / 2>(values, [](Floats a, Floats b) { return xsimd::max(a, b); }).get(0);
}

/// 0, 1, 2 … in the lanes, to mask tails with: `lane_indices() < broadcast(count)`.
[[gnu::always_inline]] inline Floats lane_indices() noexcept {
  return []<std::size_t... Lane>(std::index_sequence<Lane...>) {
    return Floats(static_cast<float>(Lane)...);
  }(std::make_index_sequence<lanes>{});
}

/// The first `count` lanes of `values`, `filler` in the others.
[[gnu::always_inline]] inline Floats keep_first(Floats values, std::size_t count, float filler) noexcept {
  return xsimd::select(lane_indices() < broadcast(static_cast<float>(count)), values, broadcast(filler));
}

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
