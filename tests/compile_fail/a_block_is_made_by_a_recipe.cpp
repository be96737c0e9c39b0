// A recipe is derived from `BlockRecipe`, which has what it does not say; the message names the concept and the type.
// expect-first-error: constraint
// expect-error: BlockRecipe
// expect-error: MyRecipe
#include <axiform/nn/block.hpp>

using axiform::Const;

using D = axiform::Dimensions<Const<8>, Const<2>, Const<4>, Const<16>>;

#ifdef SHOULD_COMPILE
struct MyRecipe : axiform::BlockRecipe {};
#else
struct MyRecipe {};
#endif

void use(axiform::Block<D, MyRecipe> const& block);
