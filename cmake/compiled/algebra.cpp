// The loops of the algebra of tensors.
#define AXIFORM_COMPILING_algebra 1

#include <axiform/algebra/loops.hpp>
