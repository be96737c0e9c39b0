/// @file
/// The module trees that PyTorch prints for Hugging Face's BERT, RoBERTa and DistilBERT and for what is built on them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/io/model_family.hpp>
#include <axiform/io/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/describe.hpp>
#include <axiform/nn/dimensions.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

inline ModuleNode module(std::string name) { return {{}, std::move(name), {}}; }

/// "Bert", as the classes of a family begin.
inline std::string class_prefix(ModelFamily family) {
  switch (family) {
    case ModelFamily::bert: return "Bert";
    case ModelFamily::roberta: return "Roberta";
    case ModelFamily::xlm_roberta: return "XLMRoberta";
    case ModelFamily::camembert: return "Camembert";
    case ModelFamily::distilbert: return "DistilBert";
    case ModelFamily::gpt2: return "GPT2";
  }
  return {};
}

/// "bert", as the encoder is called within a model with a head.
inline std::string body_name(ModelFamily family) {
  return family == ModelFamily::distilbert ? "distilbert" : is_roberta(family) ? "roberta" : "bert";
}

template <DimensionsLike D, RecipeLike Recipe>
ModuleNode distilbert_layer_tree(D const& d, PrintedSettings const& printed, Block<D, Recipe> const& layer) {
  ModuleNode const square = linear_leaf(d.hidden, d.width());
  return module("TransformerBlock")
      .add("attention", module("DistilBertSelfAttention")
                            .add("q_lin", square)
                            .add("k_lin", square)
                            .add("v_lin", square)
                            .add("out_lin", linear_leaf(d.width(), d.hidden))
                            .add("dropout", dropout_leaf(printed.attention_dropout)))
      .add("sa_layer_norm", describe(layer.attention_norm))
      .add("ffn", module("FFN")
                      .add("dropout", dropout_leaf(printed.hidden_dropout))
                      .add("lin1", describe(layer.mlp.up))
                      .add("lin2", describe(layer.mlp.down))
                      .add("activation", activation_leaf(layer.mlp.activation, printed.activation)))
      .add("output_layer_norm", describe(layer.mlp_norm));
}

template <DimensionsLike D, RecipeLike Recipe>
ModuleNode bert_layer_tree(ModelFamily family, D const& d, PrintedSettings const& printed, Block<D, Recipe> const& layer) {
  if (family == ModelFamily::distilbert) return distilbert_layer_tree(d, printed, layer);
  std::string const prefix = class_prefix(family);
  ModuleNode const square = linear_leaf(d.hidden, d.width());
  ModuleNode const self = module(prefix + "SelfAttention")
                              .add("query", square)
                              .add("key", square)
                              .add("value", square)
                              .add("dropout", dropout_leaf(printed.attention_dropout));
  ModuleNode const self_output = module(prefix + "SelfOutput")
                                     .add("dense", linear_leaf(d.width(), d.hidden))
                                     .add("LayerNorm", describe(layer.attention_norm))
                                     .add("dropout", dropout_leaf(printed.hidden_dropout));
  return module(prefix + "Layer")
      .add("attention", module(prefix + "Attention").add("self", self).add("output", self_output))
      .add("intermediate", module(prefix + "Intermediate")
                               .add("dense", describe(layer.mlp.up))
                               .add("intermediate_act_fn", activation_leaf(layer.mlp.activation, printed.activation)))
      .add("output", module(prefix + "Output")
                         .add("dense", describe(layer.mlp.down))
                         .add("LayerNorm", describe(layer.mlp_norm))
                         .add("dropout", dropout_leaf(printed.hidden_dropout)));
}

/// The embeddings. RoBERTa prints its positions last.
template <class Bert>
ModuleNode bert_embeddings_tree(Bert const& bert) {
  ModelFamily const family = bert.family;
  ModelSizes const& sizes = bert.sizes;
  std::size_t const hidden = bert.dimensions.hidden;
  // RoBERTa computes with its padding id, the others only print theirs.
  std::optional<std::size_t> padding_id = bert.printed.padding_id;
  if (bert.embeddings.padding_id) padding_id = static_cast<std::size_t>(*bert.embeddings.padding_id);
  std::string const padding = padding_id ? ", padding_idx=" + std::to_string(*padding_id) : "";
  ModuleNode const positions = embedding_leaf(sizes.positions, hidden, is_roberta(family) ? padding : "");
  bool const is_distilbert = family == ModelFamily::distilbert;
  ModuleNode tree = module(is_distilbert ? "Embeddings" : class_prefix(family) + "Embeddings");
  tree.add("word_embeddings", embedding_leaf(sizes.vocabulary, hidden, padding));
  if (!is_roberta(family)) tree.add("position_embeddings", positions);
  if (!is_distilbert) tree.add("token_type_embeddings", embedding_leaf(sizes.token_types, hidden));
  tree.add("LayerNorm", describe(bert.embeddings.norm)).add("dropout", dropout_leaf(bert.printed.embedding_dropout));
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
    layers.add(std::to_string(i), bert_layer_tree(bert.family, bert.dimensions, bert.printed, bert.encoder.layers[i]));
  ModuleNode tree = module(class_prefix(bert.family) + "Model");
  tree.add("embeddings", bert_embeddings_tree(bert));
  bool const is_distilbert = bert.family == ModelFamily::distilbert;
  std::string const name = is_distilbert ? "transformer" : "encoder";
  tree.add(name, module(is_distilbert ? "Transformer" : class_prefix(bert.family) + "Encoder").add("layer", std::move(layers)));
  return tree;
}

/// A masked-LM head with its place in the tree: BERT's "cls", RoBERTa's "lm_head", or DistilBERT's members.
template <class Head>
ModuleNode bert_predictions_tree(Head const& mlm, PrintedSettings const& printed) {
  return module("BertLMPredictionHead")
      .add("transform", module("BertPredictionHeadTransform")
                            .add("dense", describe(mlm.dense))
                            .add("transform_act_fn", activation_leaf(mlm.activation, printed.activation))
                            .add("LayerNorm", describe(mlm.norm)))
      .add("decoder", describe(mlm.decoder));
}

template <class Model>
ModuleNode masked_lm_tree(Model const& model) {
  ModelFamily const family = model.bert.family;
  ModuleNode tree = module(class_prefix(family) + "ForMaskedLM");
  if (family == ModelFamily::distilbert) {
    return tree.add("activation", activation_leaf(model.mlm.activation, model.bert.printed.activation))
        .add("distilbert", model.bert.module_tree())
        .add("vocab_transform", describe(model.mlm.dense))
        .add("vocab_layer_norm", describe(model.mlm.norm))
        .add("vocab_projector", describe(model.mlm.decoder))
        .add("mlm_loss_fct", module_leaf("CrossEntropyLoss()"));
  }
  if (family == ModelFamily::bert)
    return tree.add("bert", model.bert.module_tree())
        .add("cls", module("BertOnlyMLMHead").add("predictions", bert_predictions_tree(model.mlm, model.bert.printed)));
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
  ModuleNode const dropout = dropout_leaf(model.bert.printed.classifier_dropout);
  ModuleNode tree = module(class_prefix(family) + "ForSequenceClassification");
  ModuleNode body = model.bert.module_tree();
  if (family == ModelFamily::bert) {
    body.add("pooler", pooler_tree(family, model.bert.dimensions.hidden));
    return tree.add("bert", std::move(body)).add("dropout", dropout).add("classifier", describe(model.head.output));
  }
  tree.add(body_name(family), std::move(body));
  if (family == ModelFamily::distilbert)
    return tree.add("pre_classifier", describe(model.head.dense)).add("classifier", describe(model.head.output)).add("dropout", dropout);
  return tree.add("classifier", module(class_prefix(family) + "ClassificationHead")
                                    .add("dense", describe(model.head.dense))
                                    .add("dropout", dropout)
                                    .add("out_proj", describe(model.head.output)));
}

}  // namespace axiform::inline AXIFORM_ARCH::internal
