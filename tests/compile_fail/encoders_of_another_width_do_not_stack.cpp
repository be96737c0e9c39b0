// Layers of different dimensions do not stack: a BERT of one width does not take the states of another.
// expect-error: Const<384>
// expect-error: Const<768>
#include <axiform/models/bert.hpp>

using axiform::Bert, axiform::BertBase, axiform::Context, axiform::MiniLmL6, axiform::SequenceOffsets, axiform::axes::Tokens;

#ifdef SHOULD_COMPILE
using Other = BertBase;
#else
using Other = MiniLmL6;
#endif

void use(Bert<Other> const& first, Bert<BertBase> const& second, std::span<axiform::TokenId const> ids, SequenceOffsets<Tokens> const& sequences,
         Context& context) {
  second.encoder(first(ids, context), sequences, context);
}
