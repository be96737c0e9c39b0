// Every header once more in the program of tests/core/names_test.cpp, which includes them too: link/two_units.
#include <axiform/axiform.hpp>

int other_unit();

int other_unit() { return 2; }
