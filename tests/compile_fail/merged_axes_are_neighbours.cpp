// Two axes become one where the second follows the first: of others the elements stand in another order.
// expect-error: the second axis does not follow the first.*
#include <axiform/algebra/reshape.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Heads, axiform::axes::Keys;

void use(Tensor<float, Heads, Keys, Const<64>> const& keys) {
#ifdef SHOULD_COMPILE
  auto const wide = axiform::merge<Heads, Const<64>>(axiform::permute<Keys, Heads, Const<64>>(keys));
#else
  auto const wide = axiform::merge<Heads, Const<64>>(keys);
#endif
}
