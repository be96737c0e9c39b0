// Operations compute in floats; a tensor of doubles is refused where it is given, by its type.
// expect-first-error: no match
// expect-error: Tensor<double
// expect-error: is_float<
#include <axiform/nn/linear.hpp>

using axiform::Const, axiform::Context, axiform::Linear, axiform::Tensor, axiform::axes::Tokens;

#ifdef SHOULD_COMPILE
using Element = float;
#else
using Element = double;
#endif

void use(Linear<Const<768>, Const<3072>> const& up, Tensor<Element, Tokens, Const<768>> const& x, Context& context) { up(x, context); }
