// A length without a name stands for an axis of each tensor, but not for two axes with different names.
// expect-error: one name in the one tensor, and another in the other
#include <axiform/algebra/contract.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Keys, axiform::axes::Queries;

struct Features : Const<64> {};
struct Channels : Const<64> {};

void use(Tensor<float, Queries, Features> const& query, Tensor<float, Keys, Channels> const& key) {
#ifdef SHOULD_COMPILE
  auto const scores = axiform::contract<Const<64>>(query, axiform::relabel<Channels, Features>(key));
#else
  auto const scores = axiform::contract<Const<64>>(query, key);
#endif
}
