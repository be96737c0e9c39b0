// What a decoder attends to refers to the sequences: those that nobody keeps are not taken.
// expect-first-error: deleted
#include <axiform/nn/decoder.hpp>

using axiform::Const, axiform::EncoderOutput, axiform::SequenceOffsets, axiform::Tensor, axiform::axes::SourceTokens;

using D = axiform::Dimensions<Const<8>, Const<2>, Const<4>, Const<16>>;

extern Tensor<float, SourceTokens, Const<8>> states;
SequenceOffsets<SourceTokens> make();

void use() {
#ifdef SHOULD_COMPILE
  auto const y = make();
  EncoderOutput<D> const memory{states, y};
  (void)memory;
#else
  EncoderOutput<D> const memory{states, make()};
  (void)memory;
#endif
}
