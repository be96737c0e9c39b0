/// @file
/// The module trees that PyTorch prints for Hugging Face's BERT, RoBERTa and DistilBERT and for what is built on them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/io/model_family.hpp>
#include <axiform/nn/describe.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/encoder.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

inline ModuleNode module(std::string name) { return {{}, std::move(name), {}}; }

/// "Bert", as the classes of a family begin.
inline std::string class_prefix(ModelFamily family) {
  switch (family) {
    case ModelFamily::bert: return "Bert";
    case ModelFamily::roberta: return "Roberta";
    case ModelFamily::xlm_roberta: return "XLMRoberta";
    case ModelFamily::distilbert: return "DistilBert";
    case ModelFamily::gpt2: return "GPT2";
  }
  return {};
}

/// "bert", as the encoder is called within a model with a head.
inline std::string body_name(ModelFamily family) {
  return family == ModelFamily::distilbert ? "distilbert" : is_roberta(family) ? "roberta" : "bert";
}

template <DimensionsLike D>
ModuleNode distilbert_layer_tree(D const& d, EncoderLayer<D, NormPlacement::after> const& layer) {
  ModuleNode const square = linear_leaf(d.hidden, d.width());
  return module("TransformerBlock")
      .add("attention", module("DistilBertSelfAttention")
                            .add("q_lin", square)
                            .add("k_lin", square)
                            .add("v_lin", square)
                            .add("out_lin", linear_leaf(d.width(), d.hidden))
                            .add("dropout", dropout_leaf()))
      .add("sa_layer_norm", describe(layer.attention_norm))
      .add("ffn", module("FFN")
                      .add("dropout", dropout_leaf())
                      .add("lin1", describe(layer.mlp.up))
                      .add("lin2", describe(layer.mlp.down))
                      .add("activation", activation_leaf(layer.mlp.activation)))
      .add("output_layer_norm", describe(layer.mlp_norm));
}

template <DimensionsLike D>
ModuleNode bert_layer_tree(ModelFamily family, D const& d, EncoderLayer<D, NormPlacement::after> const& layer) {
  if (family == ModelFamily::distilbert) return distilbert_layer_tree(d, layer);
  std::string const prefix = class_prefix(family);
  ModuleNode const square = linear_leaf(d.hidden, d.width());
  ModuleNode const self =
      module(prefix + "SelfAttention").add("query", square).add("key", square).add("value", square).add("dropout", dropout_leaf());
  ModuleNode const self_output = module(prefix + "SelfOutput")
                                     .add("dense", linear_leaf(d.width(), d.hidden))
                                     .add("LayerNorm", describe(layer.attention_norm))
                                     .add("dropout", dropout_leaf());
  return module(prefix + "Layer")
      .add("attention", module(prefix + "Attention").add("self", self).add("output", self_output))
      .add("intermediate", module(prefix + "Intermediate")
                               .add("dense", describe(layer.mlp.up))
                               .add("intermediate_act_fn", activation_leaf(layer.mlp.activation)))
      .add("output", module(prefix + "Output")
                         .add("dense", describe(layer.mlp.down))
                         .add("LayerNorm", describe(layer.mlp_norm))
                         .add("dropout", dropout_leaf()));
}

/// The embeddings; `norm` is the line of their layer norm. RoBERTa prints its positions last.
template <DimensionsLike D>
ModuleNode bert_embeddings_tree(ModelFamily family, D const& d, ModelSizes const& sizes, ModuleNode const& norm, std::size_t padding_id) {
  std::string const padding = ", padding_idx=" + std::to_string(padding_id);
  ModuleNode const positions = embedding_leaf(sizes.positions, d.hidden, is_roberta(family) ? padding : "");
  bool const is_distilbert = family == ModelFamily::distilbert;
  ModuleNode tree = module(is_distilbert ? "Embeddings" : class_prefix(family) + "Embeddings");
  tree.add("word_embeddings", embedding_leaf(sizes.vocabulary, d.hidden, padding));
  if (!is_roberta(family)) tree.add("position_embeddings", positions);
  if (!is_distilbert) tree.add("token_type_embeddings", embedding_leaf(sizes.token_types, d.hidden));
  tree.add("LayerNorm", norm).add("dropout", dropout_leaf());
  if (is_roberta(family)) tree.add("position_embeddings", positions);
  return tree;
}

inline ModuleNode pooler_tree(ModelFamily family, std::size_t hidden) {
  return module(class_prefix(family) + "Pooler").add("dense", linear_leaf(hidden, hidden)).add("activation", module_leaf("Tanh()"));
}

/// The encoder alone, without its pooler.
template <class Bert>
ModuleNode bert_tree(Bert const& bert) {
  ModuleNode layers = module("ModuleList");
  for (std::size_t i = 0; i < bert.encoder.layers.size(); ++i)
    layers.add(std::to_string(i), bert_layer_tree(bert.family, bert.dimensions, bert.encoder.layers[i]));
  ModuleNode tree = module(class_prefix(bert.family) + "Model");
  tree.add("embeddings", bert_embeddings_tree(bert.family, bert.dimensions, bert.sizes, describe(bert.embeddings.norm),
                                                static_cast<std::size_t>(bert.embeddings.padding_id.value_or(0))));
  bool const is_distilbert = bert.family == ModelFamily::distilbert;
  std::string const name = is_distilbert ? "transformer" : "encoder";
  tree.add(name, module(is_distilbert ? "Transformer" : class_prefix(bert.family) + "Encoder").add("layer", std::move(layers)));
  return tree;
}

/// A masked-LM head with its place in the tree: BERT's "cls", RoBERTa's "lm_head", or DistilBERT's members.
template <class Head>
ModuleNode bert_predictions_tree(Head const& mlm) {
  return module("BertLMPredictionHead")
      .add("transform", module("BertPredictionHeadTransform")
                            .add("dense", describe(mlm.dense))
                            .add("transform_act_fn", activation_leaf(mlm.activation))
                            .add("LayerNorm", describe(mlm.norm)))
      .add("decoder", describe(mlm.decoder));
}

template <class Model>
ModuleNode masked_lm_tree(Model const& model) {
  ModelFamily const family = model.bert.family;
  ModuleNode tree = module(class_prefix(family) + "ForMaskedLM");
  if (family == ModelFamily::distilbert) {
    return tree.add("activation", activation_leaf(model.mlm.activation))
        .add("distilbert", model.bert.module_tree())
        .add("vocab_transform", describe(model.mlm.dense))
        .add("vocab_layer_norm", describe(model.mlm.norm))
        .add("vocab_projector", describe(model.mlm.decoder))
        .add("mlm_loss_fct", module_leaf("CrossEntropyLoss()"));
  }
  if (family == ModelFamily::bert)
    return tree.add("bert", model.bert.module_tree()).add("cls", module("BertOnlyMLMHead").add("predictions", bert_predictions_tree(model.mlm)));
  return tree.add("roberta", model.bert.module_tree())
      .add("lm_head", module(class_prefix(family) + "LMHead")
                          .add("dense", describe(model.mlm.dense))
                          .add("layer_norm", describe(model.mlm.norm))
                          .add("decoder", describe(model.mlm.decoder)));
}

/// A classifier of sequences: BERT's dense layer is the pooler of its body, the others' belongs to the head.
template <class Model>
ModuleNode sequence_classification_tree(Model const& model) {
  ModelFamily const family = model.bert.family;
  ModuleNode tree = module(class_prefix(family) + "ForSequenceClassification");
  ModuleNode body = model.bert.module_tree();
  if (family == ModelFamily::bert) {
    body.add("pooler", pooler_tree(family, model.bert.dimensions.hidden));
    return tree.add("bert", std::move(body)).add("dropout", dropout_leaf()).add("classifier", describe(model.head.output));
  }
  tree.add(body_name(family), std::move(body));
  if (family == ModelFamily::distilbert)
    return tree.add("pre_classifier", describe(model.head.dense))
        .add("classifier", describe(model.head.output))
        .add("dropout", module_leaf("Dropout(p=0.2, inplace=False)"));
  return tree.add("classifier", module(class_prefix(family) + "ClassificationHead")
                                    .add("dense", describe(model.head.dense))
                                    .add("dropout", dropout_leaf())
                                    .add("out_proj", describe(model.head.output)));
}

}  // namespace axiform::inline AXIFORM_ARCH::internal
