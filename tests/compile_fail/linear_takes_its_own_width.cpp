// A layer refuses an input of another width, and the message names the width that it found and the one that the layer has.
// expect-error: RowsOf<|LastAxisIs<
// expect-first-error: no match
// expect-error: Tensor<float, (axiform::)?(axes::)?Tokens, (axiform::)?Const<1024>
// expect-error: Const<768>
#include <axiform/nn/linear.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Tokens;

#ifdef SHOULD_COMPILE
using Found = Const<768>;
#else
using Found = Const<1024>;
#endif

void use(axiform::Linear<Const<768>, Const<3072>> const& up, axiform::Context& context) { up(Tensor<float, Tokens, Found>(3), context); }
