// What is added behind a product has the product's axes; the message is about the program's own line.
// expect-first-error: no match
// expect-error: ResidualEpilogue<.*Const<768>
// expect-error: Const<3072>
#include <axiform/nn/linear.hpp>

using axiform::Const, axiform::Context, axiform::Linear, axiform::Tensor, axiform::axes::Tokens;

#ifdef SHOULD_COMPILE
using Width = Const<3072>;
#else
using Width = Const<768>;
#endif

void use(Linear<Const<768>, Const<3072>> const& up, Tensor<float, Tokens, Const<768>> const& x, Tensor<float, Tokens, Width> const& residual,
         Context& context) {
  up(x, context, add_residual(residual));
}
