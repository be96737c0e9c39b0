// A length that is free does not become one of the type by itself: that takes a checked `fix`.
// expect-error: (Hidden|LastAxis<).*Const<768>
#include <axiform/nn/linear.hpp>

using axiform::Const, axiform::Context, axiform::axes::Hidden, axiform::Linear, axiform::Tensor, axiform::axes::Tokens;

void use(Linear<Const<768>, Const<3072>> const& up, Tensor<float, Tokens, Hidden> const& x, Context& context) {
#ifdef SHOULD_COMPILE
  up(axiform::fix<Tokens, Const<768>>(x), context);
#else
  up(x, context);
#endif
}
