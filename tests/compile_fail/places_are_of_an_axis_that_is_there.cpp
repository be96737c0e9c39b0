// Rows of a vocabulary are not gathered from a table that has none.
// expect-error: the tensor has no such axis, or has it twice
#include <cstdint>

#include <axiform/algebra/gather.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Positions, axiform::axes::Tokens, axiform::axes::VocabularyEntries;

void use(Tensor<float, Positions, Const<64>> const& table, Tensor<std::int64_t, Tokens> const& ids) {
#ifdef SHOULD_COMPILE
  auto const rows = axiform::gather<Positions>(table, ids);
#else
  auto const rows = axiform::gather<VocabularyEntries>(table, ids);
#endif
}
