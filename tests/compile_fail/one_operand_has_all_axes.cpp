// Of two tensors one has all axes of the other: queries are not added to keys, which would be an outer sum.
// expect-error: one of the tensors must have all axes.*
#include <axiform/algebra/arithmetic.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Keys, axiform::axes::Queries;

void use(Tensor<float, Queries, Const<64>> const& queries, Tensor<float, Keys, Const<64>> const& keys) {
#ifdef SHOULD_COMPILE
  auto const sum = queries + axiform::relabel<Keys, Queries>(keys);
#else
  auto const sum = queries + keys;
#endif
}
