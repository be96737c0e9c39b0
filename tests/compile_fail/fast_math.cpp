// -ffast-math is refused in one line that says what to do.
// flags: -ffast-math
// error-lines: 1
// expect-error: -ffast-math breaks that. Compile without it
#ifdef SHOULD_COMPILE
#include <axiform/core/context.hpp>
#else
#include <axiform/core/context.hpp>
#endif
