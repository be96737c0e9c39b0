// A view of elements that lie elsewhere outlives no temporary.
// expect-error: the elements are a temporary: give them a name
#include <vector>

#include <axiform/algebra/views.hpp>

using axiform::axes::Keys;

std::vector<float> numbers();

void use() {
#ifdef SHOULD_COMPILE
  auto const kept = numbers();
  auto const view = axiform::view_of<Keys>(kept, 3);
#else
  auto const view = axiform::view_of<Keys>(numbers(), 3);
#endif
}
