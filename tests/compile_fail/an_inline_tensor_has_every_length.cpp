// A tensor that lies where it is declared takes room that the compiler sets aside: it has no free length.
// expect-error: an InlineTensor lies where it is declared: its type has every length
#include <axiform/core/inline_tensor.hpp>

struct Rows : axiform::Const<2> {};

#ifdef SHOULD_COMPILE
axiform::InlineTensor<float, Rows, axiform::Const<3>> x;
#else
axiform::InlineTensor<float, Rows, axiform::axes::Keys> x;
#endif
