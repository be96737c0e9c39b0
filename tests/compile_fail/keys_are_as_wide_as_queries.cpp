// Attention takes keys as wide as the queries, and the message names both tensors.
// expect-first-error: no match
// expect-error: Tensor<float, (axiform::)?(axes::)?Keys, (axiform::)?Const<32>
// expect-error: Const<64>
#include <axiform/ops/attention.hpp>

using axiform::AttentionKind, axiform::Const, axiform::Context, axiform::SequenceOffsets, axiform::Tensor;
using axiform::axes::Keys, axiform::axes::Queries;

#ifdef SHOULD_COMPILE
using Width = Const<64>;
#else
using Width = Const<32>;
#endif

void use(Tensor<float, Queries, Const<64>> const& query, Tensor<float, Keys, Width> const& key, Tensor<float, Keys, Width>& value,
         SequenceOffsets<Queries> const& queries, SequenceOffsets<Keys> const& keys, Context& context) {
  axiform::attention(query, key, value.view(), 4, queries, keys, AttentionKind::cross, {}, context);
}
