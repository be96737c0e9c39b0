// Two units that include every header link together: nothing in a header is defined twice.
#include <every_header.hpp>

int other_unit();

int main() { return other_unit(); }
