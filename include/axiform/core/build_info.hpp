/// @file
/// What a program was compiled for, and whether the machine that it runs on could do more.
///
///     BuildInfo const build = build_info();
///     std::cerr << describe(build) << '\n';
///     for (std::string const& advice : advice_for(build)) std::cerr << advice << '\n';
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

namespace axiform {

/// The instruction sets that kernels are compiled for. Of those of one family, a later one has all that an earlier one has, but for fma without AVX2, and for
/// AVX-VNNI, which machines with AVX-512 may lack.
enum class InstructionSet {
  neon64, neon64_dotprod, neon64_i8mm,
  sse2, sse4_2, avx, avx_fma, avx2, avx2_fma, avx2_vnni, avx512, avx512_vnni, avx512_bf16, avx512_amx
};

/// As people write it: "AVX2 with fma".
constexpr std::string_view name_of(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::neon64: return "NEON";
    case InstructionSet::neon64_dotprod: return "NEON with dot products";
    case InstructionSet::neon64_i8mm: return "NEON with dot products and I8MM";
    case InstructionSet::sse2: return "SSE2";
    case InstructionSet::sse4_2: return "SSE4.2";
    case InstructionSet::avx: return "AVX";
    case InstructionSet::avx_fma: return "AVX with fma";
    case InstructionSet::avx2: return "AVX2";
    case InstructionSet::avx2_fma: return "AVX2 with fma";
    case InstructionSet::avx2_vnni:
      return "AVX2 with fma and VNNI";
    case InstructionSet::avx512: return "AVX-512";
    case InstructionSet::avx512_vnni: return "AVX-512 with VNNI";
    case InstructionSet::avx512_bf16: return "AVX-512 with VNNI and BF16";
    case InstructionSet::avx512_amx:
      return "AVX-512 with AMX";
  }
  return "";
}

/// Whether the compiler was told to optimise.
enum class Optimization { off, on };

/// Whether `assert` checks (no NDEBUG).
enum class Assertions { off, on };

/// How a unit was compiled, and what this machine has.
struct BuildInfo {
  InstructionSet compiled_for = InstructionSet::sse2;  ///< What kernels use.
  InstructionSet machine_has = InstructionSet::sse2;   ///< What they could use here.
  Optimization optimization = Optimization::off;       ///< Of the unit's own code. GCC optimises the kernels whatever the rest is compiled with.
  Assertions assertions = Assertions::off;             ///< Of the unit.
  std::string_view compiler;                           ///< "GCC 12.2.0"
};

namespace detail {

#if defined(__clang__)
inline constexpr std::string_view compiler = "Clang " __clang_version__;
inline constexpr bool optimizes_kernels = false;
#elif defined(__GNUC__)
inline constexpr std::string_view compiler = "GCC " __VERSION__;
inline constexpr bool optimizes_kernels = true;
#else
inline constexpr std::string_view compiler = "an unknown compiler";
inline constexpr bool optimizes_kernels = false;
#endif

#if defined(__x86_64__)
// Whether the machine has AVX2, fma and AVX-VNNI. Clang 16 does not know the last to ask for.
inline bool machine_has_avx_vnni() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 &&
         (a & bit_AVXVNNI) != 0;
}
// Whether the machine has AMX's tiles, for bfloat16 and for bytes, and the system keeps them. Clang 16 does not know them either.
inline bool machine_has_amx() noexcept {
  constexpr unsigned all = 1u << 22 | 1u << 24 | 1u << 25, saved = 1u << 17 | 1u << 18;  // AMX-BF16, AMX-TILE, AMX-INT8; of XCR0
  unsigned a = 0, b = 0, c = 0, d = 0, low = 0, high = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & all) != all) return false;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & saved) == saved;
}
#endif

// The greatest instruction set of the machine, `compiled_for` where it cannot be asked.
inline InstructionSet machine_has([[maybe_unused]] InstructionSet compiled_for) noexcept {
#if defined(__x86_64__)
  bool const fma = __builtin_cpu_supports("fma") != 0;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl")) {
    if (!__builtin_cpu_supports("avx512vnni")) return InstructionSet::avx512;
    if (!__builtin_cpu_supports("avx512bf16")) return InstructionSet::avx512_vnni;
    return machine_has_amx() ? InstructionSet::avx512_amx : InstructionSet::avx512_bf16;
  }
  if (machine_has_avx_vnni()) return InstructionSet::avx2_vnni;
  if (__builtin_cpu_supports("avx2")) return fma ? InstructionSet::avx2_fma : InstructionSet::avx2;
  if (__builtin_cpu_supports("avx")) return fma ? InstructionSet::avx_fma : InstructionSet::avx;
  return __builtin_cpu_supports("sse4.2") ? InstructionSet::sse4_2 : InstructionSet::sse2;
#elif defined(__linux__)
  // Linux: HWCAP_ASIMDDP of AT_HWCAP, HWCAP2_I8MM of AT_HWCAP2.
  if ((getauxval(AT_HWCAP) & 1ul << 20) == 0) return InstructionSet::neon64;
  return (getauxval(AT_HWCAP2) & 1ul << 13) != 0 ? InstructionSet::neon64_i8mm : InstructionSet::neon64_dotprod;
#else
  return compiled_for;
#endif
}

}  // namespace detail

/// How the unit that calls this was compiled, and what this machine has.
// Static, for the answer is the unit's own: one of several in a program may be compiled with other flags.
[[maybe_unused]] static inline BuildInfo build_info() noexcept {
#if defined(__OPTIMIZE__)
  constexpr auto optimization = Optimization::on;
#else
  constexpr auto optimization = Optimization::off;
#endif
#if defined(NDEBUG)
  constexpr auto assertions = Assertions::off;
#else
  constexpr auto assertions = Assertions::on;
#endif
  constexpr auto compiled_for = InstructionSet::AXIFORM_ARCH;
  return {compiled_for, detail::machine_has(compiled_for), optimization, assertions, detail::compiler};
}

/// One line: "AVX2 with fma, optimised, without assertions, GCC 12.2.0".
inline std::string describe(BuildInfo const& build) {
  std::string text(name_of(build.compiled_for));
  text += build.optimization == Optimization::on ? ", optimised" : ", not optimised";
  text += build.assertions == Assertions::on ? ", with assertions, " : ", without assertions, ";
  return text += build.compiler;
}

/// What would make the program faster here, a sentence each; nothing when nothing would.
inline std::vector<std::string> advice_for(BuildInfo const& build) {
  std::vector<std::string> advice;
  if (build.machine_has > build.compiled_for)
    advice.push_back("This machine has " + std::string(name_of(build.machine_has)) + ", and the program was compiled for " +
                     std::string(name_of(build.compiled_for)) + ": compile it with -march=native.");
  if (build.optimization == Optimization::off)
    advice.push_back(detail::optimizes_kernels ? "The program was compiled without optimisation, all but the kernels: compile it with -O2 or -O3."
                                               : "The program was compiled without optimisation, the kernels too: compile it with -O3, or with -Og -g for a debugger.");
  return advice;
}

}  // namespace axiform
