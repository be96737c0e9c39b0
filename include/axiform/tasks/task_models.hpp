/// @file
/// What tasks ask of a model. A model of Hugging Face's or your own that has this fits the task: `SentenceEmbedding<MyEncoder>`.
///
/// Every model reads packed batches, `model(batch, context)`, and says how long a sequence may be and how many segments it knows.
#pragma once

#include <concepts>
#include <cstddef>

#include <axiform/core/axis.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/token_batch.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What reads tokens. `positions()` are the tokens of the longest sequence; `token_types()` the rows of the table of segments, which are left out
/// where there are less than two.
template <class M>
concept ReadingModel = requires(M const& model, TokenBatch const& batch, Context& context) {
  model(batch, context);
  { model.positions() } -> std::convertible_to<std::size_t>;
  { model.token_types() } -> std::convertible_to<std::size_t>;
};

/// What a model gives for a batch.
template <class M>
using ModelOutput = decltype(std::declval<M const&>()(std::declval<TokenBatch const&>(), std::declval<Context&>()));

/// Gives hidden states, [Tokens, Hidden], of `hidden_size()` numbers each.
template <class M>
concept EncoderModel = ReadingModel<M> && std::same_as<RowAxis<ModelOutput<M>>, axes::Tokens> && requires(M const& model) {
  { model.hidden_size() } -> std::convertible_to<std::size_t>;
};

/// Gives hidden states, [Tokens, Hidden], by `hidden_states(batch, context)`, and of chosen rows of these the logits of the masked tokens, [Tokens,
/// VocabularyEntries], by `logits(rows, context)`.
template <class M>
concept MaskedLmModel = ReadingModel<M> && requires(M const& model, TokenBatch const& batch, Context& context) {
  { model.logits(model.hidden_states(batch, context), context) } -> std::same_as<Tensor<float, axes::Tokens, axes::VocabularyEntries>>;
  { model.vocabulary() } -> std::convertible_to<std::size_t>;
};

/// Gives two logits a sequence, [Sequences, 2].
template <class M>
concept NextSentenceModel = ReadingModel<M> && std::same_as<ModelOutput<M>, Tensor<float, axes::Sequences, Const<2>>>;

/// Gives two logits a token, for the begin and the end of an answer, [Tokens, 2].
template <class M>
concept AnswerModel = ReadingModel<M> && std::same_as<ModelOutput<M>, Tensor<float, axes::Tokens, Const<2>>>;

/// Gives a logit for each of `labels()` labels of a sequence, [Sequences, Labels].
template <class M>
concept TextLabelModel =
    ReadingModel<M> && std::same_as<ModelOutput<M>, Tensor<float, axes::Sequences, axes::Labels>> && requires(M const& model) {
      { model.labels() } -> std::convertible_to<std::size_t>;
    };

/// Gives a logit for each of `labels()` labels of a token, [Tokens, Labels].
template <class M>
concept TokenLabelModel =
    ReadingModel<M> && std::same_as<ModelOutput<M>, Tensor<float, axes::Tokens, axes::Labels>> && requires(M const& model) {
      { model.labels() } -> std::convertible_to<std::size_t>;
    };

}  // namespace axiform::inline AXIFORM_ARCH
