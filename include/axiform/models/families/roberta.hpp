/// @file
/// The family RoBERTa (Liu et al. 2019), with XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020): BERT whose positions begin behind
/// the padding id, with heads of their own.
#pragma once

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>

namespace axiform {

/// RobertaModel and what is built on it; XLM-RoBERTa and CamemBERT have the same names.
NameTable roberta_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// RoBERTa, XLM-RoBERTa and CamemBERT.
struct RobertaFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D>;

  /// Its model types.
  static constexpr FamilyClass classes[] = {{"roberta", "Roberta"}, {"xlm-roberta", "XLMRoberta"}, {"camembert", "Camembert"}};
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "RoBERTa", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`; FormatError also when there is no position behind the padding id.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return roberta_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(roberta): <Model>"},
                                          {"feed_forward", detail::bert_feed_forward_words},
                                          {"encoder", detail::bert_encoder_words},
                                          {"pooler", detail::bert_pooler_words},
                                          {"Model", R"(
@Model(
  (embeddings): @Embeddings(
    (word_embeddings): Embedding({vocabulary}, {hidden}{padding})
    (token_type_embeddings): Embedding({token_types}, {hidden})
    (LayerNorm): {norm}
    (dropout): Dropout(p={embedding_dropout}, inplace=False)
    (position_embeddings): Embedding({positions}, {hidden}{padding})
  )
  <encoder>
  <pooler> where pooler.weight
))"},
                                          {"ForMaskedLM", detail::roberta_masked_lm_words},
                                          {"ForQuestionAnswering", detail::bert_answer_words},
                                          {"ForSequenceClassification", detail::roberta_text_label_words},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable roberta_names(HeadWeights weights) {
  return detail::with_rules({.family = "RoBERTa",
                             .prefixes = {"", "roberta."},
                             .rules = detail::bert_body_rules(),
                             .spellings = {},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "lm_head.decoder.weight"), detail::roberta_head_rules(weights));
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig RobertaFamily::read_config(ConfigReader const& reader) {
  BertConfig config{.masked_lm_activation = Activation::gelu,  // exact, whatever the config says of the layers
                    .padding_id = 1,
                    .position_start = PositionStart::behind_padding};
  if (reader.text("model_type", "") == "roberta") config.sizes.vocabulary = 50265;  // the others' classes keep BERT's
  return read_bert_settings(reader, config);
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
