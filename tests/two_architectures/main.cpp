// Units compiled for different instruction sets, linked into one program, agree. Were their kernels not in namespaces of their own, the linker would
// keep one of two functions of the same name, and a matrix packed for one vector width would be read by a kernel of another.
#include <cmath>
#include <cstdlib>
#include <iostream>

#include <axiform/core/build_info.hpp>

#include "unit.hpp"

namespace {

// fma rounds once where SSE4.2 rounds twice, so results agree to rounding, not in every bit.
bool agree(char const* name, std::vector<float> const& found, std::vector<float> const& expected) {
  if (found.size() != expected.size()) {
    std::cout << name << ": found " << found.size() << " elements, expected " << expected.size() << "\n";
    return false;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    float const tolerance = 1e-5F * (1.0F + std::abs(expected[i]));
    if (!(std::abs(found[i] - expected[i]) <= tolerance)) {
      std::cout << name << ": element " << i << ": found " << found[i] << ", expected " << expected[i] << "\n";
      return false;
    }
  }
  std::cout << name << ": " << found.size() << " elements agree\n";
  return true;
}

}  // namespace

int main() {
  if (!__builtin_cpu_supports("sse4.2")) return EXIT_SUCCESS;
  auto const reference = v2();
  bool good = !reference.empty();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) good = agree("AVX2", v3(), reference) && good;
  if (axiform::detail::machine_has_avx_vnni()) good = agree("AVX2 with VNNI", v3_vnni(), reference) && good;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl")) {
    good = agree("AVX-512", v4(), reference) && good;
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
