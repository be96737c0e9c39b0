// The elements of a tensor that nobody keeps are gone before a loop begins.
// expect-first-error: deleted
#include <axiform/core/tensor.hpp>

using axiform::Tensor, axiform::View, axiform::axes::Hidden, axiform::axes::Tokens;

Tensor<float, Tokens, Hidden> make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  for (float const element : y.elements()) (void)element;
#else
  for (float const element : make().elements()) (void)element;
#endif
}
