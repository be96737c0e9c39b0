/// @file
/// What is built on ModernBERT: heads for masked words, answers, and labels of texts and tokens, each behind one transform.
///
///     auto const model = load<ModernBertForMaskedLm<>>(directory, context);
///     auto const logits = model({.ids = ids, .sequences = sequences}, context);   // [Tokens, VocabularyEntries]
#pragma once

#include <cstddef>
#include <utility>

#include <axiform/core/activation.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/config.hpp>
#include <axiform/models/families/modernbert.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/modernbert.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/mean_rows.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What every head of ModernBERT begins with (ModernBertPredictionHead): norm(activation(dense(x))), without biases.
template <DimensionsLike D>
struct ModernBertTransform {
  using Norm = ModernBertRecipe::Norm<typename D::Hidden>;  ///< Without a bias.

  Linear<typename D::Hidden, typename D::Hidden, Bias::absent> dense;  ///< Before the activation.
  Activation activation;                                               ///< Behind the dense layer.
  Norm norm;                                                           ///< Behind the activation.

  /// Zero weights, to be loaded or initialised.
  static constexpr ModernBertTransform create(D const& d, ModernBertSettings const& settings) {
    return {{d.hidden, d.hidden}, settings.head_activation, {d.hidden, settings.layers.layer_norm_epsilon}};
  }

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Hidden].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, Context& context) const {
    return norm(dense(x, context, activate(activation)), context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dense", self.dense);
    visitor("activation", self.activation);
    visitor("norm", self.norm);
  }
};

/// ModernBERT that guesses masked words (ModernBertForMaskedLM).
template <DimensionsLike D>
struct ModernBertForMaskedLm {
  using DimensionsType = D;                                ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::masked_lm;  ///< Its head.

  ModernBert<D> bert;                                                   ///< The encoder.
  ModernBertTransform<D> transform;                                     ///< On every token.
  VocabularyHead<typename D::Hidden, axes::VocabularyEntries> decoder;  ///< To the vocabulary.

  /// Zero weights, to be loaded or initialised.
  static constexpr ModernBertForMaskedLm create(D const& d, ModelSizes const& sizes,
                                                ModernBertSettings const& settings = {.head_weights = HeadWeights::tied}) {
    return {ModernBert<D>::create(d, sizes, settings),
            ModernBertTransform<D>::create(d, settings),
            {d.hidden, sizes.vocabulary, settings.head_weights, Bias::present}};
  }

  /// Logits of every token.
  /// @return [Tokens, VocabularyEntries]. @throws As `ModernBert`.
  Tensor<float, axes::Tokens, axes::VocabularyEntries> operator()(TokenBatch const& batch, Context& context) const;

  /// The encoder's hidden states.
  /// @return [Tokens, Hidden]. @throws As `ModernBert`.
  Tensor<float, axes::Tokens, typename D::Hidden> hidden_states(TokenBatch const& batch, Context& context) const {
    return bert(batch, context);
  }
  /// Logits of chosen rows of the encoder's hidden states.
  /// @param hidden_states [Rows, Hidden].
  /// @return              [Rows, VocabularyEntries].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::VocabularyEntries> logits(X const& hidden_states, Context& context) const {
    return decoder(transform(hidden_states, context), bert.embeddings.words, context);
  }

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart: none.
  std::size_t vocabulary() const noexcept { return decoder.outputs(); }    ///< Tokens that it knows.

  /// Parameters in all, a tied table once.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes, HeadWeights weights = HeadWeights::tied) {
    return count_parameters(create(d, sizes, {.head_weights = weights}));
  }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("transform", self.transform);
    visitor("decoder", self.decoder);
  }
};

template <DimensionsLike D>
Tensor<float, axes::Tokens, axes::VocabularyEntries> ModernBertForMaskedLm<D>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  return logits(bert(batch, context), context);
}

/// ModernBERT that finds an answer in a text (ModernBertForQuestionAnswering).
template <DimensionsLike D>
struct ModernBertForQuestionAnswering {
  using DimensionsType = D;                                         ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::question_answering;  ///< Its head.

  ModernBert<D> bert;                         ///< The encoder.
  ModernBertTransform<D> transform;           ///< On every token.
  Linear<typename D::Hidden, Const<2>> span;  ///< Behind it.

  /// Zero weights, to be loaded or initialised.
  static constexpr ModernBertForQuestionAnswering create(D const& d, ModelSizes const& sizes, ModernBertSettings const& settings = {}) {
    return {ModernBert<D>::create(d, sizes, settings), ModernBertTransform<D>::create(d, settings), {d.hidden, {}}};
  }

  /// Logits of each token for being the first (column 0) and the last (column 1) of the answer.
  /// @return [Tokens, 2]. @throws As `ModernBert`.
  Tensor<float, axes::Tokens, Const<2>> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart: none.

  /// Parameters in all.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) { return count_parameters(create(d, sizes)); }
  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("transform", self.transform);
    visitor("span", self.span);
  }
};

template <DimensionsLike D>
Tensor<float, axes::Tokens, Const<2>> ModernBertForQuestionAnswering<D>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  return span(transform(bert(batch, context), context), context);
}

/// From what is seen of a text to its labels.
template <DimensionsLike D>
struct ModernBertLabelHead {
  ModernBertTransform<D> transform;                 ///< On what is seen.
  Linear<typename D::Hidden, axes::Labels> output;  ///< To the labels.

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Labels].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::Labels> operator()(X const& x, Context& context) const {
    return output(transform(x, context), context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("transform", self.transform);
    visitor("output", self.output);
  }
};

/// ModernBERT that labels texts, or pairs of texts (ModernBertForSequenceClassification). What the logits stand for is the config's to say
/// (`read_label_config`).
template <DimensionsLike D>
struct ModernBertForSequenceClassification {
  using DimensionsType = D;                                              ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::sequence_classification;  ///< Its head.

  ModernBert<D> bert;           ///< The encoder.
  ClassifierPooling pooling;    ///< What the head sees of a text.
  ModernBertLabelHead<D> head;  ///< On that.

  /// Zero weights, to be loaded or initialised.
  static constexpr ModernBertForSequenceClassification create(D const& d, ModelSizes const& sizes, std::size_t labels,
                                                              ModernBertSettings const& settings = {}) {
    return {ModernBert<D>::create(d, sizes, settings),
            settings.classifier_pooling,
            {ModernBertTransform<D>::create(d, settings), {d.hidden, labels}}};
  }

  /// @return [Sequences, Labels]. @throws As `ModernBert`; ArgumentError for an empty sequence whose first token is asked for.
  Tensor<float, axes::Sequences, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart: none.
  std::size_t labels() const noexcept { return head.output.outputs(); }    ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("pooling", self.pooling);
    visitor("head", self.head);
  }
};

template <DimensionsLike D>
Tensor<float, axes::Sequences, axes::Labels> ModernBertForSequenceClassification<D>::operator()(TokenBatch const& batch,
                                                                                                Context& context) const {
  Context::Pass const pass(context);
  auto const states = bert(batch, context);
  return head(pooling == ClassifierPooling::mean ? mean_rows(states, batch.sequences, context)
                                                 : select_rows(states, batch.sequences, SequenceRow::first, context),
              context);
}

/// ModernBERT that labels tokens (ModernBertForTokenClassification).
template <DimensionsLike D>
struct ModernBertForTokenClassification {
  using DimensionsType = D;                                           ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::token_classification;  ///< Its head.

  ModernBert<D> bert;                                   ///< The encoder.
  ModernBertTransform<D> transform;                     ///< On every token.
  Linear<typename D::Hidden, axes::Labels> classifier;  ///< Behind it.

  /// Zero weights, to be loaded or initialised.
  static constexpr ModernBertForTokenClassification create(D const& d, ModelSizes const& sizes, std::size_t labels,
                                                           ModernBertSettings const& settings = {}) {
    return {ModernBert<D>::create(d, sizes, settings), ModernBertTransform<D>::create(d, settings), {d.hidden, labels}};
  }

  /// @return [Tokens, Labels]. @throws As `ModernBert`.
  Tensor<float, axes::Tokens, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return bert.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return bert.token_types(); }  ///< Segments that it tells apart: none.
  std::size_t labels() const noexcept { return classifier.outputs(); }     ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);
    visitor("transform", self.transform);
    visitor("classifier", self.classifier);
  }
};

template <DimensionsLike D>
Tensor<float, axes::Tokens, axes::Labels> ModernBertForTokenClassification<D>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  return classifier(transform(bert(batch, context), context), context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::VocabularyEntries> ModernBertForMaskedLm<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, Const<2>> ModernBertForQuestionAnswering<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> ModernBertForSequenceClassification<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::Labels> ModernBertForTokenClassification<>::operator()(TokenBatch const&, Context&) const;
#endif

// ---------------------------------------------------------------------------------------------------------------------
// How each is loaded: as models/families/modernbert.hpp plans it.

/// Loads the masked-LM model.
template <DimensionsLike D>
struct ModelLoader<ModernBertForMaskedLm<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<ModernBertForMaskedLm<D>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::ModernBertPlan<D>::with_masked_lm(directory, checkpoint);
    return {ModernBertForMaskedLm<D>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads the question-answering model.
template <DimensionsLike D>
struct ModelLoader<ModernBertForQuestionAnswering<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<ModernBertForQuestionAnswering<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::ModernBertPlan<D>::of(directory);
    return {ModernBertForQuestionAnswering<D>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

/// Loads the classifier of texts, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<ModernBertForSequenceClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<ModernBertForSequenceClassification<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::ModernBertPlan<D>::of(directory);
    std::size_t const labels = read_label_config(directory).labels.size();
    return {ModernBertForSequenceClassification<D>::create(plan.dimensions, plan.sizes, labels, plan.settings), std::move(plan.names)};
  }
};

/// Loads the classifier of tokens, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<ModernBertForTokenClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<ModernBertForTokenClassification<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::ModernBertPlan<D>::of(directory);
    std::size_t const labels = read_label_config(directory).labels.size();
    return {ModernBertForTokenClassification<D>::create(plan.dimensions, plan.sizes, labels, plan.settings), std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
