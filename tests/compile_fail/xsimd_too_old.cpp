// An xsimd that is too old is refused in two lines: which one was found, which is needed, and the end.
// flags: -I{folder}/old_xsimd
// error-lines: 2
// expect-error: Axiform needs xsimd 13.2 or newer; the one in the include path is 8\.1: name the folder of a newer one with -I
#ifdef SHOULD_COMPILE
#include <axiform/simd/arch.hpp>
#else
#include <axiform/simd/arch.hpp>
#endif
