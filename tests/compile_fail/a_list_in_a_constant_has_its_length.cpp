// In a constant, a list of another length is no exception but an error of the compiler's.
// expect-error: .*
#include <axiform/core/inline_tensor.hpp>

struct Rows : axiform::Const<2> {};
struct Columns : axiform::Const<3> {};

#ifdef SHOULD_COMPILE
constexpr axiform::InlineTensor<int, Rows, Columns> x{{1, 2, 3}, {4, 5, 6}};
#else
constexpr axiform::InlineTensor<int, Rows, Columns> x{{1, 2, 3}, {4, 5}};
#endif
