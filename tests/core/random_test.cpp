// Philox against the known-answer vectors that Random123 ships (philox4x32, 10 rounds).
#include <axiform/core/random.hpp>
#include <doctest/doctest.h>

#include <cmath>

using namespace axiform;

TEST_CASE("random: Philox 4x32-10 gives Random123's known answers") {
  CHECK(Philox(0)(0, 0) == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Philox(~0ull)(~0ull, ~0ull) == std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox(0x299f31d0a4093822)(0x0370734413198a2e, 0x85a308d3243f6a88) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: uniform numbers lie in [0, 1)") {
  CHECK(uniform_from(0, 0) == 0);
  CHECK(uniform_from(~0u, ~0u) < 1);
}

TEST_CASE("random: normal numbers have mean 0 and variance 1") {
  Philox const random(7);
  double sum = 0, squares = 0;
  std::size_t const groups = 50000;
  for (std::size_t i = 0; i < groups; ++i)
    for (double value : normals_from(random(0, i))) sum += value, squares += value * value;
  double const count = 4.0 * groups;
  CHECK(std::abs(sum / count) < 0.01);  // four standard errors
  CHECK(std::abs(squares / count - 1) < 0.013);
}
