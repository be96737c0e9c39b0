// C++17 is refused in two lines: what to do, and the end.
// flags: -std=c++17
// error-lines: 2
// expect-error: Axiform is C\+\+20: compile with -std=c\+\+20
#ifdef SHOULD_COMPILE
#include <axiform/core/context.hpp>
#else
#include <axiform/core/context.hpp>
#endif
