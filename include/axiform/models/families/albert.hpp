/// @file
/// The family ALBERT (Lan et al. 2020): BERT whose embeddings are narrower than its hidden states, and whose layers run more than once: all steps share
/// one layer, or each group of steps one.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/printed_settings.hpp>

namespace axiform {

namespace detail {

/// What a layer's parameters are called; `canonical` and `in_file` are what stands before.
std::vector<NameRule> albert_layer_rules(std::string const& canonical, std::string const& in_file);

}  // namespace detail

/// AlbertModel and what is built on it, of groups of one layer each, as all published ones are.
NameTable albert_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// ALBERT.
struct AlbertFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head. That of pre-training says of two sentences whether they are in order, where BERT's says whether one follows the other.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D>;

  static constexpr FamilyClass classes[] = {{"albert", "Albert"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::pre_training, "ForPreTraining"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "ALBERT", .article = "an", .classes = classes, .heads = heads};  ///< How configs name it.

  /// Steps are `num_hidden_layers` times `inner_group_num`; the group of the first decides which layers run.
  /// @throws As `read_bert_settings`; FormatError also when there are more steps than a model may have.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return albert_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(albert): <Model>"},
                                          {"embeddings", R"(
(embeddings): AlbertEmbeddings(
  (word_embeddings): Embedding({vocabulary}, {embeddings.norm.weight}{padding})
  (position_embeddings): Embedding({positions}, {embeddings.norm.weight})
  (token_type_embeddings): Embedding({token_types}, {embeddings.norm.weight})
  (LayerNorm): LayerNorm(({embeddings.norm.weight},), eps={epsilon}, elementwise_affine=True)
  (dropout): Dropout(p={embedding_dropout}, inplace=False)
))"},
                                          {"encoder", R"(
(encoder): AlbertTransformer(
  (embedding_hidden_mapping_in): Linear(in_features={embeddings.norm.weight}, out_features={hidden}, bias=True)
  (albert_layer_groups): ModuleList(
    (*layer_groups): AlbertLayerGroup(
      (albert_layers): ModuleList(
        (*inner_layers): AlbertLayer(
          (full_layer_layer_norm): LayerNorm(({hidden},), eps={epsilon}, elementwise_affine=True)
          (attention): AlbertAttention(
            (attention_dropout): Dropout(p={attention_dropout}, inplace=False)
            (output_dropout): Dropout(p={hidden_dropout}, inplace=False)
            (query): Linear(in_features={hidden}, out_features={width}, bias=True)
            (key): Linear(in_features={hidden}, out_features={width}, bias=True)
            (value): Linear(in_features={hidden}, out_features={width}, bias=True)
            (dense): Linear(in_features={width}, out_features={hidden}, bias=True)
            (LayerNorm): LayerNorm(({hidden},), eps={epsilon}, elementwise_affine=True)
          )
          (ffn): Linear(in_features={hidden}, out_features={inner}, bias=True)
          (ffn_output): Linear(in_features={inner}, out_features={hidden}, bias=True)
          (activation): {activation}
          (dropout): Dropout(p={hidden_dropout}, inplace=False)
        )
      )
    )
  )
))"},
                                          {"pooler", R"(
(pooler): Linear(in_features={hidden}, out_features={hidden}, bias=True)
(pooler_activation): Tanh()
)"},
                                          {"pooled", R"(
AlbertModel(
  <embeddings>
  <encoder>
  <pooler>
))"},
                                          {"predictions", R"(
(predictions): AlbertMLMHead(
  (LayerNorm): LayerNorm(({embeddings.norm.weight},), eps={epsilon}, elementwise_affine=True)
  (dense): Linear(in_features={hidden}, out_features={embeddings.norm.weight}, bias=True)
  (decoder): Linear(in_features={embeddings.norm.weight}, out_features={vocabulary}, bias=True)
  (activation): {activation}
))"},
                                          {"Model", R"(
@Model(
  <embeddings>
  <encoder>
  <pooler> where pooler.weight
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  <body>
  <predictions>
))"},
                                          {"ForPreTraining", R"(
@ForPreTraining(
  <body>
  <predictions>
  (sop_classifier): AlbertSOPHead(
    (dropout): Dropout(p={classifier_dropout}, inplace=False)
    (classifier): Linear(in_features={hidden}, out_features=2, bias=True)
  )
))"},
                                          {"ForQuestionAnswering", detail::bert_answer_words},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (albert): <pooled>
  (dropout): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
))"},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

namespace detail {

AXIFORM_INLINE std::vector<NameRule> albert_layer_rules(std::string const& canonical, std::string const& in_file) {
  std::vector<NameRule> rules;
  for (auto const& [ours, theirs] : {std::pair{"attention.output.*", "attention.dense.*"},
                                     {"attention.*.*", "attention.*.*"},  // query, key, value
                                     {"attention_norm.*", "attention.LayerNorm.*"},
                                     {"mlp.up.*", "ffn.*"},
                                     {"mlp.down.*", "ffn_output.*"},
                                     {"mlp_norm.*", "full_layer_layer_norm.*"}})
    rules.push_back({canonical + ours, in_file + theirs});
  return rules;
}

}  // namespace detail

AXIFORM_INLINE NameTable albert_names(HeadWeights weights) {
  return detail::with_rules({.family = "ALBERT",
                             .prefixes = {"", "albert."},
                             .rules = detail::albert_layer_rules("encoder.layers.*.", "encoder.albert_layer_groups.*.albert_layers.0."),
                             .spellings = {},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "predictions.decoder.weight"),
                            {{"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
                             {"embeddings.token_types.weight", "embeddings.token_type_embeddings.weight"},
                             {"embeddings.norm.*", "embeddings.LayerNorm.*"},
                             {"projection.*", "encoder.embedding_hidden_mapping_in.*"},
                             {"span.*", "qa_outputs.*"},
                             detail::decoder_bias_rule(weights, "predictions.bias", "predictions.decoder.bias"),
                             {"mlm.dense.*", "predictions.dense.*"},
                             {"mlm.norm.*", "predictions.LayerNorm.*"},
                             {"next_sentence.*", "sop_classifier.classifier.*"},
                             {"head.dense.*", "pooler.*"},
                             {"head.output.*", "classifier.*"}});
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig AlbertFamily::read_config(ConfigReader const& reader) {
  BertConfig config{.dimensions = {.hidden = 4096, .heads = 64, .head_size = 64, .inner = 16384},
                    .sizes = {.layers = 12, .vocabulary = 30000, .positions = 512, .token_types = 2},
                    .embedded = 128,
                    .printed = {.hidden_dropout = "0.0", .attention_dropout = "0.0"}};
  config = read_bert_settings(reader, config, {.classifier_dropout = "", .usual_activation = "gelu_new"});
  PrintedSettings& printed = config.printed;
  printed.classifier_dropout = reader.dropout("classifier_dropout_prob", "0.1");
  printed.token_classifier_dropout = printed.classifier_dropout;

  std::size_t const layers = config.sizes.layers, groups = reader.size({"num_hidden_groups"}, 1, largest_depth),
                    inner = reader.size({"inner_group_num"}, 1, largest_depth);
  if (layers * inner > largest_depth || groups * inner > largest_depth)
    throw FormatError(detail::message(
        {reader.file, ": found ", layers, " layers in ", groups, " groups of ", inner, ", expected at most ", largest_depth, " in all"}));
  config.order.layers = groups * inner;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    // As transformers divides, rounding included.
    auto const group = static_cast<std::size_t>(static_cast<double>(layer) / (static_cast<double>(layers) / static_cast<double>(groups)));
    for (std::size_t i = 0; i < inner; ++i) config.order.of_step.push_back(group * inner + i);
  }
  config.sizes.layers = layers * inner;
  printed.layer_groups = groups;
  printed.inner_layers = inner;
  for (std::size_t i = 0; inner > 1 && i < groups * inner; ++i) {
    auto const rules =
        detail::albert_layer_rules(detail::message({"encoder.layers.", i, "."}),
                                   detail::message({"encoder.albert_layer_groups.", i / inner, ".albert_layers.", i % inner, "."}));
    config.own_names.insert(config.own_names.end(), rules.begin(), rules.end());
  }
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
