/// @file
/// The families BART (Lewis et al. 2020) and mBART (Liu et al. 2020), and what Marian has like them: configs, names, heads, trees, and how they are
/// loaded.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/sequence_embedding.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What the config of a BART, an mBART or a Marian says.
struct BartConfig {
  std::vector<std::string> architectures = {};  ///< The classes that the checkpoint was saved from.
  /// `d_model`, `encoder_attention_heads`, `encoder_ffn_dim`.
  DynamicDimensions encoder = {.hidden = 1024, .heads = 16, .head_size = 64, .inner = 4096};
  /// `d_model`, `decoder_attention_heads`, `decoder_ffn_dim`.
  DynamicDimensions decoder = {.hidden = 1024, .heads = 16, .head_size = 64, .inner = 4096};
  /// `encoder_layers`, `vocab_size`, `max_position_embeddings`.
  ModelSizes encoder_sizes = {.layers = 12, .vocabulary = 50265, .positions = 1024, .token_types = 0};
  /// `decoder_layers`; the vocabulary is the encoder's, or Marian's `decoder_vocab_size`.
  ModelSizes decoder_sizes = {.layers = 12, .vocabulary = 50265, .positions = 1024, .token_types = 0};
  /// Whether encoder and decoder have a table of tokens each: Marian's `share_encoder_decoder_embeddings` is false.
  bool has_separate_tables = false;
  SequenceEmbeddingSettings embedding = {};                             ///< Of both sides: `scale_embedding`, and what the family has.
  Activation activation = Activation::gelu;                             ///< Of the feed-forward blocks: `activation_function`.
  std::vector<std::size_t> end_of_text_ids = {2};                       ///< `eos_token_id`.
  std::optional<std::size_t> decoder_start = {};                        ///< The decoder's first token: `decoder_start_token_id`.
  HeadWeights head_weights = HeadWeights::tied;                         ///< `tie_word_embeddings`.
  PrintedSettings printed = {.class_prefix = "Bart", .padding_id = 1};  ///< What only a printed module tree shows.
};

}  // namespace axiform::inline AXIFORM_ARCH

namespace axiform {

/// BartModel, and what is built on it, and those of mBART and Marian. The token table is `shared.weight`; loading looks which other names a file has for
/// it, and whether they are tables of their own. `family` is as messages say it.
NameTable bart_names(std::string family);

namespace detail {

// PyTorch's words for BART and its kin.
inline constexpr std::string_view bart_attention_words = R"(
(k_proj): Linear(in_features={hidden}, out_features={hidden}, bias=True)
(v_proj): Linear(in_features={hidden}, out_features={hidden}, bias=True)
(q_proj): Linear(in_features={hidden}, out_features={hidden}, bias=True)
(out_proj): Linear(in_features={hidden}, out_features={hidden}, bias=True)
)";
inline constexpr std::string_view bart_encoder_layers_words = R"(
(layers): ModuleList(
  (*encoder_layers): @EncoderLayer(
    (self_attn): @Attention(
      <attention>
    )
    (self_attn_layer_norm): {norm}
    (activation_fn): {activation}
    (fc1): Linear(in_features={hidden}, out_features={encoder.layers.0.mlp.up.weight}, bias=True)
    (fc2): Linear(in_features={encoder.layers.0.mlp.up.weight}, out_features={hidden}, bias=True)
    (final_layer_norm): {norm}
  )
))";
inline constexpr std::string_view bart_decoder_layers_words = R"(
(layers): ModuleList(
  (*decoder_layers): @DecoderLayer(
    (self_attn): @Attention(
      <attention>
    )
    (activation_fn): {activation}
    (self_attn_layer_norm): {norm}
    (encoder_attn): @Attention(
      <attention>
    )
    (encoder_attn_layer_norm): {norm}
    (fc1): Linear(in_features={hidden}, out_features={decoder.layers.0.mlp.up.weight}, bias=True)
    (fc2): Linear(in_features={decoder.layers.0.mlp.up.weight}, out_features={hidden}, bias=True)
    (final_layer_norm): {norm}
  )
))";
inline constexpr std::string_view bart_final_norm_words = "(layer_norm): {norm}";  // of mBART
inline constexpr std::string_view bart_words = R"(
@Model(
  (shared): @ScaledWordEmbedding({tokens.weight}, {hidden}{padding})
  (encoder): @Encoder(
    (embed_tokens): @ScaledWordEmbedding({tokens.weight}, {hidden}{padding})
    (embed_positions): @LearnedPositionalEmbedding({encoder.positions.weight}, {hidden})
    <encoder_layers>
    (layernorm_embedding): {norm}
    <final_norm> where encoder.final_norm.weight
  )
  (decoder): @Decoder(
    (embed_tokens): @ScaledWordEmbedding({tokens.weight}, {hidden}{padding})
    (embed_positions): @LearnedPositionalEmbedding({decoder.positions.weight}, {hidden})
    <decoder_layers>
    (layernorm_embedding): {norm}
    <final_norm> where decoder.final_norm.weight
  )
))";
inline constexpr std::string_view bart_head_words = R"(
@ForConditionalGeneration(
  (model): <Model>
  (lm_head): Linear(in_features={hidden}, out_features={tokens.weight}, bias=False)
))";

}  // namespace detail

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <ModelHead head, DimensionsLike D>
struct BartModelOf {
  using Type = EncoderDecoder<D, PostNormRecipe>;  // with the language-model head or without
};
template <DimensionsLike D>
struct BartModelOf<ModelHead::sequence_classification, D> {
  using Type = BartForSequenceClassification<D>;
};

}  // namespace internal

/// BART.
struct BartFamily {
  using Config = BartConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = typename internal::BartModelOf<head, D>::Type;

  static constexpr FamilyClass classes[] = {{"bart", "Bart"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::encoder_and_decoder, "Model"},
                                         {ModelHead::conditional_generation, "ForConditionalGeneration"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"}};
  static constexpr std::size_t end_of_text[] = {2};  ///< What ends a text where a config does not say.
  /// How configs name it.
  static constexpr Family family{.name = "BART", .classes = classes, .heads = heads, .end_of_text = end_of_text};

  /// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the library does
  ///         not have: norms in other places, positions that are not learned.
  static BartConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights) { return bart_names("BART"); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"attention", detail::bart_attention_words},
                                          {"encoder_layers", detail::bart_encoder_layers_words},
                                          {"decoder_layers", detail::bart_decoder_layers_words},
                                          {"final_norm", detail::bart_final_norm_words},
                                          {"Model", detail::bart_words},
                                          {"ForConditionalGeneration", detail::bart_head_words},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (model): <Model>
  (classification_head): @ClassificationHead(
    (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
    (dropout): Dropout(p={classifier_dropout}, inplace=False)
    (out_proj): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
  )
))"}};
};

/// mBART, and so mBART-50.
struct MBartFamily {
  using Config = BartConfig;  ///< What `read_config` gives.
  /// The model, with the language-model head or without.
  template <ModelHead, DimensionsLike D = DynamicDimensions>
  using Model = EncoderDecoder<D, PreNormRecipe>;

  static constexpr FamilyClass classes[] = {{"mbart", "MBart"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::encoder_and_decoder, "Model"},
                                         {ModelHead::conditional_generation, "ForConditionalGeneration"}};
  static constexpr std::size_t end_of_text[] = {2};  ///< What ends a text where a config does not say.
  /// How configs name it.
  static constexpr Family family{.name = "mBART", .article = "an", .classes = classes, .heads = heads, .end_of_text = end_of_text};

  /// @throws As `BartFamily::read_config`.
  static BartConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights) { return bart_names("mBART"); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"attention", detail::bart_attention_words},
                                          {"encoder_layers", detail::bart_encoder_layers_words},
                                          {"decoder_layers", detail::bart_decoder_layers_words},
                                          {"final_norm", detail::bart_final_norm_words},
                                          {"Model", detail::bart_words},
                                          {"ForConditionalGeneration", detail::bart_head_words}};
};

/// Reads the config of a BART or a Marian. `file` says in messages where it comes from.
/// @throws As `BartFamily::read_config`; CheckpointError also for another model.
BartConfig read_bart_config(Json const& config, std::string const& file);
/// Reads the config of an mBART. @throws As `read_bart_config`.
BartConfig read_mbart_config(Json const& config, std::string const& file);

namespace internal {

/// What BART, mBART and Marian say alike. `defaults` has what the config leaves out.
BartConfig read_bart_settings(ConfigReader const& reader, BartConfig defaults);

/// Names of tables of tokens in a checkpoint, without prefix.
struct BartTables {
  std::string decoder;                      // The decoder's, or the one that it shares with the encoder.
  std::optional<std::string> encoder = {};  // The encoder's, where it has its own.
  std::optional<std::string> head = {};     // The head's, where it is not the decoder's.
  bool has_logits_bias = false;             // Whether there is a bias of the head.
};

/// What a file has under the four names of a table that may be shared: a copy of another is that other, as long as their values are equal (as
/// transformers 5 has it).
BartTables find_bart_tables(Checkpoint const& checkpoint, NameTable const& names, BartConfig const& config);
/// The names of a checkpoint that has these tables.
NameTable with_tables(NameTable names, BartTables const& tables);

/// What a directory makes of an encoder-decoder with any head: its dimensions and settings, and what the checkpoint calls its parameters.
template <DimensionsLike D, class Recipe>
struct BartPlan {
  using Model = EncoderDecoder<D, Recipe>;

  BartConfig config;
  D encoder;
  D decoder;
  typename Model::Settings settings;
  NameTable names;

  Model create() const { return Model::create(encoder, decoder, settings); }

  /// For a model with that head. Where it is not the language model's, that one is tied, and is not used.
  static BartPlan of(ModelDirectory const& directory, Checkpoint const& checkpoint, ModelHead head) {
    auto [config, names] = read_family_config<EncoderDecoder<DynamicDimensions, Recipe>, BartConfig>(directory);
    NameTable const table = names(config.head_weights);
    BartTables tables = find_bart_tables(checkpoint, table, config);
    if (head != ModelHead::conditional_generation) {
      tables.head.reset();
      tables.has_logits_bias = false;
    }
    return {directory, std::move(config), tables, with_tables(table, tables)};
  }

 private:
  BartPlan(ModelDirectory const& directory, BartConfig read, BartTables const& tables, NameTable table)
      : config(std::move(read)),
        encoder(dimensions_of<D>(config.encoder, config.encoder_sizes, (directory / "config.json").string())),
        decoder(dimensions_of<D>(config.decoder, config.decoder_sizes, (directory / "config.json").string())),
        names(std::move(table)) {
    auto const set = [&](auto& side, ModelSizes const& sizes) {
      side.layers = sizes.layers;
      side.layer.activation = config.activation;
      side.embedding = config.embedding;
    };
    set(settings.encoder, config.encoder_sizes);
    set(settings.decoder, config.decoder_sizes);
    settings.vocabulary = config.decoder_sizes.vocabulary;
    if (tables.encoder) {
      settings.tables = decltype(settings.tables)::separate;
      settings.source_vocabulary = config.encoder_sizes.vocabulary;
    }
    settings.head_weights = tables.head ? HeadWeights::own : HeadWeights::tied;
    settings.head_bias = tables.has_logits_bias ? Bias::present : Bias::absent;
    settings.printed = config.printed;
  }
};

}  // namespace internal

/// Loads BART, mBART and Marian, with the language-model head or without.
template <DimensionsLike D, class Recipe>
  requires(std::same_as<Recipe, PostNormRecipe> || std::same_as<Recipe, PreNormRecipe>)
struct ModelLoader<EncoderDecoder<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<EncoderDecoder<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::BartPlan<D, Recipe>::of(directory, checkpoint, ModelHead::conditional_generation);
    return {plan.create(), std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable bart_names(std::string family) {
  NameTable table{.family = std::move(family),
                  .prefixes = {"", "model."},
                  .rules = {{"*.positions.weight", "*.embed_positions.weight"},
                            {"*.embedding_norm.*", "*.layernorm_embedding.*"},
                            {"*.final_norm.*", "*.layer_norm.*"},
                            {.canonical = "lm_head.bias", .in_file = "final_logits_bias", .arrangement = Arrangement::reshaped},
                            {"head.dense.*", "classification_head.dense.*"},
                            {"head.output.*", "classification_head.out_proj.*"},
                            {"*.layers.*.mlp.up.*", "*.layers.*.fc1.*"},
                            {"*.layers.*.mlp.down.*", "*.layers.*.fc2.*"},
                            {"*.layers.*.attention_norm.*", "*.layers.*.self_attn_layer_norm.*"},
                            {"*.layers.*.cross_attention_norm.*", "*.layers.*.encoder_attn_layer_norm.*"},
                            {"*.layers.*.mlp_norm.*", "*.layers.*.final_layer_norm.*"}},
                  .spellings = {},
                  .body = {"*.embed_positions.**", "*.layernorm_embedding.**", "*.layer_norm.**", "*.layers.**"},
                  .buffers = {"encoder.version", "decoder.version"}};
  for (auto const& [ours, theirs] : {std::pair{"attention", "self_attn"}, std::pair{"cross_attention", "encoder_attn"}})
    for (auto const& [part, in_file] :
         {std::pair{"query", "q_proj"}, std::pair{"key", "k_proj"}, std::pair{"value", "v_proj"}, std::pair{"output", "out_proj"}})
      table.rules.push_back(
          {detail::message({"*.layers.*.", ours, ".", part, ".*"}), detail::message({"*.layers.*.", theirs, ".", in_file, ".*"})});
  table.rules.push_back({"tokens.weight", "shared.weight"});
  return table;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

AXIFORM_INLINE BartTables find_bart_tables(Checkpoint const& checkpoint, NameTable const& names, BartConfig const& config) {
  auto const find = [&](std::string_view name) -> std::optional<TensorRef> {
    for (std::string const& prefix : names.prefixes)
      if (auto const tensor = checkpoint.find(detail::message({prefix, name}))) return tensor;
    return std::nullopt;
  };
  // The first of these names that the file has; the first of all where it has none, which loading then says.
  auto const first_of = [&](std::initializer_list<char const*> candidates) {
    for (char const* const name : candidates)
      if (find(name)) return std::string(name);
    return std::string(*candidates.begin());
  };
  constexpr char const *shared = "shared.weight", *encoder = "encoder.embed_tokens.weight", *decoder = "decoder.embed_tokens.weight",
                       *head = "lm_head.weight";
  bool const is_tied = config.head_weights == HeadWeights::tied;
  auto const equal = [&](std::string_view a, std::string_view b) {
    auto const x = find(a), y = find(b);
    return a == b || (x && y && equal_tensors(*x, *y));
  };

  BartTables tables;
  if (config.has_separate_tables) {
    tables.decoder = is_tied ? first_of({decoder, head}) : decoder;
    tables.encoder = encoder;
  } else {
    tables.decoder = first_of({decoder, shared, encoder, head});
    std::string const of_encoder = first_of({encoder, shared, decoder, head});
    if (!equal(of_encoder, tables.decoder)) tables.encoder = of_encoder;
    // All of them are one: it is read under the name that files of today have.
    if (!tables.encoder && (equal(shared, tables.decoder) || !find(tables.decoder))) tables.decoder = shared;
  }
  // A model that was saved without a language-model head has nothing to tie or not to tie.
  bool const was_saved_with_head =
      config.architectures.empty() || !config.architectures.front().ends_with("Model") || config.architectures.front().ends_with("MTModel");
  std::string const of_head = is_tied && !config.has_separate_tables ? first_of({head, shared, decoder}) : head;
  if (find(of_head) ? !equal(of_head, tables.decoder) : !is_tied && was_saved_with_head) tables.head = of_head;
  tables.has_logits_bias = find("final_logits_bias").has_value();
  return tables;
}

AXIFORM_INLINE NameTable with_tables(NameTable names, BartTables const& tables) {
  std::erase_if(names.rules, [](NameRule const& rule) { return rule.canonical == "tokens.weight"; });
  names.rules.push_back({"tokens.weight", tables.decoder});
  if (tables.encoder) names.rules.push_back({"source_tokens.weight", *tables.encoder});
  if (tables.head) names.rules.push_back({"lm_head.weight", *tables.head});
  // Copies that are not read: the first rule of a parameter is the one that counts, the others say what a name stands for.
  for (char const* const copy : {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"})
    names.rules.push_back({"tokens.weight", copy});
  return names;
}

AXIFORM_INLINE BartConfig read_bart_settings(ConfigReader const& reader, BartConfig config) {
  reader.check_weights();
  reader.only("is_encoder_decoder", true);
  reader.only("is_decoder", false);
  config.architectures = reader.architectures();
  std::size_t const hidden = reader.size({"d_model", "hidden_size"}, config.encoder.hidden, largest_width);
  auto const read_side = [&](DynamicDimensions& d, ModelSizes& sizes, std::string const& side) {
    d.hidden = hidden;
    d.heads = reader.size({side + "_attention_heads"}, d.heads, largest_width);
    d.head_size = reader.head_size(d.hidden, d.heads);
    d.inner = reader.size({side + "_ffn_dim"}, d.inner, 4 * largest_width);
    sizes.layers = reader.size({side + "_layers"}, sizes.layers, largest_depth);
    sizes.vocabulary = reader.size({"vocab_size"}, sizes.vocabulary, largest_table);
    bool const is_learned = config.embedding.rows == PositionRows::learned;
    sizes.positions = reader.size({"max_position_embeddings"}, sizes.positions, is_learned ? largest_table : largest_sinusoids);
  };
  read_side(config.encoder, config.encoder_sizes, "encoder");
  read_side(config.decoder, config.decoder_sizes, "decoder");
  config.embedding.positions = config.encoder_sizes.positions;
  if (get_or<bool>(reader.config, "scale_embedding", false, reader.file))
    config.embedding.scale = static_cast<float>(std::sqrt(static_cast<double>(hidden)));
  auto const [activation, printed] = reader.activation("activation_function", "gelu");
  config.activation = activation;
  config.end_of_text_ids = reader.token_ids("eos_token_id", config.end_of_text_ids);
  if (reader.has("decoder_start_token_id")) {
    auto const start = reader.token_ids("decoder_start_token_id", {});
    config.decoder_start = start.empty() ? std::nullopt : std::optional(start.front());
  }
  config.head_weights = reader.head_weights();
  config.printed.activation = printed;
  if (reader.has("pad_token_id")) config.printed.padding_id = reader.padding_id();
  config.printed.classifier_dropout = reader.dropout("classifier_dropout", "0.0");
  return config;
}

}  // namespace internal

AXIFORM_INLINE BartConfig BartFamily::read_config(ConfigReader const& reader) {
  for (char const* const key : {"normalize_before", "add_final_layer_norm", "static_position_embeddings"}) reader.only(key, false);
  reader.only("normalize_embedding", true);
  BartConfig defaults;
  defaults.embedding.first_row = 2;
  defaults.embedding.norm = EmbeddingNorm::present;
  defaults.decoder_start = 2;
  return internal::read_bart_settings(reader, std::move(defaults));
}

AXIFORM_INLINE BartConfig MBartFamily::read_config(ConfigReader const& reader) {
  for (char const* const key : {"normalize_before", "add_final_layer_norm", "normalize_embedding"}) reader.only(key, true);
  reader.only("static_position_embeddings", false);
  BartConfig defaults;
  defaults.embedding.first_row = 2;
  defaults.embedding.norm = EmbeddingNorm::present;
  return internal::read_bart_settings(reader, std::move(defaults));
}

AXIFORM_INLINE BartConfig read_bart_config(Json const& config, std::string const& file) {
  return read_family_config<EncoderDecoder<DynamicDimensions, PostNormRecipe>, BartConfig>(config, file).config;
}

AXIFORM_INLINE BartConfig read_mbart_config(Json const& config, std::string const& file) {
  return read_family_config<EncoderDecoder<DynamicDimensions, PreNormRecipe>, BartConfig>(config, file).config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
