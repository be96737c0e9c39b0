// 32-bit x86 is refused in one line, whatever its instruction set. (With core/config.hpp alone, for the standard library's headers of that target may be missing.)
// flags: -m32 -march=haswell
// error-lines: 1
// expect-error: this target is neither. Compile without -m32
#ifdef SHOULD_COMPILE
#include <axiform/core/config.hpp>
#else
#include <axiform/core/config.hpp>
#endif
