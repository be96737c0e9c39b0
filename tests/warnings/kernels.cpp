// Kernels, for the warnings that come from optimising them. It is compiled and not run.
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>

template struct axiform::Bert<>;
template struct axiform::Gpt2<>;
