/// @file
/// The family ModernBERT (Warner et al. 2024): its config, as transformers 4 and 5 write it, its names, its heads and its trees, and how it is loaded.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/rotary_settings.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/modernbert_recipe.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/position.hpp>

namespace axiform {

/// ModernBertModel and what is built on it.
NameTable modernbert_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <ModelHead head, DimensionsLike D>
struct ModernBertModelOf;
template <DimensionsLike D>
struct ModernBertModelOf<ModelHead::none, D> {
  using Type = ModernBert<D>;
};
template <DimensionsLike D>
struct ModernBertModelOf<ModelHead::masked_lm, D> {
  using Type = ModernBertForMaskedLm<D>;
};
template <DimensionsLike D>
struct ModernBertModelOf<ModelHead::question_answering, D> {
  using Type = ModernBertForQuestionAnswering<D>;
};
template <DimensionsLike D>
struct ModernBertModelOf<ModelHead::sequence_classification, D> {
  using Type = ModernBertForSequenceClassification<D>;
};
template <DimensionsLike D>
struct ModernBertModelOf<ModelHead::token_classification, D> {
  using Type = ModernBertForTokenClassification<D>;
};

}  // namespace internal

/// What the config of a ModernBERT says.
struct ModernBertConfig {
  /// `hidden_size`, `num_attention_heads` and `intermediate_size`.
  DynamicDimensions dimensions = {.hidden = 768, .heads = 12, .head_size = 64, .inner = 1152};
  /// `num_hidden_layers`, `vocab_size`, and `max_position_embeddings`, which bounds texts and sizes no table.
  ModelSizes sizes = {.layers = 22, .vocabulary = 50368, .positions = 8192, .token_types = 0};
  double norm_epsilon = 1e-5;                                             ///< Added to the variance: `norm_eps`.
  Activation activation = Activation::gelu;                               ///< Of the gate: `hidden_activation`.
  Activation head_activation = Activation::gelu;                          ///< Of a head: `classifier_activation`.
  ClassifierPooling classifier_pooling = ClassifierPooling::first_token;  ///< `classifier_pooling`.
  /// Of layers that see all tokens: `global_rope_theta`, or `rope_parameters`.
  PositionSettings global_position = {.rotary_base = 160000.0};
  PositionSettings local_position = {.rotary_base = 10000.0};  ///< Of those that see a window: `local_rope_theta`, or `rope_parameters`.
  /// How far each layer sees, 0 for all: `local_attention`, and `global_attn_every_n_layers` or `layer_types`.
  std::vector<std::size_t> windows = {};
  HeadWeights head_weights = HeadWeights::tied;  ///< `tie_word_embeddings`.
  PrintedSettings printed = {};                  ///< What only a printed module tree shows.
};

/// ModernBERT.
struct ModernBertFamily {
  using Config = ModernBertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = typename internal::ModernBertModelOf<head, D>::Type;

  static constexpr FamilyClass classes[] = {{"modernbert", "ModernBert"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "ModernBERT", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
  ///         library does not have: biases, other ways to stretch positions, other pooling.
  static ModernBertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return modernbert_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"attention", R"(
(attn): @Attention(
  (Wqkv): Linear(in_features={hidden}, out_features={fused_width}, bias=False)
  (Wo): Linear(in_features={width}, out_features={hidden}, bias=False)
  (out_drop): {attention_dropout_or_identity}
)
(mlp_norm): {norm}
(mlp): @MLP(
  (Wi): Linear(in_features={hidden}, out_features={fused_inner}, bias=False)
  (act): {activation}
  (drop): Dropout(p={hidden_dropout}, inplace=False)
  (Wo): Linear(in_features={inner}, out_features={hidden}, bias=False)
))"},
                                          {"head", R"(
(head): @PredictionHead(
  (dense): Linear(in_features={hidden}, out_features={hidden}, bias=False)
  (act): {head_activation}
  (norm): {norm}
))"},
                                          {"Model", R"(
@Model(
  (embeddings): @Embeddings(
    (tok_embeddings): Embedding({vocabulary}, {hidden}{padding})
    (norm): {norm}
    (drop): Dropout(p={embedding_dropout}, inplace=False)
  )
  (layers): ModuleList(
    (0): @EncoderLayer(
      (attn_norm): Identity()
      <attention>
    )
    (*): @EncoderLayer(
      (attn_norm): {norm}
      <attention>
    )
  )
  (final_norm): {norm}
  (rotary_emb): @RotaryEmbedding()
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  (model): <Model>
  <head>
  (decoder): Linear(in_features={hidden}, out_features={vocabulary}, bias=True)
))"},
                                          {"ForQuestionAnswering", R"(
@ForQuestionAnswering(
  (model): <Model>
  <head>
  (drop): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features=2, bias=True)
))"},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (model): <Model>
  <head>
  (drop): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
))"},
                                          {"ForTokenClassification", R"(
@ForTokenClassification(
  (model): <Model>
  <head>
  (drop): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={classifier.weight}, bias=True)
))"}};
};

/// Reads the config of a ModernBERT. `file` says in messages where it comes from.
/// @throws As `ModernBertFamily::read_config`; CheckpointError also for another model.
ModernBertConfig read_modernbert_config(Json const& config, std::string const& file);

namespace internal {

/// What a directory's config makes of a ModernBERT with any head: its dimensions and settings, and what the checkpoint calls its parameters.
template <DimensionsLike D>
struct ModernBertPlan {
  D dimensions;
  ModelSizes sizes;
  typename ModernBert<D>::Settings settings;  // With a token table for look-up alone.
  NameTable names;

  static ModernBertPlan of(ModelDirectory const& directory) {
    auto const [config, names] = read_family_config<ModernBert<>, ModernBertConfig>(directory);
    return {directory, config, HeadWeights::own, names(config.head_weights)};
  }
  /// With a token table that a masked-LM head shares where the two are tied.
  static ModernBertPlan with_masked_lm(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto const [config, names] = read_family_config<ModernBert<>, ModernBertConfig>(directory);
    auto const weights =
        head_weights(config.head_weights, checkpoint, names(HeadWeights::own), "embeddings.words.weight", "decoder.weight");
    return {directory, config, weights, names(weights)};
  }

 private:
  ModernBertPlan(ModelDirectory const& directory, ModernBertConfig const& config, HeadWeights weights, NameTable table)
      : dimensions(dimensions_of<D>(config.dimensions, config.sizes, (directory / "config.json").string())),
        sizes(config.sizes),
        settings{.layers = {.activation = config.activation,
                            .layer_norm_epsilon = static_cast<float>(config.norm_epsilon),
                            .position = config.global_position},
                 .local_position = config.local_position,
                 .windows = config.windows,
                 .head_weights = weights,
                 .head_activation = config.head_activation,
                 .classifier_pooling = config.classifier_pooling,
                 .printed = config.printed},
        names(std::move(table)) {}
};

}  // namespace internal

/// Loads the encoder.
template <DimensionsLike D>
struct ModelLoader<ModernBert<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<ModernBert<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto plan = internal::ModernBertPlan<D>::of(directory);
    return {ModernBert<D>::create(plan.dimensions, plan.sizes, plan.settings), std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable modernbert_names(HeadWeights weights) {
  NameTable table{.family = "ModernBERT",
                  .prefixes = {"", "model."},
                  .rules = {{.canonical = "embeddings.words.weight",
                             .in_file = "embeddings.tok_embeddings.weight",
                             .otherwise = weights == HeadWeights::tied ? "decoder.weight" : ""},
                            {"encoder.layers.*.attention_norm.*", "layers.*.attn_norm.*"},
                            {"encoder.layers.*.attention.output.*", "layers.*.attn.Wo.*"},
                            {"encoder.layers.*.mlp_norm.*", "layers.*.mlp_norm.*"},
                            {"encoder.layers.*.mlp.down.*", "layers.*.mlp.Wo.*"},
                            {"encoder.final_norm.*", "final_norm.*"},
                            {"transform.**", "head.**"},
                            {"head.transform.**", "head.**"},
                            {"head.output.*", "classifier.*"},
                            {"span.*", "classifier.*"}},
                  .spellings = {},
                  .body = {"embeddings.**", "layers.**", "final_norm.**"},
                  .buffers = {"rotary_emb.**"}};
  auto const add_parts = [&](std::vector<std::string_view> const& names, char const* in_file) {
    for (std::size_t part = 0; part < names.size(); ++part)
      table.rules.push_back({.canonical = detail::message({"encoder.layers.*.", names[part], ".*"}),
                             .in_file = in_file,
                             .part = part,
                             .parts = names.size()});
  };
  add_parts({"attention.query", "attention.key", "attention.value"}, "layers.*.attn.Wqkv.*");
  add_parts({"mlp.gate", "mlp.up"}, "layers.*.mlp.Wi.*");
  return table;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Positions of layers that see all, or of those that see a window: `rope_parameters` has them by the type of layers (transformers 5), else the base
// stands under a key of its own and `rope_scaling` is for both.
inline PositionSettings read_modernbert_position(ConfigReader const& reader, PositionSettings settings, char const* layer_type,
                                                 char const* key) {
  // A null of the local layers is the base of the others in transformers 4, and an error in 5.
  if (Json const* const base = find_member(reader.config, key, reader.file); base != nullptr && base->is_null())
    throw CheckpointError(detail::message({reader.file, ": ", key, ": found null, expected a number"}));
  settings.rotary_base = get_or<double>(reader.config, key, settings.rotary_base, reader.file);
  if (!(settings.rotary_base > 0)) throw FormatError(detail::message({reader.file, ": ", key, ": expected a number above 0"}));
  auto const read = [&](Json const* parameters, std::string name) {
    if (parameters != nullptr && !parameters->is_null())
      read_rotary_kind({*parameters, detail::message({reader.file, ": ", name})}, settings);
  };
  if (Json const* const all = find_member(reader.config, "rope_parameters", reader.file); all != nullptr && !all->is_null()) {
    std::string const file = detail::message({reader.file, ": rope_parameters"});
    read(find_member(*all, layer_type, file), detail::message({"rope_parameters: ", layer_type}));
  }
  read(find_member(reader.config, "rope_scaling", reader.file), "rope_scaling");
  return settings;
}

// How far each layer sees. `local_attention` is the width of a window, a token in its middle: of 128, 64 to either side.
inline std::vector<std::size_t> read_modernbert_windows(ConfigReader const& reader, std::size_t layers) {
  std::size_t const window = reader.size({"local_attention"}, 128, largest_table) / 2 + 1;
  std::size_t const every = reader.size({"global_attn_every_n_layers"}, 3, largest_depth);
  auto windows = read_windows(reader, layers, window, 0, "local_attention");
  if (auto const* const types = find_member(reader.config, "layer_types", reader.file);
      types == nullptr || types->is_null() || types->empty())
    for (std::size_t i = 0; i < layers; i += every) windows[i] = 0;
  return windows;
}

}  // namespace internal

AXIFORM_INLINE ModernBertConfig ModernBertFamily::read_config(ConfigReader const& reader) {
  reader.check_common();
  for (char const* const key : {"attention_bias", "mlp_bias", "norm_bias", "classifier_bias"}) reader.only(key, false);
  reader.only("decoder_bias", true);
  ModernBertConfig config;
  auto& d = config.dimensions;
  auto& sizes = config.sizes;
  sizes.vocabulary = reader.size({"vocab_size"}, sizes.vocabulary, largest_table);
  sizes.layers = reader.size({"num_hidden_layers"}, sizes.layers, largest_depth);
  sizes.positions = reader.size({"max_position_embeddings"}, sizes.positions, largest_table);
  d.hidden = reader.size({"hidden_size"}, d.hidden, largest_width);
  d.heads = reader.size({"num_attention_heads"}, d.heads, largest_width);
  d.head_size = reader.head_size(d.hidden, d.heads);
  if (d.head_size % 2 != 0)
    throw FormatError(detail::message({reader.file, ": found heads of ", std::size_t{d.head_size}, " columns, expected an even number"}));
  d.inner = reader.size({"intermediate_size"}, d.inner, 4 * largest_width);
  config.norm_epsilon = reader.epsilon("norm_eps", config.norm_epsilon);
  auto const [activation, printed_activation] = reader.activation("hidden_activation", "gelu");
  auto const [head_activation, printed_head_activation] = reader.activation("classifier_activation", "gelu");
  config.activation = activation;
  config.head_activation = head_activation;
  auto const pooling = reader.text("classifier_pooling", "cls");
  if (pooling != "cls" && pooling != "mean") reader.refuse("classifier_pooling", detail::in_quotes(pooling), "\"cls\" or \"mean\"");
  if (pooling == "mean") config.classifier_pooling = ClassifierPooling::mean;
  config.global_position = internal::read_modernbert_position(reader, config.global_position, "full_attention", "global_rope_theta");
  config.local_position = internal::read_modernbert_position(reader, config.local_position, "sliding_attention", "local_rope_theta");
  config.windows = internal::read_modernbert_windows(reader, sizes.layers);
  config.head_weights = reader.head_weights();
  PrintedSettings& printed = config.printed;
  printed.activation = printed_activation;
  printed.head_activation = printed_head_activation;
  printed.padding_id = reader.has("pad_token_id") ? reader.padding_id() : 50283;
  printed.embedding_dropout = reader.dropout("embedding_dropout", "0.0");
  printed.hidden_dropout = reader.dropout("mlp_dropout", "0.0");
  printed.attention_dropout = reader.dropout("attention_dropout", "0.0");
  printed.classifier_dropout = reader.dropout("classifier_dropout", "0.0");
  return config;
}

AXIFORM_INLINE ModernBertConfig read_modernbert_config(Json const& config, std::string const& file) {
  return read_family_config<ModernBert<>, ModernBertConfig>(config, file).config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
