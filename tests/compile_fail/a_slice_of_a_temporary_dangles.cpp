// A part of a tensor that nobody keeps would refer to nothing.
// expect-error: Viewable
#include <axiform/algebra/views.hpp>

using axiform::Const, axiform::Tensor, axiform::axes::Tokens;

float use(Tensor<float, Tokens, Const<64>> const& x) {
#ifdef SHOULD_COMPILE
  auto const kept = x.copy();
  auto const part = axiform::slice<Tokens>(kept, 2, 5);
#else
  auto const part = axiform::slice<Tokens>(x.copy(), 2, 5);
#endif
  return part(0, 0);
}
