/// @file
/// The family BERT (Devlin et al. 2019): its config, its names, its heads and its trees, and how what stands on its encoder is loaded. RoBERTa,
/// DistilBERT, ELECTRA and ALBERT are the same model with other configs, names and trees; their files are beside this one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/position.hpp>

namespace axiform {

/// Where a BERT counts positions from.
enum class PositionStart {
  zero,           ///< From 0.
  behind_padding  ///< From the padding id + 1: RoBERTa.
};

namespace detail {

/// The masked-LM head's matrix and the token table. Tied, they are one tensor, which a file may have under either name, or under both; the
/// model has it once, as the table.
std::vector<NameRule> table_rules(HeadWeights weights, char const* own);

/// The masked-LM head's bias, which lies in the file under two names, or one of them. transformers adds the decoder's; where head and table
/// are tied, that is the head's own.
NameRule decoder_bias_rule(HeadWeights weights, char const* head, char const* decoder);

/// What BERT and RoBERTa call alike.
std::vector<NameRule> bert_body_rules();

/// The rules of RoBERTa's heads, which its descendants took over.
std::vector<NameRule> roberta_head_rules(HeadWeights weights);

NameTable with_rules(NameTable table, std::vector<NameRule> const& tables, std::vector<NameRule> const& heads = {});

}  // namespace detail

/// BertModel and what is built on it (BertForMaskedLM, …); also in the spelling of TensorFlow's checkpoints (`gamma`, `beta`).
NameTable bert_names(HeadWeights weights = HeadWeights::tied);
/// The encoder in a GGUF file, which has no head and no pooler.
NameTable bert_gguf_names();

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <ModelHead head, DimensionsLike D, RecipeLike Recipe>
struct BertModelOf;
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::none, D, Recipe> {
  using Type = Bert<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::masked_lm, D, Recipe> {
  using Type = BertForMaskedLm<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::next_sentence, D, Recipe> {
  using Type = BertForNextSentence<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::pre_training, D, Recipe> {
  using Type = BertForPreTraining<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::question_answering, D, Recipe> {
  using Type = BertForQuestionAnswering<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::sequence_classification, D, Recipe> {
  using Type = BertForSequenceClassification<D, Recipe>;
};
template <DimensionsLike D, RecipeLike Recipe>
struct BertModelOf<ModelHead::token_classification, D, Recipe> {
  using Type = BertForTokenClassification<D, Recipe>;
};

}  // namespace internal

/// The model with that head on BERT's encoder.
template <ModelHead head, DimensionsLike D = DynamicDimensions, RecipeLike Recipe = BertRecipe>
using BertModel = typename internal::BertModelOf<head, D, Recipe>::Type;

/// What the `config.json` of a family on BERT's encoder says.
struct BertConfig {
  std::vector<std::string> architectures = {};  ///< The classes that the checkpoint was saved from: "BertModel".
  /// `hidden_size`, `num_attention_heads` and `intermediate_size`.
  DynamicDimensions dimensions = {.hidden = 768, .heads = 12, .head_size = 64, .inner = 3072};
  /// `num_hidden_layers`, `vocab_size`, `max_position_embeddings` and `type_vocab_size`; no segments where a family has none.
  ModelSizes sizes = {.layers = 12, .vocabulary = 30522, .positions = 512, .token_types = 2};
  double layer_norm_epsilon = 1e-12;                    ///< Added to the variance: `layer_norm_eps`.
  Activation activation = Activation::gelu;             ///< Of the feed-forward block: `hidden_act`.
  std::optional<Activation> masked_lm_activation = {};  ///< Of the masked-LM head, where it is not that.
  Activation classifier_activation = Activation::tanh;  ///< Behind the dense layer of a classifier of texts.
  std::optional<std::size_t> padding_id = 0;            ///< `pad_token_id`.
  PositionStart position_start = PositionStart::zero;   ///< Where positions are counted from.
  PositionSettings position = {};                       ///< Of a recipe that sees positions in its attention.
  std::optional<std::size_t> embedded = {};             ///< Width of embeddings that a linear layer makes hidden states of.
  LayerOrder order = {};                 ///< Which layer runs at each of `sizes.layers` steps, where some run more than once.
  std::vector<NameRule> own_names = {};  ///< Before those of the family: names that depend on sizes.
  HeadWeights head_weights = HeadWeights::tied;         ///< `tie_word_embeddings`.
  PrintedSettings printed = {};                         ///< What only a printed module tree shows.
};

/// What a family on BERT's encoder calls its settings; an empty name is a setting that it does not have.
struct BertKeys {
  std::string_view hidden = "hidden_size";                              ///< Width of the hidden states.
  std::string_view layers = "num_hidden_layers";                        ///< Blocks.
  std::string_view heads = "num_attention_heads";                       ///< Attention heads.
  std::string_view inner = "intermediate_size";                         ///< Width inside the feed-forward block.
  std::string_view layer_norm_epsilon = "layer_norm_eps";               ///< Added to the variance.
  std::string_view activation = "hidden_act";                           ///< Of the feed-forward block.
  std::string_view hidden_dropout = "hidden_dropout_prob";              ///< Of what a block adds.
  std::string_view attention_dropout = "attention_probs_dropout_prob";  ///< Of probabilities.
  std::string_view classifier_dropout = "classifier_dropout";           ///< Before a classifier.
  std::string_view usual_activation = "gelu";                           ///< Where the config names none.
};

/// Reads what all families on BERT's encoder have. `config` comes with the family's defaults; segments are read where these have some.
/// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
///         library does not have: relative positions, a decoder, another activation, embeddings of a width of their own where `config` has none.
BertConfig read_bert_settings(ConfigReader const& reader, BertConfig config, BertKeys const& keys = {});

/// BERT.
struct BertFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D>;

  static constexpr FamilyClass classes[] = {{"bert", "Bert"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::next_sentence, "ForNextSentencePrediction"},
                                         {ModelHead::pre_training, "ForPreTraining"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "BERT", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return bert_names(weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights) { return bert_gguf_names(); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"embeddings", R"(
(embeddings): @Embeddings(
  (word_embeddings): Embedding({vocabulary}, {hidden}{padding})
  (position_embeddings): Embedding({positions}, {hidden})
  (token_type_embeddings): Embedding({token_types}, {hidden})
  (LayerNorm): {norm}
  (dropout): Dropout(p={embedding_dropout}, inplace=False)
))"},
                                          {"feed_forward", detail::bert_feed_forward_words},
                                          {"encoder", detail::bert_encoder_words},
                                          {"body", "(bert): <Model>"},
                                          {"pooler", detail::bert_pooler_words},
                                          {"predictions", R"(
(predictions): BertLMPredictionHead(
  (transform): BertPredictionHeadTransform(
    (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
    (transform_act_fn): {activation}
    (LayerNorm): {norm}
  )
  (decoder): Linear(in_features={hidden}, out_features={vocabulary}, bias=True)
))"},
                                          {"Model", R"(
@Model(
  <embeddings>
  <encoder>
  <pooler> where pooler.weight
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  (bert): <Model>
  (cls): BertOnlyMLMHead(
    <predictions>
  )
))"},
                                          {"ForNextSentencePrediction", R"(
@ForNextSentencePrediction(
  (bert): <Model>
  (cls): BertOnlyNSPHead(
    (seq_relationship): Linear(in_features={hidden}, out_features=2, bias=True)
  )
))"},
                                          {"ForPreTraining", R"(
@ForPreTraining(
  (bert): <Model>
  (cls): BertPreTrainingHeads(
    <predictions>
    (seq_relationship): Linear(in_features={hidden}, out_features=2, bias=True)
  )
))"},
                                          {"ForQuestionAnswering", detail::bert_answer_words},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (bert): @Model(
    <embeddings>
    <encoder>
    <pooler>
  )
  (dropout): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
))"},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

/// Reads a config of any family on BERT's encoder: BERT, RoBERTa, DistilBERT, ELECTRA, ALBERT. `file` says in messages where it comes from.
/// @throws As `read_bert_settings`; CheckpointError also for another model.
BertConfig read_bert_config(Json const& config, std::string const& file);
/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as above.
BertConfig read_bert_config(ModelDirectory const& directory);

namespace internal {

/// What a directory's config makes of a BERT with any head: its dimensions and settings, and what the checkpoint calls its parameters.
template <DimensionsLike D, RecipeLike Recipe>
struct BertPlan {
  D dimensions;
  ModelSizes sizes;
  typename Bert<D, Recipe>::Settings settings;  // With the pooler, and a token table for look-up alone.
  NameTable names;

  static BertPlan of(ModelDirectory const& directory) {
    auto const [config, names] = read_family_config<Bert<DynamicDimensions, Recipe>, BertConfig>(directory);
    return {directory, config, names(config.head_weights)};
  }
  /// With a token table that a masked-LM head shares where the two are tied.
  static BertPlan with_masked_lm(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto [config, names] = read_family_config<Bert<DynamicDimensions, Recipe>, BertConfig>(directory);
    config.head_weights =
        head_weights(config.head_weights, checkpoint, names(HeadWeights::own), "embeddings.words.weight", "mlm.decoder.weight");
    BertPlan plan(directory, config, names(config.head_weights));
    plan.settings.head_weights = config.head_weights;
    return plan;
  }

  /// The number of a classifier's labels.
  static std::size_t labels(ModelDirectory const& directory) { return read_label_config(directory).labels.size(); }

 private:
  BertPlan(ModelDirectory const& directory, BertConfig const& config, NameTable table)
      : dimensions(dimensions_of<D>(config.dimensions, config.sizes, (directory / "config.json").string())),
        sizes(config.sizes),
        names(std::move(table)) {
    settings.layers.activation = config.activation;
    settings.layers.layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon);
    settings.layers.position = config.position;
    if (config.position_start == PositionStart::behind_padding) settings.padding_id = static_cast<TokenId>(config.padding_id.value());
    settings.embedded = config.embedded;
    settings.order = config.order;
    names.rules.insert(names.rules.begin(), config.own_names.begin(), config.own_names.end());
    settings.masked_lm_activation = config.masked_lm_activation;
    settings.classifier_activation = config.classifier_activation;
    settings.printed = config.printed;
  }
};

}  // namespace internal

/// Loads the encoders of BERT's families; the pooler where the file has one.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<Bert<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Bert<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::BertPlan<D, Recipe>::of(directory);
    if (!internal::find_parameter(checkpoint, plan.names, "pooler.weight")) plan.settings.pooler = Pooler::absent;
    return {Bert<D, Recipe>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

namespace detail {

AXIFORM_INLINE std::vector<NameRule> table_rules(HeadWeights weights, char const* own) {
  char const* const table = "embeddings.word_embeddings.weight";
  if (weights == HeadWeights::own) return {{"embeddings.words.weight", table}, {"mlm.decoder.weight", own}};
  return {{.canonical = "embeddings.words.weight", .in_file = table, .otherwise = own}};
}

AXIFORM_INLINE NameRule decoder_bias_rule(HeadWeights weights, char const* head, char const* decoder) {
  bool const is_tied = weights == HeadWeights::tied;
  return {.canonical = "mlm.decoder.bias", .in_file = is_tied ? head : decoder, .otherwise = is_tied ? decoder : head};
}

AXIFORM_INLINE std::vector<NameRule> bert_body_rules() {
  return {
      {"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
      {"embeddings.token_types.weight", "embeddings.token_type_embeddings.weight"},
      {"embeddings.norm.*", "embeddings.LayerNorm.*"},
      {"encoder.layers.*.attention.output.*", "encoder.layer.*.attention.output.dense.*"},
      {"encoder.layers.*.attention.*.*", "encoder.layer.*.attention.self.*.*"},  // query, key, value
      {"encoder.layers.*.attention_norm.*", "encoder.layer.*.attention.output.LayerNorm.*"},
      {"encoder.layers.*.mlp.up.*", "encoder.layer.*.intermediate.dense.*"},
      {"encoder.layers.*.mlp.down.*", "encoder.layer.*.output.dense.*"},
      {"encoder.layers.*.mlp_norm.*", "encoder.layer.*.output.LayerNorm.*"},
      {"pooler.*", "pooler.dense.*"},
      {"span.*", "qa_outputs.*"},
  };
}

AXIFORM_INLINE std::vector<NameRule> roberta_head_rules(HeadWeights weights) {
  return {decoder_bias_rule(weights, "lm_head.bias", "lm_head.decoder.bias"),
          {"mlm.dense.*", "lm_head.dense.*"},
          {"mlm.norm.*", "lm_head.layer_norm.*"},
          {"head.dense.*", "classifier.dense.*"},
          {"head.output.*", "classifier.out_proj.*"}};
}

AXIFORM_INLINE NameTable with_rules(NameTable table, std::vector<NameRule> const& tables, std::vector<NameRule> const& heads) {
  for (auto const* const more : {&tables, &heads}) table.rules.insert(table.rules.end(), more->begin(), more->end());
  return table;
}

}  // namespace detail

AXIFORM_INLINE NameTable bert_names(HeadWeights weights) {
  return detail::with_rules({.family = "BERT",
                             .prefixes = {"", "bert."},
                             .rules = detail::bert_body_rules(),
                             .spellings = {{"**LayerNorm.weight", "**LayerNorm.gamma"}, {"**LayerNorm.bias", "**LayerNorm.beta"}},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "cls.predictions.decoder.weight"),
                            {detail::decoder_bias_rule(weights, "cls.predictions.bias", "cls.predictions.decoder.bias"),
                             {"mlm.dense.*", "cls.predictions.transform.dense.*"},
                             {"mlm.norm.*", "cls.predictions.transform.LayerNorm.*"},
                             {"next_sentence.*", "cls.seq_relationship.*"},
                             {"head.dense.*", "pooler.dense.*"},
                             {"head.output.*", "classifier.*"}});
}

AXIFORM_INLINE NameTable bert_gguf_names() {
  return {.family = "BERT",
          .prefixes = {""},
          .rules = {{"embeddings.words.weight", "token_embd.weight"},
                    {"embeddings.positions.weight", "position_embd.weight"},
                    {"embeddings.token_types.weight", "token_types.weight"},
                    {"embeddings.norm.*", "token_embd_norm.*"},
                    {"encoder.layers.*.attention.query.*", "blk.*.attn_q.*"},
                    {"encoder.layers.*.attention.key.*", "blk.*.attn_k.*"},
                    {"encoder.layers.*.attention.value.*", "blk.*.attn_v.*"},
                    {"encoder.layers.*.attention.output.*", "blk.*.attn_output.*"},
                    {"encoder.layers.*.attention_norm.*", "blk.*.attn_output_norm.*"},
                    {"encoder.layers.*.mlp_norm.*", "blk.*.layer_output_norm.*"},
                    {"encoder.layers.*.mlp.*.*", "blk.*.ffn_*.*"}},
          .spellings = {},
          .body = {"token_embd.**", "token_embd_norm.**", "position_embd.**", "token_types.**", "blk.**"},
          .buffers = {}};
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig read_bert_settings(ConfigReader const& reader, BertConfig config, BertKeys const& keys) {
  reader.check_common();
  reader.only("is_decoder", false);
  if (auto const kind = reader.text("position_embedding_type", "absolute"); kind != "absolute")
    reader.refuse("position_embedding_type", detail::in_quotes(kind), "\"absolute\"");
  config.architectures = reader.architectures();
  DynamicDimensions& d = config.dimensions;
  ModelSizes& sizes = config.sizes;
  sizes.vocabulary = reader.size({"vocab_size"}, sizes.vocabulary, largest_table);
  d.hidden = reader.size({keys.hidden, "hidden_size"}, d.hidden, largest_width);
  sizes.layers = reader.size({keys.layers, "num_hidden_layers"}, sizes.layers, largest_depth);
  d.heads = reader.size({keys.heads, "num_attention_heads"}, d.heads, largest_width);
  d.key_heads = d.heads;
  d.head_size = reader.head_size(d.hidden, d.heads);
  d.inner = reader.size({keys.inner, "intermediate_size"}, d.inner, 4 * largest_width);
  sizes.positions = reader.size({"max_position_embeddings"}, sizes.positions, largest_table);
  if (sizes.token_types != 0) sizes.token_types = reader.size({"type_vocab_size"}, sizes.token_types, largest_table);
  if (!keys.layer_norm_epsilon.empty()) config.layer_norm_epsilon = reader.epsilon(keys.layer_norm_epsilon, config.layer_norm_epsilon);
  auto const [activation, printed_activation] = reader.activation(keys.activation, keys.usual_activation);
  config.activation = activation;
  if (reader.has("pad_token_id")) config.padding_id = reader.padding_id();
  if (config.position_start == PositionStart::behind_padding) {
    if (!config.padding_id) reader.refuse("pad_token_id", "none", "the id that positions are counted from");
    if (*config.padding_id + 1 >= sizes.positions)
      throw FormatError(detail::message({reader.file, ": max_position_embeddings: found ", sizes.positions,
                                         ", expected more than pad_token_id + 1, ", *config.padding_id + 1}));
  }
  config.head_weights = reader.head_weights();
  PrintedSettings& printed = config.printed;
  printed.activation = printed_activation;
  printed.padding_id = config.padding_id;
  printed.hidden_dropout = reader.dropout(keys.hidden_dropout, printed.hidden_dropout);
  printed.embedding_dropout = printed.hidden_dropout;
  printed.attention_dropout = reader.dropout(keys.attention_dropout, printed.attention_dropout);
  printed.token_classifier_dropout =
      keys.classifier_dropout.empty() ? printed.hidden_dropout : reader.dropout(keys.classifier_dropout, printed.hidden_dropout);
  printed.classifier_dropout = printed.token_classifier_dropout;
  if (config.embedded) {
    config.embedded = reader.size({"embedding_size"}, *config.embedded, largest_width);
  } else if (auto const width = reader.optional_size({"embedding_size"}, largest_width); width && *width != d.hidden) {
    reader.refuse("embedding_size", std::to_string(*width), detail::message({"the hidden size, ", std::size_t{d.hidden}}));
  }
  return config;
}

AXIFORM_INLINE BertConfig BertFamily::read_config(ConfigReader const& reader) { return read_bert_settings(reader, {}); }

AXIFORM_INLINE BertConfig read_bert_config(Json const& config, std::string const& file) {
  return read_family_config<Bert<>, BertConfig>(config, file).config;
}
AXIFORM_INLINE BertConfig read_bert_config(ModelDirectory const& directory) {
  return read_family_config<Bert<>, BertConfig>(directory).config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
