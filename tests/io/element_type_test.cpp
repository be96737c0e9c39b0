#include <axiform/io/element_type.hpp>

#include <doctest/doctest.h>

using namespace axiform;

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
