/// @file
/// What the blocks of Llama and its kin are made of, and the model's name, declared.
#pragma once

#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/rms_norm.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Llama's block (Touvron et al. 2023): RMS norms before each part, rotary positions, a gated feed-forward block, no biases. Mistral's is the same
/// with a window.
struct LlamaRecipe : BlockRecipe {
  static constexpr char const* name = "LlamaBlock";   ///< In module trees.
  static constexpr char const* stack_name = "Llama";  ///< In messages.
  template <Axis Columns>
  using Norm = RmsNorm<Columns>;  ///< Every norm.
  template <DimensionsLike D>
  using FeedForward = GatedMlp<D>;  ///< down(silu(gate(x)) * up(x)).
  template <DimensionsLike D>
  using Position = Rotary<D>;                                        ///< Queries and keys are turned.
  static constexpr NormPlacement placement = NormPlacement::before;  ///< Where it normalises.
  static constexpr AttentionMask mask = AttentionMask::causal;       ///< Which keys a token sees.
  static constexpr AttentionBiases biases = no_attention_biases;     ///< Of attention's products.
  static constexpr MemberOrder order = MemberOrder::norms_before;    ///< Of its members' names.
};
/// Qwen2's block: Llama's with biases of queries, keys and values.
struct Qwen2Recipe : LlamaRecipe {
  static constexpr char const* name = "Qwen2Block";                    ///< In module trees.
  static constexpr char const* stack_name = "Qwen2";                   ///< In messages.
  static constexpr AttentionBiases biases = {.output = Bias::absent};  ///< Of attention's products.
};
/// Qwen3's block: Llama's with a norm of each head of queries and keys.
struct Qwen3Recipe : LlamaRecipe {
  static constexpr char const* name = "Qwen3Block";                      ///< In module trees.
  static constexpr char const* stack_name = "Qwen3";                     ///< In messages.
  static constexpr QueryKeyNorm query_key_norm = QueryKeyNorm::by_head;  ///< Of queries and keys.
};

template <DimensionsLike D = DynamicGroupedDimensions, RecipeLike Recipe = LlamaRecipe>
struct Llama;

/// A Qwen2: a Llama whose queries, keys and values have biases.
template <DimensionsLike D = DynamicGroupedDimensions>
using Qwen2 = Llama<D, Qwen2Recipe>;

/// A Qwen3: a Llama that normalises each head of queries and keys.
template <DimensionsLike D = DynamicGroupedDimensions>
using Qwen3 = Llama<D, Qwen3Recipe>;

}  // namespace axiform::inline AXIFORM_ARCH
