/// @file
/// The family DistilBERT (Sanh et al. 2019): BERT without segments and pooler, under other names.
#pragma once

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>

namespace axiform {

/// DistilBertModel and what is built on it.
NameTable distilbert_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// DistilBERT.
struct DistilBertFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D>;

  static constexpr FamilyClass classes[] = {{"distilbert", "DistilBert"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "DistilBERT", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return distilbert_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(distilbert): <Model>"},
                                          {"Model", R"(
@Model(
  (embeddings): Embeddings(
    (word_embeddings): Embedding({vocabulary}, {hidden}{padding})
    (position_embeddings): Embedding({positions}, {hidden})
    (LayerNorm): {norm}
    (dropout): Dropout(p={embedding_dropout}, inplace=False)
  )
  (transformer): Transformer(
    (layer): ModuleList(
      (*): TransformerBlock(
        (attention): DistilBertSelfAttention(
          (q_lin): Linear(in_features={hidden}, out_features={width}, bias=True)
          (k_lin): Linear(in_features={hidden}, out_features={width}, bias=True)
          (v_lin): Linear(in_features={hidden}, out_features={width}, bias=True)
          (out_lin): Linear(in_features={width}, out_features={hidden}, bias=True)
          (dropout): Dropout(p={attention_dropout}, inplace=False)
        )
        (sa_layer_norm): {norm}
        (ffn): FFN(
          (dropout): Dropout(p={hidden_dropout}, inplace=False)
          (lin1): Linear(in_features={hidden}, out_features={inner}, bias=True)
          (lin2): Linear(in_features={inner}, out_features={hidden}, bias=True)
          (activation): {activation}
        )
        (output_layer_norm): {norm}
      )
    )
  )
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  (activation): {activation}
  (distilbert): <Model>
  (vocab_transform): Linear(in_features={hidden}, out_features={hidden}, bias=True)
  (vocab_layer_norm): {norm}
  (vocab_projector): Linear(in_features={hidden}, out_features={vocabulary}, bias=True)
  (mlm_loss_fct): CrossEntropyLoss()
))"},
                                          {"ForQuestionAnswering", R"(
@ForQuestionAnswering(
  (distilbert): <Model>
  (qa_outputs): Linear(in_features={hidden}, out_features=2, bias=True)
  (dropout): Dropout(p={answer_dropout}, inplace=False)
))"},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (distilbert): <Model>
  (pre_classifier): Linear(in_features={hidden}, out_features={hidden}, bias=True)
  (classifier): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
  (dropout): Dropout(p={classifier_dropout}, inplace=False)
))"},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable distilbert_names(HeadWeights weights) {
  return detail::with_rules(
      {
          .family = "DistilBERT",
          .prefixes = {"", "distilbert."},
          .rules =
              {
                  {"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
                  {"embeddings.norm.*", "embeddings.LayerNorm.*"},
                  {"encoder.layers.*.attention.query.*", "transformer.layer.*.attention.q_lin.*"},
                  {"encoder.layers.*.attention.key.*", "transformer.layer.*.attention.k_lin.*"},
                  {"encoder.layers.*.attention.value.*", "transformer.layer.*.attention.v_lin.*"},
                  {"encoder.layers.*.attention.output.*", "transformer.layer.*.attention.out_lin.*"},
                  {"encoder.layers.*.attention_norm.*", "transformer.layer.*.sa_layer_norm.*"},
                  {"encoder.layers.*.mlp.up.*", "transformer.layer.*.ffn.lin1.*"},
                  {"encoder.layers.*.mlp.down.*", "transformer.layer.*.ffn.lin2.*"},
                  {"encoder.layers.*.mlp_norm.*", "transformer.layer.*.output_layer_norm.*"},
                  {"mlm.decoder.bias", "vocab_projector.bias"},
                  {"mlm.dense.*", "vocab_transform.*"},
                  {"mlm.norm.*", "vocab_layer_norm.*"},
                  {"span.*", "qa_outputs.*"},
                  {"head.dense.*", "pre_classifier.*"},
                  {"head.output.*", "classifier.*"},
              },
          .spellings = {},
          .body = {"embeddings.**", "transformer.**"},
          .buffers = {"embeddings.position_ids"},
      },
      detail::table_rules(weights, "vocab_projector.weight"));
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig DistilBertFamily::read_config(ConfigReader const& reader) {
  BertConfig config{.sizes = {.layers = 6, .vocabulary = 30522, .positions = 512, .token_types = 0},
                    .classifier_activation = Activation::relu};
  config = read_bert_settings(reader, config,
                              {.hidden = "dim",
                               .layers = "n_layers",
                               .heads = "n_heads",
                               .inner = "hidden_dim",
                               .layer_norm_epsilon = "",
                               .activation = "activation",
                               .hidden_dropout = "dropout",
                               .attention_dropout = "attention_dropout",
                               .classifier_dropout = ""});
  config.printed.classifier_dropout = reader.dropout("seq_classif_dropout", "0.2");
  config.printed.answer_dropout = reader.dropout("qa_dropout", "0.1");
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
