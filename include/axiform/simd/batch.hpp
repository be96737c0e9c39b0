/// @file
/// The vocabulary of the kernels: a register of floats, how it is loaded and stored, and the operations whose order or rounding matters.
///
/// Arithmetic, comparison and `xsimd::select` come from xsimd itself. What is here is what xsimd leaves open: tails that never touch memory
/// beyond their count, a horizontal sum of one documented order, and `fma` with one meaning for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <axiform/simd/arch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

/// `value` in every lane.
[[gnu::always_inline]] inline Floats broadcast(float value) noexcept { return Floats(value); }

/// The `lanes` floats at `source`, of any alignment.
[[gnu::always_inline]] inline Floats load(float const* source) noexcept { return Floats::load_unaligned(source); }

/// Writes all lanes to `target`, of any alignment.
[[gnu::always_inline]] inline void store(float* target, Floats values) noexcept { values.store_unaligned(target); }

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

}  // namespace detail

/// The first `count` floats at `source`, zero in the other lanes; memory beyond `count` is not touched. @pre count <= lanes.
[[gnu::always_inline]] inline Floats load_partial(float const* source, std::size_t count) noexcept {
  if (count >= lanes) return load(source);
  alignas(Floats) float buffer[lanes] = {};
  detail::copy_tail<lanes / 2>(buffer, source, count);
  return Floats::load_aligned(buffer);
}

/// Writes the first `count` lanes to `target`; memory beyond `count` is not touched. @pre count <= lanes.
[[gnu::always_inline]] inline void store_partial(float* target, Floats values, std::size_t count) noexcept {
  if (count >= lanes) return store(target, values);
  alignas(Floats) float buffer[lanes];
  values.store_aligned(buffer);
  detail::copy_tail<lanes / 2>(target, buffer, count);
}

/// a * b + c, rounded once where `has_fma`, else after the product and after the sum.
[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) noexcept { return xsimd::fma(a, b, c); }

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
  return []<std::size_t... Lane>(std::index_sequence<Lane...>) { return Floats(static_cast<float>(Lane)...); }
  (std::make_index_sequence<lanes>{});
}

/// The first `count` lanes of `values`, `filler` in the others.
[[gnu::always_inline]] inline Floats keep_first(Floats values, std::size_t count, float filler) noexcept {
  return xsimd::select(lane_indices() < broadcast(static_cast<float>(count)), values, broadcast(filler));
}

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
