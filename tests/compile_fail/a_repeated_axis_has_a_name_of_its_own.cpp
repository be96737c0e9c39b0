// Two axes of one name could not be told apart afterwards.
// expect-error: the tensor has an axis of the new name already
#include <axiform/algebra/rearrange.hpp>

using axiform::Tensor, axiform::axes::Keys, axiform::axes::Queries;

struct Features : axiform::Const<64> {};

void use(Tensor<float, Keys, Features> const& keys) {
#ifdef SHOULD_COMPILE
  auto const twice = axiform::repeat<Features, Queries>(keys, 2);
#else
  auto const twice = axiform::repeat<Features, Keys>(keys, 2);
#endif
}
