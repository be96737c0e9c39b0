// A decoder's memory is the encoder's side: the target's own states are not taken for it.
// expect-error: SourceTokens
// expect-error: Tokens, (axiform::)?Const<8>
#include <axiform/nn/decoder.hpp>

using axiform::Const, axiform::EncoderOutput, axiform::SequenceOffsets, axiform::axes::SourceTokens, axiform::Tensor, axiform::axes::Tokens;

using D = axiform::Dimensions<Const<8>, Const<2>, Const<4>, Const<16>>;

#ifdef SHOULD_COMPILE
using Side = SourceTokens;
#else
using Side = Tokens;
#endif

void use(Tensor<float, Side, Const<8>> const& states, SequenceOffsets<SourceTokens> const& sequences) {
  EncoderOutput<D> const memory{states, sequences};
  (void)memory;
}
