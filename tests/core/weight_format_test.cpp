// Weight formats: what halves and bfloat16 are worth, and how floats are rounded to them.
#include <axiform/core/weight_format.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace axiform;

static_assert(float_from_half(0x3c00) == 1.0f && float_from_half(0xc000) == -2.0f && float_from_half(0x7bff) == 65504.0f);
static_assert(float_from_half(0x0001) == 0x1p-24f && float_from_bfloat16(0x3f80) == 1.0f);
static_assert(half_from_float(1.0f) == 0x3c00 && half_from_float(-65504.0f) == 0xfbff && bfloat16_from_float(-1.0f) == 0xbf80);
static_assert(rounded_to(WeightFormat::f32, 1.0f / 3.0f) == 1.0f / 3.0f && rounded_to(WeightFormat::bf16, 0x1.01p0f) == 1.0f);

namespace {

// Every value that the format has between two neighbours is rounded to the nearer, ties to the even one: the neighbours, the middle, and
// the floats next to the middle, of all positive bits below `infinity`.
template <class Widen, class Narrow>
void check_rounding(std::uint16_t infinity, double beyond, Widen widen, Narrow narrow) {
  for (std::uint16_t bits = 0; bits < infinity; ++bits) {
    auto const next = static_cast<std::uint16_t>(bits + 1);
    double const low = double(widen(bits)), high = next == infinity ? beyond : double(widen(next));
    auto const middle = static_cast<float>((low + high) / 2);  // exact: one bit more than the format has
    std::uint16_t const even = bits % 2 == 0 ? bits : next;
    bool const fits = narrow(float(low)) == bits && narrow(middle) == even && narrow(std::nextafter(middle, 0.0f)) == bits &&
                      narrow(std::nextafter(middle, std::numeric_limits<float>::infinity())) == next &&
                      narrow(-float(low)) == (bits | 0x8000) && narrow(-middle) == (even | 0x8000);
    if (!fits) FAIL_CHECK("bits " << bits << " are not where values around them are rounded to");
  }
}

}  // namespace

TEST_CASE("weight format: every name leads to its format and back") {
  for (WeightFormat format : weight_formats) CHECK(weight_format_named(name_of(format)) == format);
  CHECK(name_of(WeightFormat::bf16) == "bf16");
  CHECK(name_of(WeightFormat::q4_1) == "q4_1");
  CHECK(name_of(WeightFormat::q4_k) == "q4_k");
  CHECK(bytes_of(WeightFormat::f32, 3) == 12);
  CHECK(bytes_of(WeightFormat::bf16, 3) == 6);
  CHECK(bytes_of(WeightFormat::f16, 3) == 6);
  CHECK_FALSE(weight_format_named("F16").has_value());
  CHECK_FALSE(weight_format_named("").has_value());
}

TEST_CASE("weight format: all 65536 halves have the value that IEEE 754 gives them") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    int const exponent = static_cast<int>(bits >> 10 & 31);
    double const fraction = bits & 1023;
    float const found = float_from_half(static_cast<std::uint16_t>(bits));
    bool fits;
    if (exponent == 31 && fraction != 0) {  // The payload stays, at the top of the wider fraction.
      fits = std::isnan(found) && (std::bit_cast<std::uint32_t>(found) & 0x7fffffu) == (bits & 1023) << 13;
    } else {
      double const value = exponent == 31  ? std::numeric_limits<double>::infinity()
                           : exponent == 0 ? std::ldexp(fraction, -24)
                                           : std::ldexp(1024 + fraction, exponent - 25);
      fits = static_cast<double>(std::abs(found)) == value;
    }
    if (!fits || std::signbit(found) != (bits >> 15 != 0)) FAIL_CHECK("half " << bits << " gave " << found);
  }
}

TEST_CASE("weight format: all 65536 bfloat16 have the value of the float whose upper half they are") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    int const exponent = static_cast<int>(bits >> 7 & 255);
    double const fraction = bits & 127;
    float const found = float_from_bfloat16(static_cast<std::uint16_t>(bits));
    bool const is_nan = exponent == 255 && fraction != 0;
    double const value = exponent == 255 ? std::numeric_limits<double>::infinity()
                         : exponent == 0 ? std::ldexp(fraction, -133)
                                         : std::ldexp(128 + fraction, exponent - 134);
    bool const fits = is_nan ? std::isnan(found) : static_cast<double>(std::abs(found)) == value;
    if (!fits || std::signbit(found) != (bits >> 15 != 0)) FAIL_CHECK("bfloat16 " << bits << " gave " << found);
  }
}

TEST_CASE("weight format: floats become the nearest half or bfloat16, ties the even one, and what is too large infinity") {
  check_rounding(0x7c00, 65536.0, float_from_half, half_from_float);
  check_rounding(0x7f80, 0x1p128, float_from_bfloat16, bfloat16_from_float);
  float const infinity = std::numeric_limits<float>::infinity(), greatest = std::numeric_limits<float>::max();
  CHECK(half_from_float(greatest) == 0x7c00);
  CHECK(half_from_float(65520.0f) == 0x7c00);
  CHECK(half_from_float(infinity) == 0x7c00);
  CHECK(half_from_float(-infinity) == 0xfc00);
  CHECK(half_from_float(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(bfloat16_from_float(greatest) == 0x7f80);
  CHECK(bfloat16_from_float(infinity) == 0x7f80);
}

TEST_CASE("weight format: a NaN stays one, of the same sign, whatever its payload") {
  for (std::uint32_t payload = 1; payload < (1u << 23); payload = payload * 2 + payload % 3)
    for (std::uint32_t sign : {0u, 0x80000000u}) {
      float const nan = std::bit_cast<float>(sign | 0x7f800000u | payload);
      for (WeightFormat format : {WeightFormat::bf16, WeightFormat::f16}) {
        float const kept = rounded_to(format, nan);
        CHECK(std::isnan(kept));
        CHECK(std::signbit(kept) == (sign != 0));
      }
    }
}

TEST_CASE("weight format: what a half or a bfloat16 is worth is rounded to itself") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    auto const half = static_cast<std::uint16_t>(bits);
    bool const quiet_half = (bits & 0x7c00) != 0x7c00 || (bits & 0x3ff) == 0 || (bits & 0x200) != 0;
    bool const quiet_bfloat16 = (bits & 0x7f80) != 0x7f80 || (bits & 0x7f) == 0 || (bits & 0x40) != 0;
    if (quiet_half && half_from_float(float_from_half(half)) != half) FAIL_CHECK("half " << bits << " changed");
    if (quiet_bfloat16 && bfloat16_from_float(float_from_bfloat16(half)) != half) FAIL_CHECK("bfloat16 " << bits << " changed");
  }
}
