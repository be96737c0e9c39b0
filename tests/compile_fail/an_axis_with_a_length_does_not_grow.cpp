// One behind the other, two tensors are longer than the axis of either: where that has a length, the result's has another name.
// expect-error: the axis has a length: concat.*
#include <axiform/algebra/rearrange.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Keys;

struct Features : Const<64> {};
struct Both : Const<128> {};

void use(Tensor<float, Keys, Features> const& keys) {
#ifdef SHOULD_COMPILE
  auto const wide = axiform::concat<Both, Features, Features>(keys, keys);
#else
  auto const wide = axiform::concat<Features>(keys, keys);
#endif
}
