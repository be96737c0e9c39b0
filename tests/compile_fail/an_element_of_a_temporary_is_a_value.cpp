// An element of a tensor that nobody keeps is a value: there is nothing to refer to.
// expect-first-error: (lvalue reference|rvalue)
#include <axiform/core/tensor.hpp>

using axiform::Tensor, axiform::axes::Hidden, axiform::axes::Tokens;

Tensor<float, Tokens, Hidden> make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  float const& element = y(0, 0);
  (void)element;
#else
  float& element = make()(0, 0);
  (void)element;
#endif
}
