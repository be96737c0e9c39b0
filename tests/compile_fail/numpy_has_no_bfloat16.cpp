// Files of NumPy hold no bfloat16.
// expect-error: NumPy has no bfloat16: use float
#include <axiform/io/npy.hpp>

#ifdef SHOULD_COMPILE
using Element = axiform::Float16;
#else
using Element = axiform::BFloat16;
#endif

auto const x = axiform::read_npy<Element, axiform::axes::Tokens>("x.npy");
