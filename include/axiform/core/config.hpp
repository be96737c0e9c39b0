/// @file
/// The one configuration header: what the compiler was told, turned into the name of an inline namespace.
///
/// Everything whose machine code depends on the instruction set (simd/ and all that is built on it) lives in
/// `namespace axiform::inline AXIFORM_ARCH`. Two translation units compiled with different `-march` then hold different types
/// and functions, and the linker cannot merge a packing of one width with a kernel of another.
///
/// Every other header includes this one before it declares anything, so that a compiler that was told something wrong says so once.
#pragma once

// A compiler goes on after #error, and would report thousands of lines that say nothing: including a file that does not exist ends it.
#define AXIFORM_STOP "stopped: see the error above"

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "Axiform is C++20: compile with -std=c++20 (GCC 12, Clang 16, or newer; with CMake, link to axiform::axiform)."
#include AXIFORM_STOP
#endif

#if defined(__FAST_MATH__)
#error "Axiform promises the same bits for any batch and any number of threads; -ffast-math breaks that. Compile without it."
#endif
#if !(defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__) || defined(_M_ARM64)) || (defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ != 8)
#error "Axiform has kernels for x86-64 and for 64-bit ARM; this target is neither. Compile without -m32, for a 64-bit target."
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VL__)
#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AMX_BF16__) && defined(__AMX_INT8__)
#define AXIFORM_ARCH avx512_amx
#define AXIFORM_HAS_VNNI
#define AXIFORM_HAS_AMX
#elif defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#define AXIFORM_ARCH avx512_bf16
#define AXIFORM_HAS_VNNI
#elif defined(__AVX512VNNI__)
#define AXIFORM_ARCH avx512_vnni
#define AXIFORM_HAS_VNNI
#else
#define AXIFORM_ARCH avx512
#endif
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__) && !defined(__AVX512F__)
#define AXIFORM_ARCH avx2_vnni
#define AXIFORM_HAS_VNNI
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
#elif defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
#define AXIFORM_ARCH neon64_i8mm
#elif defined(__ARM_FEATURE_DOTPROD)
#define AXIFORM_ARCH neon64_dotprod
#else
#define AXIFORM_ARCH neon64
#endif
// AXIFORM_HAS_AMX: there are registers of 16 rows (simd/tiles.hpp). Panels of bfloat16 are laid out for them, whether or not the system lets a process use
// them. AXIFORM_HAS_VNNI: four products of bytes at once are an instruction, vpdpbusd. Rows of integers are laid out for it or for what there is else.

// The headers are the whole library. CMake's target axiform::compiled says AXIFORM_COMPILED to whoever links to it: then what is no template is
// declared by the headers, and each room's definitions are in one unit of that target, which says AXIFORM_COMPILING_room
// (docs/decisions/0021-a-compiled-library.md).
#if !defined(AXIFORM_COMPILED)
#define AXIFORM_DEFINES(room) 1
#define AXIFORM_INLINE inline
#else
#define AXIFORM_DEFINES(room) AXIFORM_COMPILING_##room
#define AXIFORM_INLINE
// Templates that programs use most are instantiated there, too: `AXIFORM_INSTANCE(room) void f<int>();`
#define AXIFORM_INSTANCE(room) AXIFORM_INSTANCE_##room
#ifndef AXIFORM_INSTANCE_models
#define AXIFORM_INSTANCE_models extern template
#endif
#ifndef AXIFORM_INSTANCE_tasks
#define AXIFORM_INSTANCE_tasks extern template
#endif
#endif

// For functions that run once, such as those that read files: GCC then optimises them for size, and inlines little into them, in a tenth less time
// (docs/decisions/0028-a-tokenizer-alone.md).
#if defined(__GNUC__)
#define AXIFORM_COLD [[gnu::cold]]
#else
#define AXIFORM_COLD
#endif

// What stands between these two is optimised whatever the unit is compiled with: without, -O0 runs 500 times slower than -O3, and -Og 24 times
// (docs/decisions/0016-kernels-in-debug-builds.md, GCC 12). "inline" because -O0 forbids inlining by a switch of its own. Clang has nothing of the kind.
// And GCC 12 takes values of its own avx512fintrin.h for uninitialised.
#if defined(__GNUC__) && !defined(__clang__)
#if defined(__OPTIMIZE_SIZE__)
#define AXIFORM_OPTIMIZE_KERNELS
#else
#define AXIFORM_OPTIMIZE_KERNELS _Pragma("GCC optimize(\"O3\", \"inline\")")
#endif
#define AXIFORM_BEGIN_KERNELS                                                                                          \
  _Pragma("GCC push_options") AXIFORM_OPTIMIZE_KERNELS _Pragma("GCC diagnostic push")                                  \
      _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define AXIFORM_END_KERNELS _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")
#else
#define AXIFORM_BEGIN_KERNELS
#define AXIFORM_END_KERNELS
#endif
