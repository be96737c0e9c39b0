/// @file
/// The family GPT-2 (Radford et al. 2019): its config, its names, its heads and its trees, and how it is loaded.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>

namespace axiform {

/// What a GPT-2's `config.json` says.
struct Gpt2Config {
  std::vector<std::string> architectures = {};  ///< The classes that the checkpoint was saved from.
  /// `n_embd`, `n_head` and `n_inner`, which is 4 * n_embd unless the config says otherwise.
  DynamicDimensions dimensions = {.hidden = 768, .heads = 12, .head_size = 64, .inner = 3072};
  ModelSizes sizes = {.layers = 12, .vocabulary = 50257, .positions = 1024, .token_types = 0};  ///< `n_layer`, `vocab_size`, `n_positions`.
  double layer_norm_epsilon = 1e-5;                    ///< Added to the variance: `layer_norm_epsilon`.
  Activation activation = Activation::gelu_tanh;       ///< Of the feed-forward block: `activation_function`.
  std::vector<std::size_t> end_of_text_ids = {50256};  ///< A config may name several, or none.
  std::optional<std::size_t> padding_id = {};          ///< `pad_token_id`.
  HeadWeights head_weights = HeadWeights::tied;        ///< `tie_word_embeddings`.
  PrintedSettings printed = {.class_prefix = "GPT2"};  ///< What only a printed module tree shows.
};

/// GPT2Model and what is built on it; the `lm_head.weight` of GPT2LMHeadModel is the token table again, or the head's own. Matrices are
/// [in, out] (Conv1D), and query, key and value are one.
NameTable gpt2_names(HeadWeights weights = HeadWeights::tied);
/// The same in a GGUF file, whose matrices are [out, in].
NameTable gpt2_gguf_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <ModelHead head, DimensionsLike D>
struct Gpt2ModelOf {
  using Type = Gpt2<D>;  // with the language-model head or without, for that is the token table
};
template <DimensionsLike D>
struct Gpt2ModelOf<ModelHead::sequence_classification, D> {
  using Type = Gpt2ForSequenceClassification<D>;
};

}  // namespace internal

/// GPT-2.
struct Gpt2Family {
  using Config = Gpt2Config;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = typename internal::Gpt2ModelOf<head, D>::Type;

  static constexpr FamilyClass classes[] = {{"gpt2", "GPT2"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {
      {ModelHead::none, "Model"}, {ModelHead::sequence_classification, "ForSequenceClassification"}, {ModelHead::causal_lm, "LMHeadModel"}};
  static constexpr std::size_t end_of_text[] = {50256};  ///< What ends a text where a config does not say.
  /// How configs name it.
  static constexpr Family family{.name = "GPT-2", .classes = classes, .heads = heads, .end_of_text = end_of_text};

  /// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
  ///         library does not have.
  static Gpt2Config read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return gpt2_names(weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights weights) { return gpt2_gguf_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"Model", R"(
@Model(
  (wte): Embedding({vocabulary}, {hidden})
  (wpe): Embedding({positions}, {hidden})
  (drop): Dropout(p={embedding_dropout}, inplace=False)
  (h): ModuleList(
    (*): @Block(
      (ln_1): {norm}
      (attn): @Attention(
        (c_attn): Conv1D()
        (c_proj): Conv1D()
        (attn_dropout): Dropout(p={attention_dropout}, inplace=False)
        (resid_dropout): Dropout(p={hidden_dropout}, inplace=False)
      )
      (ln_2): {norm}
      (mlp): @MLP(
        (c_fc): Conv1D()
        (c_proj): Conv1D()
        (act): {activation}
        (dropout): Dropout(p={hidden_dropout}, inplace=False)
      )
    )
  )
  (ln_f): {norm}
))"},
                                          {"LMHeadModel", R"(
@LMHeadModel(
  (transformer): <Model>
  (lm_head): Linear(in_features={hidden}, out_features={vocabulary}, bias=False)
))"},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (transformer): <Model>
  (score): Linear(in_features={hidden}, out_features={score.weight}, bias=False)
))"}};
};

/// Reads a GPT-2's config. `file` says in messages where it comes from.
/// @throws As `Gpt2Family::read_config`; CheckpointError also for another model.
Gpt2Config read_gpt2_config(Json const& config, std::string const& file);
/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as above.
Gpt2Config read_gpt2_config(ModelDirectory const& directory);

namespace internal {

/// A config, and the model that it describes, with zero weights.
template <DimensionsLike D>
struct Gpt2Body {
  Gpt2Config config;
  Gpt2<D> gpt2;
  NameTable names;  // What the checkpoint calls the parameters.

  /// The number of a classifier's labels.
  static std::size_t labels(ModelDirectory const& directory) { return read_label_config(directory).labels.size(); }

  static Gpt2Body create(ModelDirectory const& directory, Gpt2Config const& config, NameTable names) {
    typename Gpt2<D>::Settings settings;
    settings.layers.activation = config.activation;
    settings.layers.layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon);
    settings.head_weights = config.head_weights;
    settings.printed = config.printed;
    D const d = dimensions_of<D>(config.dimensions, config.sizes, (directory / "config.json").string());
    return {config, Gpt2<D>::create(d, config.sizes, settings), std::move(names)};
  }
  /// For a head in the place of the language model's, which is not in the file, and is not used.
  static Gpt2Body create_without_lm_head(ModelDirectory const& directory) {
    auto [config, names] = read_family_config<Gpt2<>, Gpt2Config>(directory);
    config.head_weights = HeadWeights::tied;
    return create(directory, config, names(config.head_weights));
  }
};

}  // namespace internal

/// Loads GPT2LMHeadModel, and the model alone.
template <DimensionsLike D>
struct ModelLoader<Gpt2<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Gpt2<D>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto [config, names] = read_family_config<Gpt2<>, Gpt2Config>(directory);
    NameTable const own = names(HeadWeights::own);
    config.head_weights = internal::head_weights(config.head_weights, checkpoint, own, "tokens.weight", "lm_head.weight");
    // A model that was saved without a language-model head has nothing to tie or not to tie.
    bool const was_saved_with_head = config.architectures.empty() || config.architectures.front() == "GPT2LMHeadModel";
    if (!was_saved_with_head && !internal::find_parameter(checkpoint, own, "lm_head.weight")) config.head_weights = HeadWeights::tied;
    auto body = internal::Gpt2Body<D>::create(directory, config, names(config.head_weights));
    return {std::move(body.gpt2), std::move(body.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable gpt2_names(HeadWeights weights) {
  constexpr auto transposed = Arrangement::transposed;
  return {
      .family = "GPT-2",
      .prefixes = {"", "transformer."},
      .rules =
          {
              {.canonical = "tokens.weight", .in_file = "wte.weight", .otherwise = weights == HeadWeights::tied ? "lm_head.weight" : ""},
              {"positions.weight", "wpe.weight"},
              {"layers.*.attention_norm.*", "h.*.ln_1.*"},
              {"layers.*.attention.query.*", "h.*.attn.c_attn.*", transposed, 0, 3},
              {"layers.*.attention.key.*", "h.*.attn.c_attn.*", transposed, 1, 3},
              {"layers.*.attention.value.*", "h.*.attn.c_attn.*", transposed, 2, 3},
              {"layers.*.attention.output.*", "h.*.attn.c_proj.*", transposed},
              {"layers.*.mlp_norm.*", "h.*.ln_2.*"},
              {"layers.*.mlp.up.*", "h.*.mlp.c_fc.*", transposed},
              {"layers.*.mlp.down.*", "h.*.mlp.c_proj.*", transposed},
              {"final_norm.*", "ln_f.*"},
          },
      .spellings = {},
      .body = {"wte.**", "wpe.**", "h.**", "ln_f.**"},
      .buffers = {"h.*.attn.bias", "h.*.attn.masked_bias"},
  };
}

AXIFORM_INLINE NameTable gpt2_gguf_names(HeadWeights weights) {
  return {
      .family = "GPT-2",
      .prefixes = {""},
      .rules =
          {
              {.canonical = "tokens.weight",
               .in_file = "token_embd.weight",
               .otherwise = weights == HeadWeights::tied ? "output.weight" : ""},
              {"lm_head.weight", "output.weight"},
              {"positions.weight", "position_embd.weight"},
              {"layers.*.attention_norm.*", "blk.*.attn_norm.*"},
              {.canonical = "layers.*.attention.query.*", .in_file = "blk.*.attn_qkv.*", .part = 0, .parts = 3},
              {.canonical = "layers.*.attention.key.*", .in_file = "blk.*.attn_qkv.*", .part = 1, .parts = 3},
              {.canonical = "layers.*.attention.value.*", .in_file = "blk.*.attn_qkv.*", .part = 2, .parts = 3},
              {"layers.*.attention.output.*", "blk.*.attn_output.*"},
              {"layers.*.mlp_norm.*", "blk.*.ffn_norm.*"},
              {"layers.*.mlp.*.*", "blk.*.ffn_*.*"},
              {"final_norm.*", "output_norm.*"},
          },
      .spellings = {},
      .body = {"token_embd.**", "position_embd.**", "blk.**", "output_norm.**"},
      .buffers = {},
  };
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE Gpt2Config Gpt2Family::read_config(ConfigReader const& reader) {
  reader.check_common();
  reader.only("scale_attn_weights", true);
  reader.only("scale_attn_by_inverse_layer_idx", false);
  // reorder_and_upcast_attn asks for what is done anyway: products and softmax in fp32.
  get_or<bool>(reader.config, "reorder_and_upcast_attn", false, reader.file);
  Gpt2Config config;
  DynamicDimensions& d = config.dimensions;
  ModelSizes& sizes = config.sizes;
  config.architectures = reader.architectures();
  sizes.vocabulary = reader.size({"vocab_size"}, sizes.vocabulary, largest_table);
  d.hidden = reader.size({"n_embd", "hidden_size"}, d.hidden, largest_width);
  sizes.layers = reader.size({"n_layer", "num_hidden_layers"}, sizes.layers, largest_depth);
  d.heads = reader.size({"n_head", "num_attention_heads"}, d.heads, largest_width);
  d.head_size = reader.head_size(d.hidden, d.heads);
  d.inner = reader.size({"n_inner"}, 4 * d.hidden, 4 * largest_width);
  sizes.positions = reader.size({"n_positions", "max_position_embeddings", "n_ctx"}, sizes.positions, largest_table);
  config.layer_norm_epsilon = reader.epsilon("layer_norm_epsilon", config.layer_norm_epsilon);
  auto const [activation, printed] = reader.activation("activation_function", "gelu_new");
  config.activation = activation;
  config.end_of_text_ids = reader.token_ids("eos_token_id", config.end_of_text_ids);
  config.padding_id = reader.padding_id();
  config.head_weights = reader.head_weights();
  config.printed.activation = printed;
  config.printed.embedding_dropout = reader.dropout("embd_pdrop", "0.1");
  config.printed.hidden_dropout = reader.dropout("resid_pdrop", "0.1");
  config.printed.attention_dropout = reader.dropout("attn_pdrop", "0.1");
  return config;
}

AXIFORM_INLINE Gpt2Config read_gpt2_config(Json const& config, std::string const& file) {
  return read_family_config<Gpt2<>, Gpt2Config>(config, file).config;
}
AXIFORM_INLINE Gpt2Config read_gpt2_config(ModelDirectory const& directory) {
  return read_family_config<Gpt2<>, Gpt2Config>(directory).config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
