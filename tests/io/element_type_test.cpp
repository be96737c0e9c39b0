#include <axiform/io/element_type.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace axiform;

static_assert(float_from_half(0x3c00) == 1.0f && float_from_half(0xc000) == -2.0f && float_from_half(0x7bff) == 65504.0f);
static_assert(float_from_half(0x0001) == 0x1p-24f && float_from_bfloat16(0x3f80) == 1.0f);

TEST_CASE("element type: every name leads to its type and back") {
  for (std::size_t i = 0; i < detail::element_types.size(); ++i) {
    auto const type = static_cast<ElementType>(i);
    CHECK(element_type_named(name_of(type)) == type);
  }
  CHECK(element_type_named("F32") == ElementType::f32);
  CHECK(bits_of(ElementType::f64) == 64);
  CHECK(bits_of(ElementType::boolean) == 8);
  CHECK(bits_of(ElementType::f6_e2m3) == 6);
  CHECK_FALSE(element_type_named("f32").has_value());
  CHECK_FALSE(element_type_named("").has_value());
}

TEST_CASE("element type: all 65536 halves have the value that IEEE 754 gives them") {
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

TEST_CASE("element type: all 65536 bfloat16 have the value of the float whose upper half they are") {
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
