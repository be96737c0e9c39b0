/// @file
/// The names of the models and of what loads them, declared, and the recipe that a BERT has where none is named: a family's file names the models
/// that it has without compiling them.
#pragma once

#include <axiform/core/config.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/recipe.hpp>

namespace axiform {

class Checkpoint;
class ModelDirectory;

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// BERT's block: self-attention in both directions, then the feed-forward block, each followed by its norm.
struct BertRecipe : BlockRecipe {
  static constexpr char const* name = "EncoderLayer";   ///< In module trees.
  static constexpr char const* stack_name = "Encoder";  ///< In module trees.
};

template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct Bert;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForMaskedLm;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForNextSentence;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForPreTraining;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForQuestionAnswering;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForSequenceClassification;
template <DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
struct BertForTokenClassification;

template <DimensionsLike D = DynamicDimensions>
struct Gpt2;
template <DimensionsLike D = DynamicDimensions>
struct Gpt2ForSequenceClassification;

struct PostNormRecipe;
struct PreNormRecipe;
struct T5Recipe;
template <DimensionsLike D = DynamicDimensions, class Recipe = PostNormRecipe>
struct EncoderDecoder;
template <DimensionsLike D = DynamicDimensions>
struct BartForSequenceClassification;
template <DimensionsLike D = DynamicDimensions>
struct T5Encoder;

template <class Model>
struct Unloaded;
template <class Model>
struct ModelLoader;

namespace internal {

template <DimensionsLike D, RecipeLike Recipe>
struct BertPlan;
template <DimensionsLike D>
struct Gpt2Body;
template <DimensionsLike D, class Recipe>
struct BartPlan;
template <DimensionsLike D, RecipeLike Recipe>
struct LlamaPlan;

}  // namespace internal

}  // namespace axiform::inline AXIFORM_ARCH
