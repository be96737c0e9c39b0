// The ids behind the prompt are a span: of a text that nobody keeps they would refer to nothing.
// expect-first-error: deleted
#include <axiform/generate/result.hpp>

using axiform::GeneratedSequence, axiform::TokenId;

GeneratedSequence make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  for (TokenId const id : y.new_ids()) (void)id;
#else
  for (TokenId const id : make().new_ids()) (void)id;
#endif
}
