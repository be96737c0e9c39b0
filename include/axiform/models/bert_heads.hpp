/// @file
/// What is built on BERT and its kin (RoBERTa, DistilBERT, ELECTRA, ALBERT): heads for masked words, next sentences, answers, and labels of texts and tokens.
///
///     auto const model = load<BertForMaskedLm<>>(directory, context);
///     auto const logits = model({.ids = ids, .sequences = sequences}, context);   // [Tokens, VocabularyEntries]
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// From hidden states to logits over the vocabulary: dense layer, activation, layer norm, decoder (Devlin et al. 2019, section 3.1).
///
/// A decoder that is tied to the token table computes with the encoder's own, which is packed for it. Row by row: call it on the rows of the
/// masks alone and nothing else is computed.
template <DimensionsLike D>
struct MaskedLmHead {
  using Embedded = EmbeddedAxis<D>;  ///< The width of the token table.

  Linear<typename D::Hidden, Embedded> dense;                 ///< Before the norm.
  Activation activation;                                      ///< Behind the dense layer.
  LayerNorm<Embedded> norm;                                   ///< Behind the activation.
  VocabularyHead<Embedded, axes::VocabularyEntries> decoder;  ///< To the vocabulary.

  /// Zero weights, to be loaded or initialised. `weights` is the encoder's `BertSettings::head_weights`, `embedded` its `BertSettings::embedded`.
  static constexpr MaskedLmHead create(D const& d, std::size_t vocabulary, Activation activation, float layer_norm_epsilon,
                                       HeadWeights weights, std::optional<std::size_t> embedded = {}) {
    Length<Embedded> const width(embedded.value_or(d.hidden));
    return {{d.hidden, width}, activation, {width, layer_norm_epsilon}, {width, vocabulary, weights, Bias::present}};
  }
  /// That of an encoder with these settings.
  static constexpr MaskedLmHead create(D const& d, ModelSizes const& sizes, BertSettings const& settings) {
    Activation const activation = settings.masked_lm_activation.value_or(settings.layers.activation);
    return create(d, sizes.vocabulary, activation, settings.layers.layer_norm_epsilon, settings.head_weights, settings.embedded);
  }

  /// @param hidden_states [Rows, Hidden].
  /// @param words         The encoder's token table.
  /// @return              [Rows, VocabularyEntries].
  /// @throws ArgumentError when the decoder is tied and the encoder was made with its table for look-up alone.
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::VocabularyEntries> operator()(X const& hidden_states,
                                                                TokenEmbedding<axes::VocabularyEntries, Embedded> const& words,
                                                                Context& context) const {
    return decoder(norm(dense(hidden_states, context, activate(activation)), context), words, context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dense", self.dense);
    visitor("activation", self.activation);
    visitor("norm", self.norm);
    visitor("decoder", self.decoder);
  }
};

/// BERT that guesses masked words (BertForMaskedLM, RobertaForMaskedLM, DistilBertForMaskedLM; ELECTRA's generator, ElectraForMaskedLM).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForMaskedLm {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::masked_lm;  ///< Its head.

  Bert<D, Recipe> bert;         ///< The encoder, without pooler.
  MaskedLmHead<D> mlm;  ///< The head.

  /// Zero weights, to be loaded or initialised; there is no pooler, whatever the settings say.
  static constexpr BertForMaskedLm create(D const& d, ModelSizes const& sizes, BertSettings settings = {.head_weights = HeadWeights::tied}) {
    settings.pooler = Pooler::absent;
    return {Bert<D, Recipe>::create(d, sizes, settings), MaskedLmHead<D>::create(d, sizes, settings)};
  }

  /// Logits of every token.
  /// @return [Tokens, VocabularyEntries]. @throws As `Bert`.
  Tensor<float, axes::Tokens, axes::VocabularyEntries> operator()(TokenBatch const& batch, Context& context) const;

  /// The encoder's hidden states.
  /// @return [Tokens, Hidden]. @throws As `Bert`.
  Tensor<float, axes::Tokens, typename D::Hidden> hidden_states(TokenBatch const& batch, Context& context) const {
    return bert(batch, context);
  }
  /// Logits of chosen rows of the encoder's hidden states.
  /// @param hidden_states [Rows, Hidden].
  /// @return              [Rows, VocabularyEntries].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::VocabularyEntries> logits(X const& hidden_states, Context& context) const {
    return mlm(hidden_states, bert.embeddings.words, context);
  }

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.
  std::size_t vocabulary() const noexcept { return mlm.decoder.outputs(); }  ///< Tokens that it knows.

  /// Parameters in all, a tied table once.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes, HeadWeights weights = HeadWeights::tied) {
    return count_parameters(create(d, sizes, {.head_weights = weights}));
  }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("mlm", self.mlm);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Tokens, axes::VocabularyEntries> BertForMaskedLm<D, Recipe>::operator()(TokenBatch const& batch,
                                                                                            Context& context) const {
  Context::Pass const pass(context);
  return logits(bert(batch, context), context);
}

/// BERT that says whether one sentence follows another (BertForNextSentencePrediction).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForNextSentence {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::next_sentence;  ///< Its head.

  Bert<D, Recipe> bert;                                         ///< The encoder, with its pooler.
  Linear<typename D::Hidden, Const<2>> next_sentence;  ///< On the pooler.

  /// Zero weights, to be loaded or initialised.
  static constexpr BertForNextSentence create(D const& d, ModelSizes const& sizes, BertSettings const& settings = {}) {
    return {Bert<D, Recipe>::create(d, sizes, settings), {d.hidden, {}}};
  }

  /// Logits of each pair of sentences: column 0 says "B follows A", column 1 that it does not.
  /// @return [Sequences, 2]. @throws As `Bert`; ArgumentError for an empty sequence.
  Tensor<float, axes::Sequences, Const<2>> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.

  /// Parameters in all.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) { return count_parameters(create(d, sizes)); }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("next_sentence", self.next_sentence);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Sequences, Const<2>> BertForNextSentence<D, Recipe>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  return next_sentence(bert.pool(bert(batch, context), batch.sequences, context), context);
}

/// What BERT is pre-trained to say.
struct PreTrainingLogits {
  Tensor<float, axes::Tokens, axes::VocabularyEntries> tokens;  ///< Of every token: [Tokens, VocabularyEntries].
  Tensor<float, axes::Sequences, Const<2>> next_sentence;       ///< Of every pair; column 0 says "B follows A": [Sequences, 2].
};

/// BERT with both heads of its pre-training (BertForPreTraining).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForPreTraining {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::pre_training;  ///< Its head.

  Bert<D, Recipe> bert;                                         ///< The encoder, with its pooler.
  MaskedLmHead<D> mlm;                                  ///< On every token.
  Linear<typename D::Hidden, Const<2>> next_sentence;  ///< On the pooler.

  /// Zero weights, to be loaded or initialised.
  static constexpr BertForPreTraining create(D const& d, ModelSizes const& sizes, BertSettings const& settings = {.head_weights = HeadWeights::tied}) {
    return {Bert<D, Recipe>::create(d, sizes, settings), MaskedLmHead<D>::create(d, sizes, settings), {d.hidden, {}}};
  }

  /// @throws As `Bert`; ArgumentError for an empty sequence.
  PreTrainingLogits operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.

  /// Parameters in all, a tied table once.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes, HeadWeights weights = HeadWeights::tied) {
    return count_parameters(create(d, sizes, {.head_weights = weights}));
  }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("mlm", self.mlm);
    visitor("next_sentence", self.next_sentence);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
PreTrainingLogits BertForPreTraining<D, Recipe>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  auto const states = bert(batch, context);
  return {mlm(states, bert.embeddings.words, context), next_sentence(bert.pool(states, batch.sequences, context), context)};
}

/// BERT that finds an answer in a text (BertForQuestionAnswering and those of RoBERTa and DistilBERT).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForQuestionAnswering {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::question_answering;  ///< Its head.

  Bert<D, Recipe> bert;                                ///< The encoder, without pooler.
  Linear<typename D::Hidden, Const<2>> span;  ///< On every token.

  /// Zero weights, to be loaded or initialised; there is no pooler, whatever the settings say.
  static constexpr BertForQuestionAnswering create(D const& d, ModelSizes const& sizes, BertSettings settings = {}) {
    settings.pooler = Pooler::absent;
    return {Bert<D, Recipe>::create(d, sizes, settings), {d.hidden, {}}};
  }

  /// Logits of each token for being the first (column 0) and the last (column 1) of the answer.
  /// @return [Tokens, 2]. @throws As `Bert`.
  Tensor<float, axes::Tokens, Const<2>> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.

  /// Parameters in all.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) { return count_parameters(create(d, sizes)); }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("span", self.span);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Tokens, Const<2>> BertForQuestionAnswering<D, Recipe>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  return span(bert(batch, context), context);
}

/// From a sequence's first hidden state to its labels: dense layer, activation, and a map to the labels. BERT's dense layer is its pooler
/// (tanh), and so is ALBERT's; RoBERTa's is the classifier's own (tanh), and so is ELECTRA's (GELU); DistilBERT's is `pre_classifier` (ReLU).
template <DimensionsLike D>
struct SequenceClassificationHead {
  Linear<typename D::Hidden, typename D::Hidden> dense;  ///< On the first token.
  Activation activation;                                 ///< Behind it.
  Linear<typename D::Hidden, axes::Labels> output;       ///< To the labels.

  /// @param first_states [Rows, Hidden].
  /// @return             [Rows, Labels].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::Labels> operator()(X const& first_states, Context& context) const {
    return output(dense(first_states, context, activate(activation)), context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dense", self.dense);
    visitor("activation", self.activation);
    visitor("output", self.output);
  }
};

/// BERT that labels texts, or pairs of texts (BertForSequenceClassification and those of RoBERTa and DistilBERT). What the logits stand for,
/// one label, several or numbers, is the config's to say (`read_label_config`).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForSequenceClassification {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::sequence_classification;  ///< Its head.

  Bert<D, Recipe> bert;                         ///< The encoder; BERT's pooler is the head's dense layer.
  SequenceClassificationHead<D> head;  ///< On the first token.

  /// Zero weights, to be loaded or initialised; there is no pooler, whatever the settings say.
  static constexpr BertForSequenceClassification create(D const& d, ModelSizes const& sizes, std::size_t labels, BertSettings settings = {}) {
    settings.pooler = Pooler::absent;
    return {Bert<D, Recipe>::create(d, sizes, settings), {{d.hidden, d.hidden}, settings.classifier_activation, {d.hidden, labels}}};
  }

  /// @return [Sequences, Labels]. @throws As `Bert`; ArgumentError for an empty sequence.
  Tensor<float, axes::Sequences, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.
  std::size_t labels() const noexcept { return head.output.outputs(); }    ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("head", self.head);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Sequences, axes::Labels> BertForSequenceClassification<D, Recipe>::operator()(TokenBatch const& batch,
                                                                                                  Context& context) const {
  Context::Pass const pass(context);
  return head(select_rows(bert(batch, context), batch.sequences, SequenceRow::first, context), context);
}

/// BERT that labels tokens (BertForTokenClassification and those of RoBERTa and DistilBERT).
template <DimensionsLike D, RecipeLike Recipe>
struct BertForTokenClassification {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::token_classification;  ///< Its head.

  Bert<D, Recipe> bert;                                   ///< The encoder, without pooler.
  Linear<typename D::Hidden, axes::Labels> classifier;  ///< On every token.

  /// Zero weights, to be loaded or initialised; there is no pooler, whatever the settings say.
  static constexpr BertForTokenClassification create(D const& d, ModelSizes const& sizes, std::size_t labels, BertSettings settings = {}) {
    settings.pooler = Pooler::absent;
    return {Bert<D, Recipe>::create(d, sizes, settings), {d.hidden, labels}};
  }

  /// @return [Tokens, Labels]. @throws As `Bert`.
  Tensor<float, axes::Tokens, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart; 0 where it has none.
  std::size_t labels() const noexcept { return classifier.outputs(); }     ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("classifier", self.classifier);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Tokens, axes::Labels> BertForTokenClassification<D, Recipe>::operator()(TokenBatch const& batch,
                                                                                            Context& context) const {
  Context::Pass const pass(context);
  return classifier(bert(batch, context), context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::VocabularyEntries> BertForMaskedLm<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models) Tensor<float, axes::Sequences, Const<2>> BertForNextSentence<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models) PreTrainingLogits BertForPreTraining<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models) Tensor<float, axes::Tokens, Const<2>> BertForQuestionAnswering<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> BertForSequenceClassification<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::Labels> BertForTokenClassification<>::operator()(TokenBatch const&, Context&) const;
#endif

// ---------------------------------------------------------------------------------------------------------------------
// How each is loaded: as models/families/bert.hpp plans it.

/// Loads the masked-LM models.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForMaskedLm<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForMaskedLm<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::BertPlan<D, Recipe>::with_masked_lm(directory, checkpoint);
    return {BertForMaskedLm<D, Recipe>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads BertForNextSentencePrediction, and the same part of BertForPreTraining.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForNextSentence<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForNextSentence<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::BertPlan<D, Recipe>::of(directory);
    return {BertForNextSentence<D, Recipe>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads BertForPreTraining.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForPreTraining<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForPreTraining<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::BertPlan<D, Recipe>::with_masked_lm(directory, checkpoint);
    return {BertForPreTraining<D, Recipe>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads the question-answering models.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForQuestionAnswering<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForQuestionAnswering<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::BertPlan<D, Recipe>::of(directory);
    return {BertForQuestionAnswering<D, Recipe>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads the classifiers of texts, with as many labels as the config names.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForSequenceClassification<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForSequenceClassification<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::BertPlan<D, Recipe>::of(directory);
    return {BertForSequenceClassification<D, Recipe>::create(plan.dimensions, plan.sizes, plan.labels(directory), plan.settings),
            std::move(plan.names)};
  }
};

/// Loads the classifiers of tokens, with as many labels as the config names.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<BertForTokenClassification<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForTokenClassification<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::BertPlan<D, Recipe>::of(directory);
    return {BertForTokenClassification<D, Recipe>::create(plan.dimensions, plan.sizes, plan.labels(directory), plan.settings),
            std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
