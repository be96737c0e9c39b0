/// @file
/// Recipes: what a block is made of, as a type that reads like a row of a paper's table.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>

#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Where a block normalises.
enum class NormPlacement {
  before,  ///< Pre-norm: x + f(norm(x)), as GPT-2.
  after    ///< Post-norm: norm(x + f(x)), as Vaswani et al. 2017 and BERT.
};

/// In which order a block names its members, which decides what a seed gives them and how they are printed.
enum class MemberOrder {
  norms_behind,  ///< Each norm behind the part that it belongs to.
  norms_before   ///< Each norm before it.
};

/// Which products of attention have a bias.
struct AttentionBiases {
  Bias query = Bias::present;   ///< Of the queries.
  Bias key = Bias::present;     ///< Of the keys.
  Bias value = Bias::present;   ///< Of the values.
  Bias output = Bias::present;  ///< Of what leaves the heads.
};

/// No product of attention has a bias, as in Llama and T5.
inline constexpr AttentionBiases no_attention_biases{Bias::absent, Bias::absent, Bias::absent, Bias::absent};

/// Whether each head of queries and keys is normalised before it is turned.
enum class QueryKeyNorm {
  none,    ///< No.
  by_head  ///< By the block's norm over the columns of a head, learned once for all heads (Qwen3).
};

/// Whether the first block of a pre-norm stack normalises what enters its attention.
enum class FirstNorm {
  present,  ///< As every block does.
  absent    ///< No: what enters the stack was normalised just before (ModernBERT).
};

/// Whether a block attends to an encoder's output, too.
enum class CrossAttentionPart { absent, present };

/// Whether a model has a learned row for each position.
enum class PositionTable {
  present,  ///< Yes, added to the embeddings of tokens.
  absent    ///< No: attention alone sees where tokens stand.
};

/// What a block is made of. These are an encoder's block of Vaswani et al. 2017: derive, and say what differs.
///
///     struct Qwen2Recipe : BlockRecipe {
///       static constexpr char const* name = "Qwen2Block";
///       template <Axis Columns>
///       using Norm = RmsNorm<Columns>;
///       template <DimensionsLike D>
///       using FeedForward = GatedMlp<D, Bias::absent>;
///       template <DimensionsLike D>
///       using Position = Rotary<D>;
///       static constexpr auto placement = NormPlacement::before;
///       static constexpr auto mask = AttentionMask::causal;
///       static constexpr AttentionBiases biases{.output = Bias::absent};
///     };
struct BlockRecipe {
  static constexpr char const* name = "Block";        ///< Of a block, in module trees.
  static constexpr char const* stack_name = "Stack";  ///< Of a stack, in module trees and messages.
  /// Every norm of the block and of its stack.
  template <Axis Columns>
  using Norm = LayerNorm<Columns>;
  /// The feed-forward block.
  template <DimensionsLike D>
  using FeedForward = Mlp<D>;
  /// How self-attention sees where tokens stand.
  template <DimensionsLike D>
  using Position = NoPosition<D>;
  static constexpr NormPlacement placement = NormPlacement::after;                   ///< Where it normalises.
  static constexpr AttentionMask mask = AttentionMask::none;                         ///< Which keys a token sees.
  static constexpr AttentionBiases biases = {};                                      ///< Of attention's products.
  static constexpr QueryKeyNorm query_key_norm = QueryKeyNorm::none;                 ///< Of queries and keys.
  static constexpr FirstNorm first_norm = FirstNorm::present;                        ///< Of the first block's attention.
  static constexpr CrossAttentionPart cross_attention = CrossAttentionPart::absent;  ///< To an encoder's output.
  static constexpr MemberOrder order = MemberOrder::norms_behind;                    ///< Of its members' names.
  static constexpr PositionTable position_table = PositionTable::present;            ///< Of a `Bert` of such blocks.
};

/// A struct derived from `BlockRecipe`, or it itself.
template <class R>
concept RecipeLike = std::derived_from<R, BlockRecipe>;

/// What the layers of a stack have besides their dimensions and their recipe.
struct LayerSettings {
  Activation activation = Activation::gelu;   ///< Of the feed-forward block.
  float layer_norm_epsilon = 1e-5f;           ///< Of the norms.
  std::size_t window = 0;                     ///< How far self-attention sees, as `AttentionSettings::window` says; 0 for all.
  std::optional<float> attention_scale = {};  ///< Of the scores; 1 / sqrt(head size) where it is not given.
  /// Of the stack. Where the recipe's position differs from layer to layer (`RotaryByLayer`), each layer's own.
  PositionSettings position = {};
  MlpGate gate = MlpGate::absent;  ///< Of a feed-forward block that may have one (`EitherMlp`); the others do not heed it.
};

namespace internal {

// What a member is that a recipe does not have. `Place` tells several apart, so that none takes an address.
template <int Place>
struct Absent {};
template <bool Has, class T, int Place>
using MemberIf = std::conditional_t<Has, T, Absent<Place>>;

}  // namespace internal

}  // namespace axiform::inline AXIFORM_ARCH
