/// @file
/// The blocks of encoder-decoders: a type that has those of both sides.
#pragma once

#include <axiform/nn/decoder.hpp>
#include <axiform/nn/encoder.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Blocks that normalise behind each part, as Vaswani et al. 2017; BART and Marian.
struct PostNormRecipe {
  using Encoder = EncoderRecipe<NormPlacement::after>;  ///< Of sources.
  using Decoder = DecoderRecipe<NormPlacement::after>;  ///< Of targets.
};

/// Blocks that normalise before each part, and a norm behind the last; mBART, and PyTorch's `norm_first`.
struct PreNormRecipe {
  using Encoder = EncoderRecipe<NormPlacement::before>;  ///< Of sources.
  using Decoder = DecoderRecipe<NormPlacement::before>;  ///< Of targets.
};

}  // namespace axiform::inline AXIFORM_ARCH
