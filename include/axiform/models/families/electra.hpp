/// @file
/// The family ELECTRA (Clark et al. 2020): BERT whose embeddings may be narrower than its hidden states, without a pooler, with heads of its own. The
/// discriminator's own head, which says of each token whether it was replaced, is not here: its checkpoints load as encoders.
#pragma once

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>

namespace axiform {

/// ElectraModel and what is built on it.
NameTable electra_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// ELECTRA: discriminators, and generators with the masked-LM head.
struct ElectraFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D>;

  static constexpr FamilyClass classes[] = {{"electra", "Electra"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "ELECTRA", .article = "an", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return electra_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(electra): <Model>"},
                                          {"feed_forward", detail::bert_feed_forward_words},
                                          {"encoder", detail::bert_encoder_words},
                                          {"projection", R"(
(embeddings_project): Linear(in_features={embeddings.norm.weight}, out_features={hidden}, bias=True)
)"},
                                          {"Model", R"(
@Model(
  (embeddings): @Embeddings(
    (word_embeddings): Embedding({vocabulary}, {embeddings.norm.weight}{padding})
    (position_embeddings): Embedding({positions}, {embeddings.norm.weight})
    (token_type_embeddings): Embedding({token_types}, {embeddings.norm.weight})
    (LayerNorm): LayerNorm(({embeddings.norm.weight},), eps={epsilon}, elementwise_affine=True)
    (dropout): Dropout(p={embedding_dropout}, inplace=False)
  )
  <projection> where projection.weight
  <encoder>
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  <body>
  (generator_predictions): ElectraGeneratorPredictions(
    (activation): GELUActivation()
    (LayerNorm): LayerNorm(({embeddings.norm.weight},), eps={epsilon}, elementwise_affine=True)
    (dense): Linear(in_features={hidden}, out_features={embeddings.norm.weight}, bias=True)
  )
  (generator_lm_head): Linear(in_features={embeddings.norm.weight}, out_features={vocabulary}, bias=True)
))"},
                                          {"ForQuestionAnswering", detail::bert_answer_words},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  <body>
  (classifier): ElectraClassificationHead(
    (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
    (activation): GELUActivation()
    (dropout): Dropout(p={classifier_dropout}, inplace=False)
    (out_proj): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
  )
))"},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable electra_names(HeadWeights weights) {
  return detail::with_rules({.family = "ELECTRA",
                             .prefixes = {"", "electra."},
                             .rules = detail::bert_body_rules(),
                             .spellings = {},
                             .body = {"embeddings.**", "embeddings_project.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "generator_lm_head.weight"),
                            {{"projection.*", "embeddings_project.*"},
                             {"mlm.decoder.bias", "generator_lm_head.bias"},
                             {"mlm.dense.*", "generator_predictions.dense.*"},
                             {"mlm.norm.*", "generator_predictions.LayerNorm.*"},
                             {"head.dense.*", "classifier.dense.*"},
                             {"head.output.*", "classifier.out_proj.*"}});
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig ElectraFamily::read_config(ConfigReader const& reader) {
  BertConfig config{.dimensions = {.hidden = 256, .heads = 4, .head_size = 64, .inner = 1024},
                    .masked_lm_activation = Activation::gelu,  // both exact, whatever the config says of the layers
                    .classifier_activation = Activation::gelu,
                    .embedded = 128};
  config = read_bert_settings(reader, config);
  if (*config.embedded == config.dimensions.hidden) config.embedded.reset();  // then there is no layer between them
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
