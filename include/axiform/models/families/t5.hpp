/// @file
/// The family T5 (Raffel et al. 2020): T5, T5 1.1, FLAN-T5 (Chung et al. 2022), mT5 (Xue et al. 2021) and UMT5 (Chung et al. 2023): its config, names and
/// trees, and how the whole model and its encoder alone are loaded.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/encoder_decoder_recipes.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/sequence_embedding.hpp>

#if AXIFORM_DEFINES(models)
#include <cmath>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#endif

namespace axiform {

/// T5ForConditionalGeneration, and the encoder of it alone; the same whether the head is the table or not.
NameTable t5_names();

/// The same in a GGUF file.
NameTable t5_gguf_names();

/// Whether states are multiplied by hidden^-0.5 before the head.
enum class HeadScale {
  none,          ///< T5 1.1, FLAN-T5, mT5.
  root_of_width  ///< The first T5, whose head is its token table.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <ModelHead head, DimensionsLike D>
struct T5ModelOf {
  using Type = T5<D>;
};
template <DimensionsLike D>
struct T5ModelOf<ModelHead::none, D> {
  using Type = T5Encoder<D>;
};

}  // namespace internal

/// What the config of a T5 says.
struct T5Config {
  /// `d_model`, `num_heads`, `d_kv`, `d_ff`. The width of all heads need not be that of the hidden states.
  DynamicDimensions dimensions = {.hidden = 512, .heads = 8, .head_size = 64, .inner = 2048};
  /// `num_layers`, those of the encoder, and `vocab_size`; there is no table of positions, and texts may be of any length.
  ModelSizes sizes = {.layers = 6, .vocabulary = 32128, .positions = 0, .token_types = 0};
  std::size_t decoder_layers = 6;                    ///< `num_decoder_layers`; as many as the encoder's where a config does not say.
  double norm_epsilon = 1e-6;                        ///< Added to the mean of squares: `layer_norm_epsilon`.
  Activation activation = Activation::relu;          ///< Of the feed-forward block: `feed_forward_proj`, or `dense_act_fn`.
  MlpGate gate = MlpGate::absent;                    ///< Whether that has one: `feed_forward_proj`, or `is_gated_act`.
  PositionSettings position =
      {};  ///< `relative_attention_num_buckets`, `relative_attention_max_distance`; UMT5's layers have biases of their own.
  HeadScale head_scale = HeadScale::root_of_width;   ///< `scale_decoder_outputs`, or `tie_word_embeddings`.
  PrintedSettings printed = {.class_prefix = "T5"};  ///< What only a printed module tree shows.
};

/// T5, T5 1.1, FLAN-T5, mT5, UMT5. Whether the head is the token table is said by the tensors, as transformers 5 has it: a head of its own is one that the
/// file has and that is not the table.
struct T5Family {
  using Config = T5Config;  ///< What `read_config` gives.
  /// The whole model; without a head the encoder alone.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = typename internal::T5ModelOf<head, D>::Type;

  /// Its model types. GGUF has one more for an encoder.
  static constexpr FamilyClass classes[] = {{"t5", "T5"}, {"mt5", "MT5"}, {"umt5", "UMT5"}, {"t5encoder", "T5"}};
  /// Its heads. The first T5s were saved from T5WithLMHeadModel.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "EncoderModel"},
                                         {ModelHead::encoder_and_decoder, "Model"},
                                         {ModelHead::conditional_generation, "WithLMHeadModel"},
                                         {ModelHead::conditional_generation, "ForConditionalGeneration"}};
  static constexpr std::size_t end_of_text[] = {1};  ///< Where a config does not say.
  static constexpr Family family{.name = "T5", .classes = classes, .heads = heads, .end_of_text = end_of_text};  ///< How configs name it.

  /// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
  ///         library does not have.
  static T5Config read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights) { return t5_names(); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights) { return t5_gguf_names(); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"projections", R"(
(q): Linear(in_features={hidden}, out_features={width}, bias=False)
(k): Linear(in_features={hidden}, out_features={width}, bias=False)
(v): Linear(in_features={hidden}, out_features={width}, bias=False)
(o): Linear(in_features={width}, out_features={hidden}, bias=False)
)"},
                                          {"norm", R"(
(layer_norm): @LayerNorm()
(dropout): Dropout(p={hidden_dropout}, inplace=False)
)"},
                                          {"shared_bias", "(relative_attention_bias): Embedding({encoder.position.weight}, {heads})"},
                                          {"own_bias", "(relative_attention_bias): Embedding({encoder.position.layers.0.weight}, {heads})"},
                                          {"first_self_attention", R"(
(0): @LayerSelfAttention(
  (SelfAttention): @Attention(
    <projections>
    <shared_bias> where encoder.position.weight
    <own_bias> where encoder.position.layers.0.weight
  )
  <norm>
))"},
                                          {"self_attention", R"(
(0): @LayerSelfAttention(
  (SelfAttention): @Attention(
    <projections>
    <own_bias> where encoder.position.layers.0.weight
  )
  <norm>
))"},
                                          {"cross_attention", R"(
(1): @LayerCrossAttention(
  (EncDecAttention): @Attention(
    <projections>
  )
  <norm>
))"},
                                          {"plain", R"(
(DenseReluDense): @DenseActDense(
  (wi): Linear(in_features={hidden}, out_features={inner}, bias=False)
  (wo): Linear(in_features={inner}, out_features={hidden}, bias=False)
  (dropout): Dropout(p={hidden_dropout}, inplace=False)
  (act): {activation}
))"},
                                          {"gated", R"(
(DenseReluDense): @DenseGatedActDense(
  (wi_0): Linear(in_features={hidden}, out_features={inner}, bias=False)
  (wi_1): Linear(in_features={hidden}, out_features={inner}, bias=False)
  (wo): Linear(in_features={inner}, out_features={hidden}, bias=False)
  (dropout): Dropout(p={hidden_dropout}, inplace=False)
  (act): {activation}
))"},
                                          {"feed_forward", R"(
<plain> unless encoder.layers.0.mlp.gate.weight
<gated> where encoder.layers.0.mlp.gate.weight
<norm>
)"},
                                          {"encoder", R"(
(encoder): @Stack(
  (embed_tokens): Embedding({tokens.weight}, {hidden})
  (block): ModuleList(
    (0): @Block(
      (layer): ModuleList(
        <first_self_attention>
        (1): @LayerFF(
          <feed_forward>
        )
      )
    )
    (*encoder_layers): @Block(
      (layer): ModuleList(
        <self_attention>
        (1): @LayerFF(
          <feed_forward>
        )
      )
    )
  )
  (final_layer_norm): @LayerNorm()
  (dropout): Dropout(p={hidden_dropout}, inplace=False)
))"},
                                          {"both", R"(
(shared): Embedding({tokens.weight}, {hidden})
<encoder>
(decoder): @Stack(
  (embed_tokens): Embedding({tokens.weight}, {hidden})
  (block): ModuleList(
    (0): @Block(
      (layer): ModuleList(
        <first_self_attention>
        <cross_attention>
        (2): @LayerFF(
          <feed_forward>
        )
      )
    )
    (*decoder_layers): @Block(
      (layer): ModuleList(
        <self_attention>
        <cross_attention>
        (2): @LayerFF(
          <feed_forward>
        )
      )
    )
  )
  (final_layer_norm): @LayerNorm()
  (dropout): Dropout(p={hidden_dropout}, inplace=False)
))"},
                                          {"EncoderModel", R"(
@EncoderModel(
  (shared): Embedding({tokens.weight}, {hidden})
  <encoder>
))"},
                                          {"Model", R"(
@Model(
  <both>
))"},
                                          {"ForConditionalGeneration", R"(
@ForConditionalGeneration(
  <both>
  (lm_head): Linear(in_features={hidden}, out_features={tokens.weight}, bias=False)
))"}};
};

/// Reads the config of a T5. `file` says in messages where it comes from.
/// @throws As `T5Family::read_config`; CheckpointError also for another model.
T5Config read_t5_config(Json const& config, std::string const& file);

namespace internal {

// What of a T5 is loaded.
enum class T5Part { whole, encoder };

// What a directory's config makes of a T5, and what the checkpoint calls its parameters.
struct T5Plan {
  T5Config config;
  HeadWeights head;
  NameTable names;
  std::string file;

  /// @throws CheckpointError when a side that is loaded has a token table of its own.
  static T5Plan of(ModelDirectory const& directory, Checkpoint const& checkpoint, T5Part part);

  // The settings of an `EncoderDecoder`.
  template <class Settings>
  Settings settings() const {
    LayerSettings const layer{.activation = config.activation,
                              .layer_norm_epsilon = static_cast<float>(config.norm_epsilon),
                              .attention_scale = 1.0f,
                              .position = config.position,
                              .gate = config.gate};
    Settings settings;
    settings.encoder.layers = config.sizes.layers;
    settings.decoder.layers = config.decoder_layers;
    settings.encoder.layer = settings.decoder.layer = layer;
    settings.encoder.embedding.rows = settings.decoder.embedding.rows = PositionRows::none;
    settings.vocabulary = config.sizes.vocabulary;
    settings.head_weights = head;
    settings.head_scale = head_scale();
    settings.printed = config.printed;
    return settings;
  }

 private:
  float head_scale() const;
};

}  // namespace internal

/// Loads a whole T5.
template <DimensionsLike D>
struct ModelLoader<EncoderDecoder<D, T5Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<T5<D>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::T5Plan::of(directory, checkpoint, internal::T5Part::whole);
    D const d = internal::dimensions_of<D>(plan.config.dimensions, plan.config.sizes, plan.file);
    return {T5<D>::create(d, d, plan.template settings<typename T5<D>::Settings>()), std::move(plan.names)};
  }
};

/// Loads the encoder, and passes over a decoder.
template <DimensionsLike D>
struct ModelLoader<T5Encoder<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<T5Encoder<D>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::T5Plan::of(directory, checkpoint, internal::T5Part::encoder);
    return {T5Encoder<D>::create(internal::dimensions_of<D>(plan.config.dimensions, plan.config.sizes, plan.file),
                                 plan.template settings<typename T5Encoder<D>::Settings>()),
            std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

namespace detail {

/// Rules of one side: `layers` are "encoder.layers.*.", `blocks` what files call them, `feed_forward` the number of that part.
inline void add_t5_side(NameTable& table, std::string const& layers, std::string const& block, std::string const& feed_forward) {
  std::string const attention = block + "layer.0.", last = block + "layer." + feed_forward + ".";
  for (auto const& [part, in_file] : {std::pair{"query", "q"}, {"key", "k"}, {"value", "v"}, {"output", "o"}}) {
    table.rules.push_back({message({layers, "attention.", part, ".*"}), message({attention, "SelfAttention.", in_file, ".*"})});
    table.rules.push_back({message({layers, "cross_attention.", part, ".*"}), message({block, "layer.1.EncDecAttention.", in_file, ".*"})});
  }
  table.rules.push_back({layers + "attention_norm.*", attention + "layer_norm.*"});
  table.rules.push_back({layers + "cross_attention_norm.*", block + "layer.1.layer_norm.*"});
  table.rules.push_back({layers + "mlp_norm.*", last + "layer_norm.*"});
  table.rules.push_back({layers + "mlp.gate.*", last + "DenseReluDense.wi_0.*"});
  // With a gate what is multiplied by it, else what the activation is applied to.
  table.rules.push_back(
      {.canonical = layers + "mlp.up.*", .in_file = last + "DenseReluDense.wi.*", .otherwise = last + "DenseReluDense.wi_1.*"});
  table.rules.push_back({layers + "mlp.down.*", last + "DenseReluDense.wo.*"});
}

}  // namespace detail

AXIFORM_INLINE NameTable t5_names() {
  NameTable table{.family = "T5",
                  .prefixes = {"", "transformer."},
                  .rules = {{.canonical = "tokens.weight", .in_file = "shared.weight", .otherwise = "encoder.embed_tokens.weight"},
                            {"encoder.position.weight", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"},
                            {"decoder.position.weight", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"},
                            {"encoder.position.layers.*.weight", "encoder.block.*.layer.0.SelfAttention.relative_attention_bias.weight"},
                            {"decoder.position.layers.*.weight", "decoder.block.*.layer.0.SelfAttention.relative_attention_bias.weight"},
                            {"encoder.final_norm.*", "encoder.final_layer_norm.*"},
                            {"decoder.final_norm.*", "decoder.final_layer_norm.*"}},
                  .spellings = {},
                  .body = {"shared.**", "encoder.**", "decoder.**"},
                  // Copies of the table, and a bias of cross-attention that nothing adds.
                  .buffers = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
                              "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"}};
  detail::add_t5_side(table, "encoder.layers.*.", "encoder.block.*.", "1");
  detail::add_t5_side(table, "decoder.layers.*.", "decoder.block.*.", "2");
  return table;
}

AXIFORM_INLINE NameTable t5_gguf_names() {
  NameTable table{.family = "T5",
                  .prefixes = {""},
                  .rules = {{"tokens.weight", "token_embd.weight"}, {"lm_head.weight", "output.weight"}},
                  .spellings = {},
                  .body = {"token_embd.**", "enc.**", "dec.**"},
                  .buffers = {"dec.blk.*.cross_attn_rel_b.weight"}};
  for (std::string const side : {"encoder", "decoder"}) {
    std::string const layers = side + ".layers.*.", in_file = side.substr(0, 3) + ".blk.*.";
    std::vector<NameRule> const rules{{side + ".position.weight", side.substr(0, 3) + ".blk.0.attn_rel_b.weight"},
                                      {side + ".position.layers.*.weight", in_file + "attn_rel_b.weight"},
                                      {layers + "attention_norm.*", in_file + "attn_norm.*"},
                                      {layers + "attention.query.*", in_file + "attn_q.*"},
                                      {layers + "attention.key.*", in_file + "attn_k.*"},
                                      {layers + "attention.value.*", in_file + "attn_v.*"},
                                      {layers + "attention.output.*", in_file + "attn_o.*"},
                                      {layers + "cross_attention_norm.*", in_file + "cross_attn_norm.*"},
                                      {layers + "cross_attention.query.*", in_file + "cross_attn_q.*"},
                                      {layers + "cross_attention.key.*", in_file + "cross_attn_k.*"},
                                      {layers + "cross_attention.value.*", in_file + "cross_attn_v.*"},
                                      {layers + "cross_attention.output.*", in_file + "cross_attn_o.*"},
                                      {layers + "mlp_norm.*", in_file + "ffn_norm.*"},
                                      {layers + "mlp.*.*", in_file + "ffn_*.*"},
                                      {side + ".final_norm.*", side.substr(0, 3) + ".output_norm.*"}};
    table.rules.insert(table.rules.end(), rules.begin(), rules.end());
  }
  return table;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// "relu", or "gated-gelu", whose GELU is then the one by tanh. Newer configs say the same once more in two keys, which count.
inline void read_t5_feed_forward(ConfigReader const& reader, std::string const& usual, T5Config& config) {
  std::string const form = reader.text("feed_forward_proj", usual);
  constexpr std::string_view gated = "gated-";
  bool const is_gated = form.starts_with(gated);
  std::string const function = is_gated ? form.substr(gated.size()) : form;
  config.gate = get_or<bool>(reader.config, "is_gated_act", is_gated, reader.file) ? MlpGate::present : MlpGate::absent;
  Json const of_form = {{"feed_forward_proj", is_gated && function == "gelu" ? "gelu_new" : function}};
  bool const is_named = reader.has("dense_act_fn");
  auto const [activation, printed] =
      is_named ? reader.activation("dense_act_fn", function) : ConfigReader{of_form, reader.file}.activation("feed_forward_proj", "");
  config.activation = activation;
  config.printed.activation = printed;
}

}  // namespace internal

AXIFORM_INLINE T5Config T5Family::read_config(ConfigReader const& reader) {
  reader.check_weights();
  reader.only("is_decoder", false);
  auto const type = reader.text("model_type", "");
  bool const is_mt5 = type == "mt5", is_umt5 = type == "umt5";
  T5Config config;
  if (is_mt5 || is_umt5) {
    config.dimensions = {.hidden = 512, .heads = 6, .head_size = 64, .inner = 1024};
    config.sizes.layers = 8;
    config.sizes.vocabulary = 250112;
  }
  auto& d = config.dimensions;
  d.hidden = reader.size({"d_model", "hidden_size"}, d.hidden, largest_width);
  d.heads = reader.size({"num_heads", "num_attention_heads"}, d.heads, largest_width);
  d.head_size = reader.size({"d_kv", "head_dim"}, d.head_size, largest_width);
  d.inner = reader.size({"d_ff", "intermediate_size"}, d.inner, 4 * largest_width);
  config.sizes.vocabulary = reader.size({"vocab_size"}, config.sizes.vocabulary, largest_table);
  config.sizes.layers = reader.size({"num_layers", "num_hidden_layers"}, config.sizes.layers, largest_depth);
  config.decoder_layers = reader.size({"num_decoder_layers"}, config.sizes.layers, largest_depth);
  config.norm_epsilon = reader.epsilon("layer_norm_epsilon", config.norm_epsilon);
  internal::read_t5_feed_forward(reader, is_mt5 || is_umt5 ? "gated-gelu" : "relu", config);
  auto& position = config.position;
  position.buckets = reader.size({"relative_attention_num_buckets"}, 32, largest_width);
  if (is_umt5) position.bias_tables = BiasTables::by_layer;
  position.most_distance = reader.size({"relative_attention_max_distance"}, 128, largest_table);
  if (position.buckets < 4 || position.most_distance <= position.buckets / 2)
    throw FormatError(
        detail::message({reader.file, ": relative_attention_num_buckets: found ", position.buckets, " buckets for distances up to ",
                         position.most_distance, ", expected at least 4, and distances of more than half of them"}));
  // transformers 4 scaled the states where the head was the table, and mT5's are of its own; transformers 5 says so by a key.
  bool const is_tied = get_or<bool>(reader.config, "tie_word_embeddings", true, reader.file);
  if (!get_or<bool>(reader.config, "scale_decoder_outputs", is_tied, reader.file) || is_mt5) config.head_scale = HeadScale::none;
  config.printed.hidden_dropout = reader.dropout("dropout_rate", "0.1");
  return config;
}

AXIFORM_INLINE T5Config read_t5_config(Json const& config, std::string const& file) {
  return read_family_config<T5Encoder<>, T5Config>(config, file).config;
}

namespace internal {

AXIFORM_INLINE T5Plan T5Plan::of(ModelDirectory const& directory, Checkpoint const& checkpoint, T5Part part) {
  auto [config, names] = read_family_config<T5Encoder<>, T5Config>(directory);
  T5Plan plan{std::move(config), HeadWeights::own, names(HeadWeights::own), (directory / "config.json").string()};
  auto const find = [&](char const* name) { return find_parameter(checkpoint, plan.names, name); };

  std::vector<char const*> copies{"encoder.embed_tokens.weight"};
  if (part == T5Part::whole) copies.push_back("decoder.embed_tokens.weight");
  auto const table = find("tokens.weight");
  for (char const* const copy : copies)
    for (std::string const& prefix : plan.names.prefixes)
      if (auto const tensor = checkpoint.find(prefix + copy); tensor && table && !equal_tensors(*tensor, *table))
        throw CheckpointError(
            detail::message({checkpoint.weights().string(), ": ", prefix + copy,
                             ": found a token table of its own, which is not supported; expected a copy of shared.weight"}));

  if (directory.gguf() != nullptr) {  // Its keys do not say: what is there does.
    if (find("encoder.position.layers.1.weight")) plan.config.position.bias_tables = BiasTables::by_layer;
    if (find("encoder.layers.0.mlp.gate.weight")) {
      plan.config.gate = MlpGate::present;
      plan.config.activation = Activation::gelu_tanh;  // llama.cpp's
      plan.config.printed.activation = "NewGELUActivation()";
    }
  }
  if (part == T5Part::whole) {
    plan.head = head_weights(HeadWeights::tied, checkpoint, plan.names, "tokens.weight", "lm_head.weight");
  } else {
    std::erase_if(plan.names.body, [](std::string const& pattern) { return pattern.starts_with("dec"); });
  }
  return plan;
}

AXIFORM_INLINE float T5Plan::head_scale() const {
  return config.head_scale == HeadScale::none
             ? 1.0f
             : static_cast<float>(1 / std::sqrt(static_cast<double>(std::size_t{config.dimensions.hidden})));
}

}  // namespace internal

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
