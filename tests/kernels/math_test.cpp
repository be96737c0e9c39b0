#include <axiform/kernels/activation.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kernels = axiform::kernels;
namespace simd = axiform::simd;
using axiform::Activation;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float smallest_normal = std::numeric_limits<float>::min();

// What each function is measured against: double precision, which is 2^29 times finer.
double reference_gelu(double x) { return x == -HUGE_VAL ? -0.0 : 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
double reference_gelu_tanh(double x) {
  return x < -1e3 ? -0.0 : x / (1.0 + std::exp(-1.5957691216057307118 * x * (1.0 + 0.044715 * x * x)));
}
double reference_silu(double x) { return x < -1e3 ? -0.0 : x / (1.0 + std::exp(-x)); }

struct Function {
  std::string name;
  simd::Floats (*value)(simd::Floats);
  double (*reference)(double);
  double bound;            // in ulp, where the result is a normal number
  double subnormal_bound;  // in units of the smallest subnormal, where it is not
};

// The bounds are those of the headers, rounded up: they hold with fma and without it.
Function const functions[] = {
    {"exp", [](simd::Floats x) { return kernels::exp(x); }, [](double x) { return std::exp(x); }, 1.1, 1.0},
    {"tanh", [](simd::Floats x) { return kernels::tanh(x); }, [](double x) { return std::tanh(x); }, 2.7, 0.51},
    {"erf", [](simd::Floats x) { return kernels::erf(x); }, [](double x) { return std::erf(x); }, 1.4, 0.6},
    {"erfc", [](simd::Floats x) { return kernels::erfc(x); }, [](double x) { return std::erfc(x); }, 4.0, 1.7},
    {"gelu", [](simd::Floats x) { return kernels::gelu(x); }, reference_gelu, 4.0, 1.8},
    {"gelu_tanh", [](simd::Floats x) { return kernels::gelu_tanh(x); }, reference_gelu_tanh, 3.2, 1.1},
    {"silu", [](simd::Floats x) { return kernels::silu(x); }, reference_silu, 3.0, 1.1},
};

// The distance of `value` from `expected` in units of the last place of `expected`; infinity where the kind of number is wrong.
double error_in_ulp(float value, double expected) {
  if (std::isnan(expected)) return std::isnan(value) ? 0.0 : HUGE_VAL;
  float const rounded = static_cast<float>(expected);
  if (std::isinf(rounded) || !std::isfinite(value)) return value == rounded ? 0.0 : HUGE_VAL;
  if (std::signbit(value) != std::signbit(expected)) return HUGE_VAL;
  int exponent = 0;
  std::frexp(expected, &exponent);
  return std::abs(static_cast<double>(value) - expected) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

struct Worst {
  double error = 0.0;
  float at = 0.0F;
};

struct Errors {
  Worst normal;
  Worst subnormal;
};

// Measures `function` on bit patterns first, first + step, ….
Errors measure(Function const& function, std::uint64_t first, std::uint64_t last, std::uint64_t step) {
  Errors errors;
  std::array<float, simd::lanes> in{}, out{};
  for (std::uint64_t bits = first; bits < last; bits += step * simd::lanes) {
    for (std::size_t lane = 0; lane < simd::lanes; ++lane)
      in[lane] = std::bit_cast<float>(static_cast<std::uint32_t>(std::min(bits + lane * step, last - 1)));
    simd::store(out.data(), function.value(simd::load(in.data())));
    for (std::size_t lane = 0; lane < simd::lanes; ++lane) {
      double const expected = function.reference(static_cast<double>(in[lane]));
      double const error = error_in_ulp(out[lane], expected);
      Worst& worst = std::abs(expected) < static_cast<double>(smallest_normal) ? errors.subnormal : errors.normal;
      if (error > worst.error) worst = {error, in[lane]};
    }
  }
  return errors;
}

void check(Function const& function, std::uint64_t first, std::uint64_t last, std::uint64_t step) {
  auto const errors = measure(function, first, last, step);
  CAPTURE(function.name);
  CAPTURE(errors.normal.at);
  CHECK(errors.normal.error <= function.bound);
  CAPTURE(errors.subnormal.at);
  CHECK(errors.subnormal.error <= function.subnormal_bound);
}

float at(simd::Floats (*function)(simd::Floats), float x) { return function(simd::broadcast(x)).get(0); }

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

}  // namespace

TEST_CASE("math: every function stays within its bound on one of 1021 bit patterns") {
  for (auto const& function : functions) check(function, 0, std::uint64_t{1} << 32, 1021);
}

TEST_CASE("math: every function stays within its bound around the places where its formula changes") {
  for (float const place :
       {0.0F,   smallest_normal, 1.0F,  0.34657359F, 1.03972077F, 9.010913F, 9.1944F, 10.0F,     10.0546F,   10.25F, 10.8F,  11.0F,
        13.14F, 14.2F,           14.5F, 87.33654F,   88.37626F,   88.72284F, 89.0F,   103.2789F, 103.97208F, 104.0F, 108.6F, 110.0F}) {
    auto const bits = std::uint64_t{std::bit_cast<std::uint32_t>(place)};
    for (auto const& function : functions) {
      check(function, bits - std::min<std::uint64_t>(bits, 2000), bits + 2000, 1);
      std::uint64_t const negative = bits | 0x80000000U;
      check(function, negative - std::min<std::uint64_t>(bits, 2000), negative + 2000, 1);
    }
  }
}

// All 2^32 inputs: minutes a function. AXIFORM_ALL_FLOATS=1 tests/axiform_tests -tc="math: all*" -s
TEST_CASE("math: all floats stay within the bounds when AXIFORM_ALL_FLOATS asks for them") {
  char const* const name = std::getenv("AXIFORM_ALL_FLOATS");
  if (name == nullptr) return;
  for (auto const& function : functions) {
    auto const errors = measure(function, 0, std::uint64_t{1} << 32, 1);
    MESSAGE(function.name, ": ", errors.normal.error, " ulp at ", errors.normal.at, "; subnormal results: ", errors.subnormal.error, " at ",
            errors.subnormal.at);
    CHECK(errors.normal.error <= function.bound);
    CHECK(errors.subnormal.error <= function.subnormal_bound);
  }
}

TEST_CASE("math: limits, NaN and signed zeros are right") {
  auto const exp = functions[0].value, tanh = functions[1].value, erf = functions[2].value, erfc = functions[3].value,
             gelu = functions[4].value, gelu_tanh = functions[5].value, silu = functions[6].value;
  for (auto const& function : functions) {
    CAPTURE(function.name);
    CHECK(std::isnan(at(function.value, not_a_number)));
    CHECK(std::isnan(at(function.value, -not_a_number)));
  }
  CHECK(std::isnan(at([](simd::Floats x) { return kernels::exp_nonpositive(x); }, not_a_number)));
  CHECK(std::isnan(at([](simd::Floats x) { return kernels::relu(x); }, not_a_number)));

  CHECK(same_bits(at(exp, -infinity), 0.0F));
  CHECK(at(exp, infinity) == infinity);
  CHECK(at(exp, 0.0F) == 1.0F);
  CHECK(at(exp, -0.0F) == 1.0F);
  CHECK(error_in_ulp(at(exp, 88.5F), std::exp(88.5)) <= 1.0);  // where xsimd's is infinite
  CHECK(at(exp, 88.7228F) < infinity);
  CHECK(at(exp, 88.73F) == infinity);

  for (auto const& odd : {tanh, erf}) {
    CHECK(at(odd, infinity) == 1.0F);
    CHECK(at(odd, -infinity) == -1.0F);
    CHECK(same_bits(at(odd, 0.0F), 0.0F));
    CHECK(same_bits(at(odd, -0.0F), -0.0F));
  }
  for (float const tiny : {1e-45F, -1e-45F, 1e-40F, 1e-20F, -1e-5F}) CHECK(same_bits(at(tanh, tiny), tiny));
  CHECK(at(erf, 1e-20F) == static_cast<float>(1.1283791670955126 * static_cast<double>(1e-20F)));

  CHECK(same_bits(at(erfc, infinity), 0.0F));
  CHECK(at(erfc, -infinity) == 2.0F);
  CHECK(at(erfc, 0.0F) == 1.0F);

  for (auto const& gate : {gelu, gelu_tanh, silu}) {
    CHECK(same_bits(at(gate, -infinity), -0.0F));
    CHECK(at(gate, infinity) == infinity);
    CHECK(same_bits(at(gate, 0.0F), 0.0F));
    CHECK(same_bits(at(gate, -0.0F), -0.0F));
    CHECK(at(gate, 3e38F) == 3e38F);
    CHECK(same_bits(at(gate, -3e38F), -0.0F));
  }
}

TEST_CASE("math: a value has the same bits in every lane and next to any neighbour") {
  float const values[] = {-20.0F, -3.7F, -0.6F, -1e-3F, 0.2F, 0.9F, 1.1F, 5.5F, 50.0F};
  for (auto const& function : functions) {
    CAPTURE(function.name);
    for (float const value : values) {
      float const alone = at(function.value, value);
      for (std::size_t lane = 0; lane < simd::lanes; ++lane) {
        std::array<float, simd::lanes> mixed{}, out{};
        for (std::size_t i = 0; i < simd::lanes; ++i)
          mixed[i] = i == lane ? value : i % 3 == 0 ? not_a_number : i % 3 == 1 ? -infinity : 88.0F;
        simd::store(out.data(), function.value(simd::load(mixed.data())));
        CHECK(same_bits(out[lane], alone));
      }
    }
  }
}

TEST_CASE("math: exp_nonpositive has the bits of exp") {
  for (std::uint32_t bits = 0x80000000U; bits < 0xff800000U; bits += 4093) {
    float const x = std::bit_cast<float>(bits);
    REQUIRE(same_bits(at([](simd::Floats v) { return kernels::exp_nonpositive(v); }, x), at(functions[0].value, x)));
  }
}

TEST_CASE("activations: a row of any length has the bits of its elements by themselves, and nothing else is touched") {
  constexpr float guard = 123.5F;
  for (auto const kind :
       {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh, Activation::silu}) {
    for (std::size_t columns = 0; columns <= 67; ++columns) {
      std::size_t const rows = 3, stride = columns + columns % 3, offset = columns % simd::lanes;
      std::vector<float> values(offset + rows * stride + 5, guard);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) values[offset + i * stride + j] = std::sin(static_cast<float>(7 * i + j)) * 4.0F;
      auto expected = values;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          expected[offset + i * stride + j] = kernels::activate(kind, simd::broadcast(expected[offset + i * stride + j])).get(0);
      kernels::activate_rows(kind, values.data() + offset, stride, rows, columns);
      CHECK(std::equal(values.begin(), values.end(), expected.begin(), same_bits));
    }
  }
  CHECK(kernels::activate(Activation::relu, simd::broadcast(-2.0F)).get(0) == 0.0F);
  CHECK(kernels::activate(Activation::relu, simd::broadcast(2.0F)).get(0) == 2.0F);
}
