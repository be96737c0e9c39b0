// A quotient of integers is not what was meant more often than not: they are converted first.
// expect-error: integers are not divided
#include <axiform/algebra/arithmetic.hpp>

using axiform::Tensor, axiform::axes::Keys;

void use(Tensor<int, Keys> const& counts) {
#ifdef SHOULD_COMPILE
  auto const half = axiform::elementwise([](int count) { return static_cast<float>(count); }, counts) / 2;
#else
  auto const half = counts / 2;
#endif
}
