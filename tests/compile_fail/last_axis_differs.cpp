// An operation that asks for an axis refuses another one, and the message names both.
// expect-error: LastAxisIs<.*Const<768>
// expect-error: Tensor<float, (axiform::)?(axes::)?Tokens, (axiform::)?Const<1024>
#include <axiform/core/tensor.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Tokens;

void needs_hidden_states(axiform::LastAxisIs<Const<768>> auto const&) {}

#ifdef SHOULD_COMPILE
using Found = Const<768>;
#else
using Found = Const<1024>;
#endif

void use() { needs_hidden_states(Tensor<float, Tokens, Found>(3)); }
