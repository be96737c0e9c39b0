// A decoder attends to an encoder's output: it does not run without one, and the message names the recipe that says so.
// expect-first-error: no match
// expect-error: DecoderRecipe
#include <axiform/nn/decoder.hpp>

using axiform::Const, axiform::Context, axiform::EncoderOutput, axiform::NormPlacement, axiform::SequenceOffsets, axiform::Tensor,
    axiform::axes::Tokens;

using D = axiform::Dimensions<Const<8>, Const<2>, Const<4>, Const<16>>;

void use(axiform::Decoder<D, NormPlacement::after> const& decoder, Tensor<float, Tokens, Const<8>> const& x,
         SequenceOffsets<Tokens> const& sequences, EncoderOutput<D> const& memory, Context& context) {
#ifdef SHOULD_COMPILE
  decoder(x, {.sequences = sequences, .source = memory}, context);
#else
  (void)memory;
  decoder(x, {.sequences = sequences}, context);
#endif
}
