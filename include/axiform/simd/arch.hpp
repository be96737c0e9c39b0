/// @file
/// Facts of the instruction set that kernels shape themselves by: lanes of a register, how many there are, whether fma is one instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <xsimd/xsimd.hpp>

#include <axiform/core/config.hpp>

namespace axiform::inline AXIFORM_ARCH::simd {

namespace detail {

// The instruction set that xsimd takes for best, with two corrections. xsimd 13's `avxvnni` derives from plain `avx2` and so drops fma on
// every processor that has AVX-VNNI; `fma3<avx2>` is the same registers with it. SVE, whose length is a compiler flag, is left for NEON.
template <class Best>
struct Choose {
  using type = Best;
};
template <>
struct Choose<xsimd::avxvnni> {
  using type = xsimd::fma3<xsimd::avx2>;
};

using Best = std::conditional_t<xsimd::neon64::supported(), xsimd::neon64, typename Choose<xsimd::default_arch>::type>;

}  // namespace detail

/// xsimd's tag of the instruction set that this translation unit is compiled for.
using Arch = detail::Best;

static_assert(xsimd::has_simd_register<float, Arch>::value, "xsimd has no registers of floats for this target");

/// One register of 32-bit floats.
using Floats = xsimd::batch<float, Arch>;
/// One register of 32-bit signed integers: as many lanes as `Floats`.
using Ints = xsimd::batch<std::int32_t, Arch>;
/// A truth value for each lane of `Floats`.
using Mask = xsimd::batch_bool<float, Arch>;

/// Floats in one register: 16 with AVX-512, 8 with AVX, 4 with SSE and NEON.
inline constexpr std::size_t lanes = Floats::size;

/// Vector registers of the instruction set, which bound a register tile: 32 with AVX-512 and NEON, 16 with SSE and AVX.
inline constexpr std::size_t registers = std::is_base_of_v<xsimd::avx512f, Arch> || std::is_base_of_v<xsimd::neon64, Arch> ? 32 : 16;

/// Whether `fma` rounds once. Without the instruction (SSE, plain AVX) it is a product, rounded, and a sum, rounded, everywhere.
inline constexpr bool has_fma = std::is_base_of_v<xsimd::avx512f, Arch> || std::is_base_of_v<xsimd::neon64, Arch> ||
                                std::is_base_of_v<xsimd::fma3<xsimd::avx2>, Arch> || std::is_base_of_v<xsimd::fma3<xsimd::avx>, Arch> ||
                                std::is_base_of_v<xsimd::fma3<xsimd::sse4_2>, Arch> || std::is_base_of_v<xsimd::fma4, Arch>;

}  // namespace axiform::inline AXIFORM_ARCH::simd
