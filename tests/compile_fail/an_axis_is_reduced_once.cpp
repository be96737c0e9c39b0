// An axis that is named twice would be summed over twice.
// expect-error: an axis is named twice
#include <axiform/algebra/reduce.hpp>

using axiform::Tensor, axiform::axes::Keys;

struct Features : axiform::Const<64> {};

void use(Tensor<float, Keys, Features> const& keys) {
#ifdef SHOULD_COMPILE
  auto const total = axiform::sum<Features, Keys>(keys);
#else
  auto const total = axiform::sum<Features, Features>(keys);
#endif
}
