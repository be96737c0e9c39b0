/// @file
/// Facts of the instruction set that kernels shape themselves by: lanes of a register, how many there are, whether fma is one instruction.
#pragma once

#include <axiform/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#if !__has_include(<xsimd/xsimd.hpp>)
#error "Axiform needs the headers of xsimd 13.2 or newer, and there are none: name their folder with -I; with CMake, see README, Using it."
#include AXIFORM_STOP
#endif

#include <xsimd/config/xsimd_config.hpp>
#if XSIMD_VERSION_MAJOR * 100 + XSIMD_VERSION_MINOR < 1302
// #error would not say the numbers; of a pragma's text they can be part.
#define AXIFORM_PRAGMA(...) _Pragma(#__VA_ARGS__)
#define AXIFORM_QUOTE(...) #__VA_ARGS__
#define AXIFORM_ERROR_OF(...) AXIFORM_PRAGMA(GCC error __VA_ARGS__)
#define AXIFORM_ERROR(...) AXIFORM_ERROR_OF(AXIFORM_QUOTE(__VA_ARGS__))
AXIFORM_ERROR(Axiform needs xsimd 13.2 or newer; the one in the include path is XSIMD_VERSION_MAJOR.XSIMD_VERSION_MINOR: name the folder of a newer one with -I)
#include AXIFORM_STOP
#endif

AXIFORM_BEGIN_KERNELS
#include <xsimd/xsimd.hpp>
AXIFORM_END_KERNELS

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

/// xsimd's tag of the instruction set that this translation unit is compiled for, under a name of our own.
struct Arch : detail::Best {};

}  // namespace axiform::inline AXIFORM_ARCH::simd

// The registers of `Arch`, like those of the instruction sets at the root of xsimd's families: a struct of one member. Those of the derived ones ("sse4_2 is sse4_1
// is ssse3 is …") are made by a chain of constructors, up to seven calls for one register, which GCC inlines nowhere in a unit compiled with -O0.
namespace xsimd::types {

template <class T>
struct simd_register<T, axiform::simd::Arch> {
  using register_type = typename simd_register<T, axiform::simd::detail::Best>::register_type;
  register_type data;
  [[gnu::always_inline]] operator register_type() const noexcept { return data; }
};

template <class T>
struct has_simd_register<T, axiform::simd::Arch> : has_simd_register<T, axiform::simd::detail::Best> {};

template <class T>
struct get_bool_simd_register<T, axiform::simd::Arch> {
  struct type {
    using register_type = typename get_bool_simd_register_t<T, axiform::simd::detail::Best>::register_type;
    register_type data;
    [[gnu::always_inline]] operator register_type() const noexcept { return data; }
  };
};

}  // namespace xsimd::types

namespace axiform::inline AXIFORM_ARCH::simd {

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

/// How an instruction set multiplies bfloat16.
enum class Bfloat16Products {
  of_floats,  ///< As the floats that they are.
  of_pairs,   ///< Two products join a sum in one instruction (`multiply_pairs`): AVX512-BF16.
  of_tiles    ///< 32 products join each of 256 sums in one instruction (simd/tiles.hpp): AMX.
};

#if defined(AXIFORM_HAS_AMX)
inline constexpr Bfloat16Products bfloat16_products = Bfloat16Products::of_tiles;  ///< Of this instruction set.
#elif defined(__AVX512F__) && defined(__AVX512VNNI__) && defined(__AVX512BF16__)
inline constexpr Bfloat16Products bfloat16_products = Bfloat16Products::of_pairs;
#else
inline constexpr Bfloat16Products bfloat16_products = Bfloat16Products::of_floats;
#endif
/// Whether rows are rounded to bfloat16 where weights are.
inline constexpr bool has_bfloat16_products = bfloat16_products != Bfloat16Products::of_floats;

/// Whether `fma` rounds once. Without the instruction (SSE, plain AVX) it is a product, rounded, and a sum, rounded, everywhere.
inline constexpr bool has_fma = std::is_base_of_v<xsimd::avx512f, Arch> || std::is_base_of_v<xsimd::neon64, Arch> ||
                                std::is_base_of_v<xsimd::fma3<xsimd::avx2>, Arch> || std::is_base_of_v<xsimd::fma3<xsimd::avx>, Arch> ||
                                std::is_base_of_v<xsimd::fma3<xsimd::sse4_2>, Arch> || std::is_base_of_v<xsimd::fma4, Arch>;

}  // namespace axiform::inline AXIFORM_ARCH::simd
