// Two axes of run-time length are different types: what belongs to the keys is not taken for the queries, unless the program says so.
// expect-error: Keys.*Queries|Queries.*Keys
#include <axiform/core/tensor.hpp>

using axiform::Const, axiform::axes::Keys, axiform::axes::Queries, axiform::Tensor, axiform::View;

void needs_queries(View<Queries, Const<64>>) {}

void use(Tensor<float, Keys, Const<64>> const& keys) {
#ifdef SHOULD_COMPILE
  needs_queries(axiform::relabel<Keys, Queries>(keys));
#else
  needs_queries(keys);
#endif
}
