/// @file
/// The families Llama (Touvron et al. 2023; SmolLM2 and Mistral are the same), Qwen2 and Qwen3: their configs, names and trees, and how they are
/// loaded.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
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
#include <axiform/models/llama_recipes.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/position.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What the config of a Llama or its kin says.
struct LlamaConfig {
  /// `hidden_size`, `num_attention_heads`, `head_dim` (hidden / heads unless the config says otherwise), `intermediate_size`, `num_key_value_heads`.
  DynamicGroupedDimensions dimensions = {.hidden = 4096, .heads = 32, .head_size = 128, .inner = 11008};
  /// `num_hidden_layers`, `vocab_size`, and `max_position_embeddings`, which bounds texts and sizes no table.
  ModelSizes sizes = {.layers = 32, .vocabulary = 32000, .positions = 2048, .token_types = 0};
  double norm_epsilon = 1e-6;                           ///< Added to the mean of squares: `rms_norm_eps`.
  Activation activation = Activation::silu;             ///< Of the gate: `hidden_act`.
  PositionSettings position = {};                       ///< `rope_theta`, `rope_scaling`, `partial_rotary_factor`.
  std::vector<std::size_t> windows = {};                ///< How far each layer sees, 0 for all; empty where all see all.
  HeadWeights head_weights = HeadWeights::own;          ///< `tie_word_embeddings`.
  PrintedSettings printed = {.class_prefix = "Llama"};  ///< What only a printed module tree shows.
};

}  // namespace axiform::inline AXIFORM_ARCH

namespace axiform {

/// LlamaForCausalLM, and what its kin adds: biases and norms of queries and keys. `family` is as messages say it.
NameTable llama_names(std::string family, HeadWeights weights);

/// The same in a GGUF file. @param query_and_key How the file keeps these two; `interleaved` rows need the heads, which the loader fills in.
NameTable llama_gguf_names(std::string family, HeadWeights weights, Arrangement query_and_key);

namespace detail {

// What the trees of all of them have.
inline constexpr std::string_view llama_words = R"(
@Model(
  (embed_tokens): Embedding({vocabulary}, {hidden}{padding})
  (layers): ModuleList(
    (*): @DecoderLayer(
      (self_attn): @Attention(
        <projections>
        (o_proj): Linear(in_features={width}, out_features={hidden}, bias=False)
        <head_norms> where layers.0.attention.query_norm.weight
      )
      (mlp): @MLP(
        (gate_proj): Linear(in_features={hidden}, out_features={inner}, bias=False)
        (up_proj): Linear(in_features={hidden}, out_features={inner}, bias=False)
        (down_proj): Linear(in_features={inner}, out_features={hidden}, bias=False)
        (act_fn): {activation}
      )
      (input_layernorm): @{norm}
      (post_attention_layernorm): @{norm}
    )
  )
  (norm): @{norm}
  (rotary_emb): @RotaryEmbedding()
))";
inline constexpr std::string_view llama_projection_words = R"(
(q_proj): Linear(in_features={hidden}, out_features={width}, bias=False)
(k_proj): Linear(in_features={hidden}, out_features={key_width}, bias=False)
(v_proj): Linear(in_features={hidden}, out_features={key_width}, bias=False)
)";
inline constexpr std::string_view llama_head_words = R"(
@ForCausalLM(
  (model): <Model>
  (lm_head): Linear(in_features={hidden}, out_features={vocabulary}, bias=False)
))";

/// What all of them can be.
inline constexpr FamilyHead llama_heads[] = {{ModelHead::none, "Model"}, {ModelHead::causal_lm, "ForCausalLM"}};

}  // namespace detail

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Llama, SmolLM2, Mistral.
struct LlamaFamily {
  using Config = LlamaConfig;  ///< What `read_config` gives.
  /// The model, with the language-model head or without.
  template <ModelHead, DimensionsLike D = DynamicGroupedDimensions>
  using Model = Llama<D, LlamaRecipe>;

  static constexpr FamilyClass classes[] = {{"llama", "Llama"}, {"mistral", "Mistral"}};  ///< Its model types.
  static constexpr auto& heads = detail::llama_heads;                                     ///< Its heads.
  static constexpr std::size_t end_of_text[] = {2};                                       ///< Where a config does not say.
  static constexpr Family family{
      .name = "Llama", .classes = classes, .heads = heads, .end_of_text = end_of_text};  ///< How configs name it.

  /// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
  ///         library does not have: biases, experts, other ways to stretch positions.
  static LlamaConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return llama_names("Llama", weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights weights) { return llama_gguf_names("Llama", weights, Arrangement::interleaved); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {
      {"Model", detail::llama_words}, {"projections", detail::llama_projection_words}, {"ForCausalLM", detail::llama_head_words}};
};

/// Qwen2 and Qwen2.5.
struct Qwen2Family {
  using Config = LlamaConfig;  ///< What `read_config` gives.
  /// The model, with the language-model head or without.
  template <ModelHead, DimensionsLike D = DynamicGroupedDimensions>
  using Model = Llama<D, Qwen2Recipe>;

  static constexpr FamilyClass classes[] = {{"qwen2", "Qwen2"}};                        ///< Its model type.
  static constexpr auto& heads = detail::llama_heads;                                   ///< Its heads.
  static constexpr Family family{.name = "Qwen2", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `LlamaFamily::read_config`.
  static LlamaConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return llama_names("Qwen2", weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights weights) { return llama_gguf_names("Qwen2", weights, Arrangement::as_is); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"Model", detail::llama_words},
                                          {"projections", R"(
(q_proj): Linear(in_features={hidden}, out_features={width}, bias=True)
(k_proj): Linear(in_features={hidden}, out_features={key_width}, bias=True)
(v_proj): Linear(in_features={hidden}, out_features={key_width}, bias=True)
)"},
                                          {"ForCausalLM", detail::llama_head_words}};
};

/// Qwen3.
struct Qwen3Family {
  using Config = LlamaConfig;  ///< What `read_config` gives.
  /// The model, with the language-model head or without.
  template <ModelHead, DimensionsLike D = DynamicGroupedDimensions>
  using Model = Llama<D, Qwen3Recipe>;

  static constexpr FamilyClass classes[] = {{"qwen3", "Qwen3"}};                        ///< Its model type.
  static constexpr auto& heads = detail::llama_heads;                                   ///< Its heads.
  static constexpr Family family{.name = "Qwen3", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `LlamaFamily::read_config`.
  static LlamaConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return llama_names("Qwen3", weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights weights) { return llama_gguf_names("Qwen3", weights, Arrangement::as_is); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"Model", detail::llama_words},
                                          {"projections", detail::llama_projection_words},
                                          {"head_norms", R"(
(q_norm): @RMSNorm(({head_size},), eps={epsilon})
(k_norm): @RMSNorm(({head_size},), eps={epsilon})
)"},
                                          {"ForCausalLM", detail::llama_head_words}};
};

/// Reads the config of a Llama, a Qwen2 or a Qwen3, by whichever family has the recipe. `file` says in messages where it comes from.
/// @throws As `LlamaFamily::read_config`; CheckpointError also for another model.
template <RecipeLike Recipe = LlamaRecipe>
LlamaConfig read_llama_config(Json const& config, std::string const& file) {
  return read_family_config<Llama<DynamicGroupedDimensions, Recipe>, LlamaConfig>(config, file).config;
}

namespace internal {

// What a GGUF file divides the frequencies of positions by, where it does (llama.cpp's form of Llama 3's scaling).
std::optional<std::vector<float>> read_rotary_divisors(Checkpoint const& checkpoint);

}  // namespace internal

/// Loads a Llama, with the language-model head.
template <DimensionsLike D, RecipeLike Recipe>
struct ModelLoader<Llama<D, Recipe>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Llama<D, Recipe>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    using Model = Llama<D, Recipe>;
    auto [config, names] = read_family_config<Llama<DynamicGroupedDimensions, Recipe>, LlamaConfig>(directory);
    auto const tied = internal::head_weights(config.head_weights, checkpoint, names(HeadWeights::own), "tokens.weight", "lm_head.weight");
    typename Model::Settings settings;
    settings.layers = {
        .activation = config.activation, .layer_norm_epsilon = static_cast<float>(config.norm_epsilon), .position = config.position};
    settings.windows = config.windows;
    settings.head_weights = tied;
    settings.printed = config.printed;
    Model model = Model::create(internal::dimensions_of<D>(config.dimensions, config.sizes, (directory / "config.json").string()),
                                config.sizes, settings);
    if (auto const divisors = internal::read_rotary_divisors(checkpoint)) model.decoder.position.divide_frequencies(*divisors);
    NameTable table = names(tied);
    for (NameRule& rule : table.rules)
      if (rule.arrangement == Arrangement::interleaved)
        rule.heads = rule.canonical.find("key") == rule.canonical.npos ? config.dimensions.heads : config.dimensions.key_heads;
    return {std::move(model), std::move(table)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable llama_names(std::string family, HeadWeights weights) {
  return {.family = std::move(family),
          .prefixes = {"model.", ""},
          .rules = {{.canonical = "tokens.weight",
                     .in_file = "embed_tokens.weight",
                     .otherwise = weights == HeadWeights::tied ? "lm_head.weight" : ""},
                    {"layers.*.attention_norm.*", "layers.*.input_layernorm.*"},
                    {"layers.*.attention.query.*", "layers.*.self_attn.q_proj.*"},
                    {"layers.*.attention.key.*", "layers.*.self_attn.k_proj.*"},
                    {"layers.*.attention.value.*", "layers.*.self_attn.v_proj.*"},
                    {"layers.*.attention.output.*", "layers.*.self_attn.o_proj.*"},
                    {"layers.*.attention.query_norm.*", "layers.*.self_attn.q_norm.*"},
                    {"layers.*.attention.key_norm.*", "layers.*.self_attn.k_norm.*"},
                    {"layers.*.mlp_norm.*", "layers.*.post_attention_layernorm.*"},
                    {"layers.*.mlp.*.*", "layers.*.mlp.*_proj.*"},
                    {"final_norm.*", "norm.*"}},
          .spellings = {},
          .body = {"embed_tokens.**", "layers.**", "norm.**"},
          .buffers = {"layers.*.self_attn.rotary_emb.inv_freq"}};
}

AXIFORM_INLINE NameTable llama_gguf_names(std::string family, HeadWeights weights, Arrangement query_and_key) {
  return {.family = std::move(family),
          .prefixes = {""},
          .rules = {{.canonical = "tokens.weight",
                     .in_file = "token_embd.weight",
                     .otherwise = weights == HeadWeights::tied ? "output.weight" : ""},
                    {"lm_head.weight", "output.weight"},
                    {"layers.*.attention_norm.*", "blk.*.attn_norm.*"},
                    {"layers.*.attention.query.*", "blk.*.attn_q.*", query_and_key},
                    {"layers.*.attention.key.*", "blk.*.attn_k.*", query_and_key},
                    {"layers.*.attention.value.*", "blk.*.attn_v.*"},
                    {"layers.*.attention.output.*", "blk.*.attn_output.*"},
                    {"layers.*.attention.query_norm.*", "blk.*.attn_q_norm.*"},
                    {"layers.*.attention.key_norm.*", "blk.*.attn_k_norm.*"},
                    {"layers.*.mlp_norm.*", "blk.*.ffn_norm.*"},
                    {"layers.*.mlp.*.*", "blk.*.ffn_*.*"},
                    {"final_norm.*", "output_norm.*"}},
          .spellings = {},
          .body = {"token_embd.**", "blk.**", "output_norm.**"},
          .buffers = {"rope_freqs.weight", "blk.*.attn_rot_embd", "blk.*.rope_freqs.weight"}};
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// What all of them have; windows come later.
inline LlamaConfig read_llama_settings(ConfigReader const& reader) {
  reader.check_common();
  reader.only("attention_bias", false);
  reader.only("mlp_bias", false);
  if (auto const experts = reader.optional_size({"num_local_experts", "num_experts"}, largest_width))
    reader.refuse("num_local_experts", std::to_string(*experts), "none");
  LlamaConfig config;
  auto& d = config.dimensions;
  auto& sizes = config.sizes;
  sizes.vocabulary = reader.size({"vocab_size"}, sizes.vocabulary, largest_table);
  sizes.layers = reader.size({"num_hidden_layers"}, sizes.layers, largest_depth);
  sizes.positions = reader.size({"max_position_embeddings"}, sizes.positions, largest_table);
  d.hidden = reader.size({"hidden_size"}, d.hidden, largest_width);
  d.heads = reader.size({"num_attention_heads"}, d.heads, largest_width);
  d.key_heads = reader.size({"num_key_value_heads"}, d.heads, largest_width);
  if (d.heads % d.key_heads != 0)
    throw FormatError(detail::message({reader.file, ": found ", std::size_t{d.heads}, " heads and ", std::size_t{d.key_heads},
                                       " heads of keys, expected a multiple of these"}));
  auto const head_size = reader.optional_size({"head_dim"}, largest_width);
  d.head_size = head_size ? *head_size : reader.head_size(d.hidden, d.heads);
  d.inner = reader.size({"intermediate_size"}, d.inner, 4 * largest_width);
  config.norm_epsilon = reader.epsilon("rms_norm_eps", config.norm_epsilon);
  auto const [activation, printed] = reader.activation("hidden_act", "silu");
  config.activation = activation;
  config.position = read_rotary_settings(reader, d.head_size);
  if (reader.has("tie_word_embeddings")) config.head_weights = reader.head_weights();
  config.printed.activation = printed;
  config.printed.padding_id = reader.padding_id();
  return config;
}

// Qwen's windows begin behind the first `max_window_layers` layers, where they are switched on.
inline LlamaConfig read_qwen_settings(ConfigReader const& reader) {
  LlamaConfig config = read_llama_settings(reader);
  auto const window = reader.optional_size({"sliding_window"}, largest_table);
  bool const slides = get_or<bool>(reader.config, "use_sliding_window", false, reader.file);
  auto const first = get_or<std::size_t>(reader.config, "max_window_layers", 28, reader.file);
  config.windows = read_windows(reader, config.sizes.layers, slides ? window : std::nullopt, first);
  return config;
}

}  // namespace internal

AXIFORM_INLINE LlamaConfig LlamaFamily::read_config(ConfigReader const& reader) {
  LlamaConfig config = internal::read_llama_settings(reader);
  bool const is_mistral = reader.text("model_type", "") == "mistral";
  auto window = reader.optional_size({"sliding_window"}, largest_table);
  if (is_mistral && !reader.has("sliding_window")) window = 4096;  // MistralConfig's default; null is none
  config.windows = internal::read_windows(reader, config.sizes.layers, window, 0);
  return config;
}
AXIFORM_INLINE LlamaConfig Qwen2Family::read_config(ConfigReader const& reader) { return internal::read_qwen_settings(reader); }
AXIFORM_INLINE LlamaConfig Qwen3Family::read_config(ConfigReader const& reader) { return internal::read_qwen_settings(reader); }

namespace internal {

AXIFORM_INLINE std::optional<std::vector<float>> read_rotary_divisors(Checkpoint const& checkpoint) {
  auto const tensor = checkpoint.find("rope_freqs.weight");
  if (!tensor) return std::nullopt;
  std::vector<float> divisors(tensor->info->element_count());
  checkpoint.read_floats(*tensor, 0, divisors);
  for (float const divisor : divisors)
    if (!(divisor > 0))
      throw FormatError(detail::message(
          {checkpoint.weights().string(), ": rope_freqs.weight: found ", std::to_string(divisor), ", expected numbers above 0"}));
  return divisors;
}

}  // namespace internal

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
