#include <doctest/doctest.h>

#include <axiform/core/build_info.hpp>

namespace {

using namespace axiform;

TEST_CASE("build info: the unit says what its macros say") {
  BuildInfo const build = build_info();
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__) && defined(__AVX512VL__)
#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AMX_BF16__) && defined(__AMX_INT8__)
  CHECK(build.compiled_for == InstructionSet::avx512_amx);
#elif defined(__AVX512VNNI__) && defined(__AVX512BF16__)
  CHECK(build.compiled_for == InstructionSet::avx512_bf16);
#elif defined(__AVX512VNNI__)
  CHECK(build.compiled_for == InstructionSet::avx512_vnni);
#else
  CHECK(build.compiled_for == InstructionSet::avx512);
#endif
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
  CHECK(build.compiled_for == InstructionSet::avx2_vnni);
#elif defined(__AVX2__) && defined(__FMA__)
  CHECK(build.compiled_for == InstructionSet::avx2_fma);
#elif defined(__SSE4_2__) && !defined(__AVX__)
  CHECK(build.compiled_for == InstructionSet::sse4_2);
#elif defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
  CHECK(build.compiled_for == InstructionSet::neon64_i8mm);
#elif defined(__ARM_FEATURE_DOTPROD)
  CHECK(build.compiled_for == InstructionSet::neon64_dotprod);
#elif defined(__aarch64__)
  CHECK(build.compiled_for == InstructionSet::neon64);
#endif
#if defined(__OPTIMIZE__)
  CHECK(build.optimization == Optimization::on);
#else
  CHECK(build.optimization == Optimization::off);
#endif
#if defined(NDEBUG)
  CHECK(build.assertions == Assertions::off);
#else
  CHECK(build.assertions == Assertions::on);
#endif
  CHECK(build.machine_has >= build.compiled_for);  // else this test would not run
  CHECK(describe(build).starts_with(name_of(build.compiled_for)));
}

TEST_CASE("build info: advice names what the machine has and the program lacks") {
  BuildInfo build{.compiled_for = InstructionSet::sse2, .machine_has = InstructionSet::avx2_fma, .optimization = Optimization::on, .compiler = "GCC 12"};
  REQUIRE(advice_for(build).size() == 1);
  CHECK(advice_for(build)[0] == "This machine has AVX2 with fma, and the program was compiled for SSE2: compile it with -march=native.");

  build.compiled_for = InstructionSet::avx2_fma;
  CHECK(advice_for(build).empty());
  CHECK(describe(build) == "AVX2 with fma, optimised, without assertions, GCC 12");

  build.optimization = Optimization::off;
  build.assertions = Assertions::on;
  CHECK(advice_for(build).size() == 1);
  CHECK(describe(build) == "AVX2 with fma, not optimised, with assertions, GCC 12");
}

}  // namespace
