/// @file
/// The blocks of encoder-decoders: a type that has those of both sides.
#pragma once

#include <axiform/models/forward.hpp>
#include <axiform/nn/decoder.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/recipe.hpp>

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

/// The blocks of `nn.Transformer`.
template <NormPlacement where>
struct TransformerRecipe {
  using Encoder = EncoderRecipe<where>;  ///< Of sources.
  using Decoder = DecoderRecipe<where>;  ///< Of targets.
};

/// A model around `nn.Transformer`, normalised behind each part as in the paper.
///
///     auto const model = load<Transformer<>>("models/transformer-dates", context);
template <DimensionsLike D = DynamicDimensions>
using Transformer = EncoderDecoder<D, TransformerRecipe<NormPlacement::after>>;
/// The same with `norm_first=True`.
template <DimensionsLike D = DynamicDimensions>
using PreNormTransformer = EncoderDecoder<D, TransformerRecipe<NormPlacement::before>>;

}  // namespace axiform::inline AXIFORM_ARCH
