/// @file
/// `EncoderLayer` and `Encoder`: self-attention and feed-forward blocks, one after another.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/nn/attention.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Where a block normalises.
enum class NormPlacement {
  before,  ///< Pre-norm: x + f(norm(x)), as GPT-2.
  after    ///< Post-norm: norm(x + f(x)), as Vaswani et al. 2017 and BERT.
};

/// What the layers of a stack share besides their dimensions.
struct LayerSettings {
  Activation activation = Activation::gelu;  ///< Of the feed-forward block.
  float layer_norm_epsilon = 1e-5f;          ///< Added to the variance.
};

/// One encoder block: self-attention within each sequence, then the feed-forward block, each with its residual and norm.
template <DimensionsLike D, NormPlacement placement>
struct EncoderLayer {
  SelfAttention<D> attention;                    ///< Within each sequence.
  LayerNorm<typename D::Hidden> attention_norm;  ///< Of the attention.
  Mlp<D> mlp;                                    ///< The feed-forward block.
  LayerNorm<typename D::Hidden> mlp_norm;        ///< Of the feed-forward block.

  /// A layer with zero weights, to be loaded or initialised.
  static EncoderLayer create(D const& d, LayerSettings const& settings) {
    return {SelfAttention<D>(d),
            {d.hidden, settings.layer_norm_epsilon},
            Mlp<D>::create(d, settings.activation),
            {d.hidden, settings.layer_norm_epsilon}};
  }

  /// @param x         [Rows, Hidden], packed.
  /// @param sequences Where each sequence begins.
  /// @return          [Rows, Hidden].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences,
                                                           Context& context) const {
    if constexpr (placement == NormPlacement::after) {
      auto const h = attention_norm(attention(x, sequences, context, add_residual(x)), context);
      return mlp_norm(mlp(h, context, add_residual(h)), context);
    } else {
      auto const h = attention(attention_norm(x, context), sequences, context, add_residual(x));
      return mlp(mlp_norm(h, context), context, add_residual(h));
    }
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d) {
    return SelfAttention<D>::parameter_count(d) + Mlp<D>::parameter_count(d) + 2 * LayerNorm<typename D::Hidden>::parameter_count(d.hidden);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("attention", self.attention);
    visitor("attention_norm", self.attention_norm);
    visitor("mlp", self.mlp);
    visitor("mlp_norm", self.mlp_norm);
  }
};

namespace internal {

template <class X>
void observe_hidden_states(Context& context, std::size_t stage, X const& states) {
  if (Observer* const observer = context.observer())
    observer->hidden_states(stage, View<axes::Tokens, axes::Hidden>(states.data(), Shape<axes::Tokens, axes::Hidden>::of(states.lengths()),
                                                                    states.row_stride()));
}

// Operations that one token takes in a layer of self-attention and feed-forward block, among `context_length` tokens.
template <DimensionsLike D>
constexpr std::size_t layer_flops_per_token(D const& d, std::size_t context_length) {
  return 2 * (4 * d.hidden * d.width() + 2 * d.hidden * d.inner) + 4 * context_length * d.width();
}

// `count` layers with zero weights.
template <class L, DimensionsLike D>
std::vector<L> make_layers(D const& d, std::size_t count, LayerSettings const& settings) {
  std::vector<L> layers;
  layers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) layers.push_back(L::create(d, settings));
  return layers;
}

// Layers one after another, and the final norm where there is one, all of it observed.
template <class Result, class Norm, class X, class RunLayer>
Result run_layers(char const* name, std::size_t layers, Norm const& final_norm, X const& x, Context& context, RunLayer const& run_layer) {
  if (layers == 0) throw ArgumentError(std::string(name) + ": found no layer, expected at least one");
  Context::Pass const pass(context);
  observe_hidden_states(context, 0, x);
  std::optional<Result> states;
  for (std::size_t i = 0; i < layers; ++i) {
    if (Observer* const observer = context.observer()) observer->begin_layer(i);
    states.emplace(states ? run_layer(i, *states) : run_layer(i, x));
    if (i + 1 == layers && final_norm) states.emplace((*final_norm)(*states, context));
    observe_hidden_states(context, i + 1, *states);
  }
  return std::move(*states);
}

}  // namespace internal

/// A stack of encoder layers. A pre-norm stack has a final norm; a post-norm one can be given one (`final_norm.emplace(…)`).
template <DimensionsLike D, NormPlacement placement>
struct Encoder {
  std::vector<EncoderLayer<D, placement>> layers;           ///< First to last.
  std::optional<LayerNorm<typename D::Hidden>> final_norm;  ///< Behind the last layer.

  /// A stack with zero weights, to be loaded or initialised.
  static Encoder create(D const& d, std::size_t layers, LayerSettings const& settings) {
    Encoder encoder;
    encoder.layers = internal::make_layers<EncoderLayer<D, placement>>(d, layers, settings);
    if (placement == NormPlacement::before) encoder.final_norm.emplace(d.hidden, settings.layer_norm_epsilon);
    return encoder;
  }

  /// @param x         [Rows, Hidden], packed: what enters the first layer.
  /// @param sequences Where each sequence begins.
  /// @return          [Rows, Hidden].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences,
                                                           Context& context) const {
    return internal::run_layers<Tensor<float, RowAxis<X>, typename D::Hidden>>(
        "Encoder", layers.size(), final_norm, x, context,
        [&](std::size_t i, auto const& states) { return layers[i](states, sequences, context); });
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d, std::size_t layers) {
    return layers * EncoderLayer<D, placement>::parameter_count(d) +
           (placement == NormPlacement::before ? LayerNorm<typename D::Hidden>::parameter_count(d.hidden) : 0);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("layers", self.layers);
    visitor("final_norm", self.final_norm);
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
