// What a decoder attends to is a view: states that nobody keeps are not taken.
// expect-first-error: deleted
#include <axiform/nn/decoder.hpp>

using axiform::Const, axiform::EncoderOutput, axiform::SequenceOffsets, axiform::Tensor, axiform::axes::SourceTokens;

using D = axiform::Dimensions<Const<8>, Const<2>, Const<4>, Const<16>>;

Tensor<float, SourceTokens, Const<8>> make();
extern SequenceOffsets<SourceTokens> const sequences;

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  EncoderOutput<D> const memory{y, sequences};
  (void)memory;
#else
  EncoderOutput<D> const memory{make(), sequences};
  (void)memory;
#endif
}
