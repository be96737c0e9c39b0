// What is true or false is no number: `where` chooses by it, `convert` makes numbers of it.
// expect-error: there is no arithmetic of bool
#include <axiform/algebra/functions.hpp>

using axiform::Tensor, axiform::axes::Keys;

void use(Tensor<bool, Keys> const& seen) {
#ifdef SHOULD_COMPILE
  auto const counts = axiform::convert<int>(seen) + axiform::convert<int>(seen);
#else
  auto const counts = seen + seen;
#endif
}
