// Two axes that are equally long and have names are not the same: what belongs to the channels is not taken for features.
// expect-error: Channels.*Features|Features.*Channels
#include <axiform/core/tensor.hpp>

using axiform::Const, axiform::Tensor, axiform::View, axiform::axes::Tokens;

struct Features : Const<64> {};
struct Channels : Const<64> {};

void needs_features(View<Tokens, Features>) {}

void use(Tensor<float, Tokens, Channels> const& x) {
#ifdef SHOULD_COMPILE
  needs_features(axiform::relabel<Channels, Features>(x));
#else
  needs_features(x);
#endif
}
