/// @file
/// The blocks of encoder-decoders: a type that has those of both sides.
#pragma once

#include <axiform/core/axis.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/nn/decoder.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/rms_norm.hpp>

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

/// A BART, with its head; models/bart_heads.hpp has the one that labels texts.
///
///     auto const bart = load<Bart<>>(directory, context);            // bart-base, bart-large-cnn
///     auto const bart = load<Bart<BartBase>>(directory, context);    // another shape is refused
template <DimensionsLike D = DynamicDimensions>
using Bart = EncoderDecoder<D, PostNormRecipe>;
/// A Marian, with its head: the opus-mt models. It is BART's type with other settings.
template <DimensionsLike D = DynamicDimensions>
using Marian = EncoderDecoder<D, PostNormRecipe>;
/// An mBART, with its head.
template <DimensionsLike D = DynamicDimensions>
using MBart = EncoderDecoder<D, PreNormRecipe>;

/// T5's blocks (Raffel et al. 2020): RMS norms before each part, no biases, scores that are not scaled, and a bias of self-attention by distance that
/// all layers of a side share, or that each has for itself (UMT5).
struct T5Recipe {
  /// What both sides have.
  template <class Side, RelativeDirections directions>
  struct Common : Side {
    template <Axis Columns>
    using Norm = RmsNorm<Columns>;  ///< Every norm.
    template <DimensionsLike D>
    using FeedForward = EitherMlp<D>;  ///< With a gate in T5 1.1.
    template <DimensionsLike D>
    using Position = RelativeBiasByLayer<D, directions>;             ///< Keys are seen by their distance.
    static constexpr AttentionBiases biases = no_attention_biases;   ///< Of attention's products.
    static constexpr MemberOrder order = MemberOrder::norms_before;  ///< Of its members' names.
  };
  /// Of sources.
  using Encoder = Common<EncoderRecipe<NormPlacement::before>, RelativeDirections::both>;
  /// Of targets.
  using Decoder = Common<DecoderRecipe<NormPlacement::before>, RelativeDirections::past>;
};

/// A T5, with its head; models/t5.hpp has the encoder alone.
///
///     auto const t5 = load<T5<>>(directory, context);            // T5, T5 1.1, FLAN-T5, mT5, UMT5
///     auto const t5 = load<T5<T5Small>>(directory, context);     // another shape is refused
template <DimensionsLike D = DynamicDimensions>
using T5 = EncoderDecoder<D, T5Recipe>;

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
