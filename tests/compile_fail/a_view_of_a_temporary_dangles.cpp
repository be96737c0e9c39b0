// A view refers to elements that someone owns: a tensor that nobody keeps does not become one.
// expect-first-error: deleted
#include <axiform/core/tensor.hpp>

using axiform::Tensor, axiform::View, axiform::axes::Hidden, axiform::axes::Tokens;

Tensor<float, Tokens, Hidden> make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  View<Tokens, Hidden> const view = y;
  (void)view;
#else
  View<Tokens, Hidden> const view = make();
  (void)view;
#endif
}
