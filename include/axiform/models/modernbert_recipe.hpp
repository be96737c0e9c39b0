/// @file
/// What ModernBERT's block is made of, and the names of its models, declared.
#pragma once

#include <axiform/nn/bias.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/recipe.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// ModernBERT's block (Warner et al. 2024): norms before each part but the first, rotary positions whose base a layer has by how far it sees, a gated
/// feed-forward block, no biases.
struct ModernBertRecipe : BlockRecipe {
  static constexpr char const* name = "ModernBertBlock";   ///< In module trees.
  static constexpr char const* stack_name = "ModernBert";  ///< In messages.
  template <Axis Columns>
  using Norm = LayerNorm<Columns, Bias::absent>;  ///< Every norm.
  template <DimensionsLike D>
  using FeedForward = GatedMlp<D>;  ///< down(gelu(gate(x)) * up(x)).
  template <DimensionsLike D>
  using Position = RotaryByLayer<D>;                                 ///< Queries and keys are turned.
  static constexpr NormPlacement placement = NormPlacement::before;  ///< Where it normalises.
  static constexpr AttentionBiases biases = no_attention_biases;     ///< Of attention's products.
  static constexpr FirstNorm first_norm = FirstNorm::absent;         ///< The embeddings come normalised.
  static constexpr MemberOrder order = MemberOrder::norms_before;    ///< Of its members' names.
};

/// What a ModernBERT that labels texts sees of one: `classifier_pooling`.
enum class ClassifierPooling {
  first_token,  ///< The first token's state: "cls".
  mean          ///< The mean of all.
};

template <DimensionsLike D = DynamicDimensions>
struct ModernBert;
template <DimensionsLike D = DynamicDimensions>
struct ModernBertForMaskedLm;
template <DimensionsLike D = DynamicDimensions>
struct ModernBertForQuestionAnswering;
template <DimensionsLike D = DynamicDimensions>
struct ModernBertForSequenceClassification;
template <DimensionsLike D = DynamicDimensions>
struct ModernBertForTokenClassification;

}  // namespace axiform::inline AXIFORM_ARCH
