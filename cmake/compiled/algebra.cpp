// The loops of the algebra of tensors, and their products of matrices.
#define AXIFORM_COMPILING_algebra 1

#include <axiform/algebra/contraction.hpp>
#include <axiform/algebra/loops.hpp>
