// Normal numbers made many at once have the bits of those that the standard library's functions give one after another.
#include <axiform/kernels/random.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

namespace kernels = axiform::kernels;
using axiform::Philox;

namespace {

// The numbers that differ, of 4 * groups.
std::size_t count_other_normals(Philox const& random, std::uint64_t stream, std::uint64_t first, double deviation, std::size_t groups) {
  std::vector<float> found(4 * groups);  // ends with the memory, so that an address sanitizer sees a write beyond it
  kernels::fill_normal(random, stream, first, deviation, found.data(), groups);
  std::size_t others = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    others += found[i] != static_cast<float>(deviation * axiform::normals_from(random(stream, first + i / 4))[i % 4]);
  return others;
}

}  // namespace

TEST_CASE("random: many normal numbers have the bits of one after another, for every remainder") {
  for (std::size_t groups = 0; groups < 70; ++groups) CHECK_MESSAGE(count_other_normals(Philox(groups), groups, 3, 0.02, groups) == 0, groups);
  CHECK(count_other_normals(Philox(~0ull), ~0ull, 0xffffffff00, 1.0, 50'000) == 0);
}

TEST_CASE("random: where a series cannot tell which float is nearest, the library does") {
  // The series alone gives the float below for one number of each of these groups.
  for (std::uint64_t const group : {2151u, 239689u, 244228u, 551145u, 577615u, 731938u, 805360u})
    CHECK_MESSAGE(count_other_normals(Philox(5), 0, group, 0.02, 1) == 0, group);
}
