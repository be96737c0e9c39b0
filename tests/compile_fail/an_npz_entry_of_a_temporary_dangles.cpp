// What refers to a tensor's elements until they are written is made of a tensor that is kept.
// expect-error: deleted function
#include <axiform/io/npz.hpp>

using axiform::Tensor, axiform::axes::Tokens;

void use() {
#ifdef SHOULD_COMPILE
  Tensor<float, Tokens> const x(5);
  auto const entry = axiform::npz_entry("x", x);
#else
  auto const entry = axiform::npz_entry("x", Tensor<float, Tokens>(5));
#endif
}
