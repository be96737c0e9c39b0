/// @file
/// The one configuration header: what the compiler was told, turned into the name of an inline namespace.
///
/// Everything whose machine code depends on the instruction set (simd/ and all that is built on it) lives in
/// `namespace axiform::inline AXIFORM_ARCH`. Two translation units compiled with different `-march` then hold different types
/// and functions, and the linker cannot merge a packing of one width with a kernel of another.
#pragma once

#if defined(__FAST_MATH__)
#error "Axiform promises the same bits for any batch and any number of threads; -ffast-math breaks that. Compile without it."
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VL__)
#define AXIFORM_ARCH avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define AXIFORM_ARCH avx2_fma
#elif defined(__AVX2__)
#define AXIFORM_ARCH avx2
#elif defined(__AVX__) && defined(__FMA__)
#define AXIFORM_ARCH avx_fma
#elif defined(__AVX__)
#define AXIFORM_ARCH avx
#elif defined(__SSE4_2__)
#define AXIFORM_ARCH sse4_2
#elif defined(__x86_64__) || defined(_M_X64)
#define AXIFORM_ARCH sse2
#elif defined(__aarch64__) || defined(_M_ARM64)
#define AXIFORM_ARCH neon64
#else
#error "Axiform has kernels for x86-64 and for 64-bit ARM; this target is neither."
#endif
