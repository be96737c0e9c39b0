#include <axiform/simd/batch.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

namespace simd = axiform::simd;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

std::array<float, simd::lanes> lanes_of(simd::Floats values) {
  std::array<float, simd::lanes> result{};
  simd::store(result.data(), values);
  return result;
}

// Values whose sum depends on the order of summation.
std::vector<float> uneven(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::ldexp(1.0F + 0.37F * static_cast<float>(i), static_cast<int>(i * 7 % 19) - 9);
  return values;
}

}  // namespace

TEST_CASE("simd: partial loads and stores move exactly count floats at every alignment") {
  constexpr float guard = -77.0F;
  for (std::size_t offset = 0; offset < simd::lanes; ++offset) {
    for (std::size_t count = 0; count <= simd::lanes; ++count) {
      CAPTURE(offset);
      CAPTURE(count);
      // The source ends with its last valid float, so that an address sanitizer sees a read beyond it.
      std::vector<float> source(offset + count);
      for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i + 1);
      auto const loaded = simd::load_partial(source.data() + offset, count);
      auto const in_lanes = lanes_of(loaded);
      for (std::size_t i = 0; i < simd::lanes; ++i) CHECK(in_lanes[i] == (i < count ? static_cast<float>(offset + i + 1) : 0.0F));

      std::vector<float> target(offset + count, guard);
      simd::store_partial(target.data() + offset, loaded, count);
      for (std::size_t i = 0; i < target.size(); ++i) CHECK(target[i] == (i < offset ? guard : static_cast<float>(i + 1)));

      std::vector<float> wide(offset + 2 * simd::lanes, guard);
      simd::store_partial(wide.data() + offset, loaded, count);
      for (std::size_t i = offset + count; i < wide.size(); ++i) CHECK(wide[i] == guard);
    }
  }
}

TEST_CASE("simd: the sum of lanes halves, whatever the number of valid lanes") {
  for (std::size_t count = 0; count <= simd::lanes; ++count) {
    auto const values = uneven(count);
    std::vector<float> expected(simd::lanes, 0.0F);
    std::copy(values.begin(), values.end(), expected.begin());
    for (std::size_t half = simd::lanes / 2; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) expected[i] = expected[i] + expected[i + half];
    CHECK(simd::sum_lanes(simd::load_partial(values.data(), count)) == expected[0]);
  }
}

TEST_CASE("simd: the greatest lane is found in any lane") {
  for (std::size_t lane = 0; lane < simd::lanes; ++lane) {
    std::array<float, simd::lanes> values{};
    values.fill(-infinity);
    CHECK(simd::max_lanes(simd::load(values.data())) == -infinity);
    values[lane] = -3.5F;
    CHECK(simd::max_lanes(simd::load(values.data())) == -3.5F);
  }
}

TEST_CASE("simd: fma rounds once where the instruction set has it and twice where not") {
  // (1 + e)^2 = 1 + 2e + e^2: the e^2 is lost when the product is rounded first.
  float const e = std::ldexp(1.0F, -23);
  auto const x = simd::broadcast(1.0F + e);
  auto const fused = simd::fma(x, x, simd::broadcast(-(1.0F + 2.0F * e)));
  auto const subtracted = simd::fms(x, x, simd::broadcast(1.0F + 2.0F * e));
  auto const negated = simd::fnma(x, x, simd::broadcast(1.0F + 2.0F * e));
  for (std::size_t lane = 0; lane < simd::lanes; ++lane) {
    CHECK(lanes_of(fused)[lane] == (simd::has_fma ? e * e : 0.0F));
    CHECK(lanes_of(subtracted)[lane] == (simd::has_fma ? e * e : 0.0F));
    CHECK(lanes_of(negated)[lane] == (simd::has_fma ? -e * e : 0.0F));
  }
}

TEST_CASE("simd: a quotient is rounded once") {
  auto const divisors = uneven(1000);
  for (float const divisor : divisors) {
    auto const quotient = lanes_of(simd::divide(simd::broadcast(1.7F), simd::broadcast(divisor)));
    for (std::size_t lane = 0; lane < simd::lanes; ++lane) CHECK(quotient[lane] == 1.7F / divisor);
  }
}

TEST_CASE("simd: keep_first fills the lanes beyond the count") {
  auto const values = uneven(simd::lanes);
  for (std::size_t count = 0; count <= simd::lanes; ++count) {
    auto const kept = lanes_of(simd::keep_first(simd::load(values.data()), count, -infinity));
    for (std::size_t i = 0; i < simd::lanes; ++i) CHECK(kept[i] == (i < count ? values[i] : -infinity));
  }
}

TEST_CASE("simd: facts of the instruction set agree with its registers") {
  static_assert(simd::lanes == 4 || simd::lanes == 8 || simd::lanes == 16);
  static_assert(simd::registers == 16 || simd::registers == 32);
  static_assert(simd::Ints::size == simd::lanes);
  static_assert(sizeof(simd::Floats) == simd::lanes * sizeof(float));
}
