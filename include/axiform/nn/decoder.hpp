/// @file
/// `DecoderLayer` and `Decoder`: causal self-attention, attention to an encoder's output, feed-forward block.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/nn/attention.hpp>
#include <axiform/nn/cross_attention.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What a decoder attends to: the encoder's output, and where each of its sequences begins.
template <DimensionsLike D>
struct EncoderOutput {
  View<axes::SourceTokens, typename D::Hidden> states;   ///< [SourceTokens, Hidden], packed.
  SequenceOffsets<axes::SourceTokens> const& sequences;  ///< Where each sequence begins.

  /// Refers to both, which the caller keeps.
  EncoderOutput(View<axes::SourceTokens, typename D::Hidden> encoded, SequenceOffsets<axes::SourceTokens> const& offsets)
      : states(encoded), sequences(offsets) {}
  EncoderOutput(View<axes::SourceTokens, typename D::Hidden>,
                SequenceOffsets<axes::SourceTokens> const&&) = delete;  ///< They would dangle.
};

/// One decoder block (Vaswani et al. 2017, figure 1, right).
template <DimensionsLike D, NormPlacement placement>
struct DecoderLayer {
  CausalSelfAttention<D> attention;                    ///< Within each target sequence.
  LayerNorm<typename D::Hidden> attention_norm;        ///< Of the self-attention.
  CrossAttention<D> cross_attention;                   ///< To the encoder's output.
  LayerNorm<typename D::Hidden> cross_attention_norm;  ///< Of the cross-attention.
  Mlp<D> mlp;                                          ///< The feed-forward block.
  LayerNorm<typename D::Hidden> mlp_norm;              ///< Of the feed-forward block.

  /// A layer with zero weights, to be loaded or initialised.
  static DecoderLayer create(D const& d, LayerSettings const& settings) {
    float const epsilon = settings.layer_norm_epsilon;
    return {CausalSelfAttention<D>(d), {d.hidden, epsilon}, CrossAttention<D>(d), {d.hidden, epsilon},
            Mlp<D>::create(d, settings.activation), {d.hidden, epsilon}};
  }

  /// @param x         [Tokens, Hidden], packed: the target's tokens, all of them or, with a cache, those behind it.
  /// @param sequences Where each target sequence begins.
  /// @param source    The encoder's output; sequence s of the target attends to sequence s of the source.
  /// @param past      A cache and the number of this layer, or nothing.
  /// @return          [Tokens, Hidden].
  template <RowsOf<typename D::Hidden> X, class... Past>
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(X const& x, SequenceOffsets<axes::Tokens> const& sequences,
                                                             EncoderOutput<D> const& source, Context& context, Past&&... past) const {
    if constexpr (placement == NormPlacement::after) {
      auto const h = attention_norm(attention(x, sequences, past..., context, add_residual(x)), context);
      auto const g =
          cross_attention_norm(cross_attention(h, sequences, source.states, source.sequences, context, add_residual(h)), context);
      return mlp_norm(mlp(g, context, add_residual(g)), context);
    } else {
      auto const h = attention(attention_norm(x, context), sequences, past..., context, add_residual(x));
      auto const g =
          cross_attention(cross_attention_norm(h, context), sequences, source.states, source.sequences, context, add_residual(h));
      return mlp(mlp_norm(g, context), context, add_residual(g));
    }
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d) {
    return CausalSelfAttention<D>::parameter_count(d) + CrossAttention<D>::parameter_count(d) + Mlp<D>::parameter_count(d) +
           3 * LayerNorm<typename D::Hidden>::parameter_count(d.hidden);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("attention", self.attention);
    visitor("attention_norm", self.attention_norm);
    visitor("cross_attention", self.cross_attention);
    visitor("cross_attention_norm", self.cross_attention_norm);
    visitor("mlp", self.mlp);
    visitor("mlp_norm", self.mlp_norm);
  }
};

/// A stack of decoder layers. A pre-norm stack has a final norm; a post-norm one can be given one (`final_norm.emplace(…)`).
template <DimensionsLike D, NormPlacement placement>
struct Decoder {
  std::vector<DecoderLayer<D, placement>> layers;           ///< First to last.
  std::optional<LayerNorm<typename D::Hidden>> final_norm;  ///< Behind the last layer.

  /// A stack with zero weights, to be loaded or initialised.
  static Decoder create(D const& d, std::size_t layers, LayerSettings const& settings) {
    Decoder decoder;
    decoder.layers = internal::make_layers<DecoderLayer<D, placement>>(d, layers, settings);
    if (placement == NormPlacement::before) decoder.final_norm.emplace(d.hidden, settings.layer_norm_epsilon);
    return decoder;
  }

  /// Whole target sequences.
  /// @param x         [Tokens, Hidden], packed.
  /// @param sequences Where each target sequence begins.
  /// @param source    The encoder's output.
  /// @return          [Tokens, Hidden].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(X const& x, SequenceOffsets<axes::Tokens> const& sequences,
                                                             EncoderOutput<D> const& source, Context& context) const {
    return run(x, context, [&](std::size_t i, auto const& states) { return layers[i](states, sequences, source, context); });
  }

  /// New target tokens behind those in the cache; the same bits as whole sequences have.
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(X const& x, SequenceOffsets<axes::Tokens> const& sequences,
                                                             EncoderOutput<D> const& source, KeyValueCache& cache, Context& context) const {
    auto states = run(x, context, [&](std::size_t i, auto const& h) { return layers[i](h, sequences, source, context, cache, i); });
    cache.advance(sequences);
    return states;
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d, std::size_t layers) {
    return layers * DecoderLayer<D, placement>::parameter_count(d) +
           (placement == NormPlacement::before ? LayerNorm<typename D::Hidden>::parameter_count(d.hidden) : 0);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("layers", self.layers);
    visitor("final_norm", self.final_norm);
  }

 private:
  template <class X, class RunLayer>
  Tensor<float, axes::Tokens, typename D::Hidden> run(X const& x, Context& context, RunLayer const& run_layer) const {
    return internal::run_layers<Tensor<float, axes::Tokens, typename D::Hidden>>("Decoder", layers.size(), final_norm, x, context,
                                                                                 run_layer);
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
