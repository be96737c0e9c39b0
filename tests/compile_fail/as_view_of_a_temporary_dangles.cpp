// `as_view` of a tensor that nobody keeps would refer to nothing.
// expect-first-error: deleted
#include <axiform/core/tensor.hpp>

using axiform::Tensor, axiform::View, axiform::axes::Hidden, axiform::axes::Tokens;

Tensor<float, Tokens, Hidden> make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  auto const view = as_view(y);
  (void)view;
#else
  auto const view = as_view(make());
  (void)view;
#endif
}
