// A reduction names an axis that the tensor has.
// expect-error: the tensor has no such axis
#include <axiform/algebra/reduce.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Keys, axiform::axes::Queries;

void use(Tensor<float, Queries, Const<64>> const& queries) {
#ifdef SHOULD_COMPILE
  auto const total = axiform::sum<Queries>(queries);
#else
  auto const total = axiform::sum<Keys>(queries);
#endif
}
