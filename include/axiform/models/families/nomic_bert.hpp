/// @file
/// The family nomic-bert (Nussbaum et al. 2024: nomic-embed-text): BERT with rotary positions, gated feed-forward blocks and no biases in its blocks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/families/rotary_settings.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/recipe.hpp>

namespace axiform {

/// NomicBertModel and what is built on it, as nomic's own code saved them and transformers 5 saves them, and as transformers names them in memory.
NameTable nomic_bert_names(HeadWeights weights = HeadWeights::tied);
/// The encoder in a GGUF file, which has no head and no pooler.
NameTable nomic_bert_gguf_names();

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// BERT's block, whose queries and keys are turned by their positions, with a gated feed-forward block and without biases.
struct NomicBertRecipe : BertRecipe {
  template <DimensionsLike D>
  using FeedForward = GatedMlp<D>;  ///< down(silu(gate(x)) * up(x)).
  template <DimensionsLike D>
  using Position = Rotary<D>;                                             ///< Queries and keys are turned.
  static constexpr AttentionBiases biases = no_attention_biases;          ///< Of attention's products.
  static constexpr PositionTable position_table = PositionTable::absent;  ///< Attention alone sees positions.
};

/// A nomic-bert without a task's head (Hugging Face's NomicBertModel).
///
///     auto const nomic = load<NomicBert<>>(directory, context);
///     auto const embedder = SentenceEmbedding<NomicBert<>>::from_directory("nomic-embed-text-v1.5", context);
///     auto const embedding = embedder.embed("search_query: What is an encoder?", context);
template <DimensionsLike D = DynamicDimensions>
using NomicBert = Bert<D, NomicBertRecipe>;

/// nomic-bert.
struct NomicBertFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D, NomicBertRecipe>;

  static constexpr FamilyClass classes[] = {{"nomic_bert", "NomicBert"},
                                            {"nomic-bert", "NomicBert"}};  ///< Its model types; the second is GGUF's.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "nomic-bert", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`; CheckpointError, by name, also for a mixture of experts, biases in blocks, pre-norm or parallel blocks, RMS norms,
  ///         a feed-forward block without a gate, and other positions.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return nomic_bert_names(weights); }
  /// What GGUF files call them.
  static NameTable gguf_names(HeadWeights) { return nomic_bert_gguf_names(); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(nomic_bert): <Model>"},
                                          {"pooler", detail::bert_pooler_words},
                                          {"embeddings", R"(
(embeddings): @Embeddings(
  (word_embeddings): Embedding({vocabulary}, {hidden}{padding})
  (token_type_embeddings): Embedding({token_types}, {hidden})
  (LayerNorm): {norm}
  (dropout): Dropout(p={embedding_dropout}, inplace=False)
))"},
                                          {"layers", R"(
(rotary_emb): @RotaryEmbedding()
(layers): ModuleList(
  (*): @Layer(
    (post_attention_layernorm): {norm}
    (post_attention_dropout): Dropout(p={hidden_dropout}, inplace=False)
    (post_mlp_dropout): Dropout(p={hidden_dropout}, inplace=False)
    (mlp): @MLP(
      (gate_proj): Linear(in_features={hidden}, out_features={inner}, bias=False)
      (up_proj): Linear(in_features={hidden}, out_features={inner}, bias=False)
      (down_proj): Linear(in_features={inner}, out_features={hidden}, bias=False)
      (act_fn): {activation}
    )
    (self_attn): @Attention(
      (q_proj): Linear(in_features={hidden}, out_features={width}, bias=False)
      (k_proj): Linear(in_features={hidden}, out_features={width}, bias=False)
      (v_proj): Linear(in_features={hidden}, out_features={width}, bias=False)
      (o_proj): Linear(in_features={width}, out_features={hidden}, bias=False)
    )
    (post_mlp_layernorm): {norm}
  )
))"},
                                          {"Model", R"(
@Model(
  <embeddings>
  <pooler> where pooler.weight
  <layers>
))"},
                                          {"ForMaskedLM", R"(
@ForMaskedLM(
  <body>
  (cls): @OnlyMLMHead(
    (predictions): @LMPredictionHead(
      (transform): @PredictionHeadTransform(
        (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
        (transform_act_fn): {activation}
        (layer_norm): {norm}
      )
      (decoder): Linear(in_features={hidden}, out_features={vocabulary}, bias=True)
    )
  )
))"},
                                          {"ForSequenceClassification", R"(
@ForSequenceClassification(
  (nomic_bert): @Model(
    <embeddings>
    <pooler>
    <layers>
  )
  (dropout): Dropout(p={classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
))"},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable nomic_bert_names(HeadWeights weights) {
  auto const rule = [](char const* canonical, char const* in_file, char const* otherwise) {
    return NameRule{.canonical = canonical, .in_file = in_file, .otherwise = otherwise};
  };
  auto const part = [](char const* canonical, std::size_t index, char const* otherwise) {
    return NameRule{.canonical = canonical,
                    .in_file = "encoder.layers.*.attn.Wqkv.*",
                    .part = index,
                    .parts = 3,
                    .otherwise = otherwise,
                    .otherwise_parts = 1};
  };
  return detail::with_rules(
      {.family = "nomic-bert",
       .prefixes = {"", "nomic_bert.", "bert."},
       .rules = {{"embeddings.token_types.weight", "embeddings.token_type_embeddings.weight"},
                 rule("embeddings.norm.*", "emb_ln.*", "embeddings.LayerNorm.*"),
                 part("encoder.layers.*.attention.query.*", 0, "layers.*.self_attn.q_proj.*"),
                 part("encoder.layers.*.attention.key.*", 1, "layers.*.self_attn.k_proj.*"),
                 part("encoder.layers.*.attention.value.*", 2, "layers.*.self_attn.v_proj.*"),
                 rule("encoder.layers.*.attention.output.*", "encoder.layers.*.attn.out_proj.*", "layers.*.self_attn.o_proj.*"),
                 rule("encoder.layers.*.attention_norm.*", "encoder.layers.*.norm1.*", "layers.*.post_attention_layernorm.*"),
                 rule("encoder.layers.*.mlp.up.*", "encoder.layers.*.mlp.fc11.*", "layers.*.mlp.up_proj.*"),
                 rule("encoder.layers.*.mlp.gate.*", "encoder.layers.*.mlp.fc12.*", "layers.*.mlp.gate_proj.*"),
                 rule("encoder.layers.*.mlp.down.*", "encoder.layers.*.mlp.fc2.*", "layers.*.mlp.down_proj.*"),
                 rule("encoder.layers.*.mlp_norm.*", "encoder.layers.*.norm2.*", "layers.*.post_mlp_layernorm.*"),
                 {"pooler.*", "pooler.dense.*"}},
       .spellings = {},
       .body = {"embeddings.**", "emb_ln.**", "encoder.**", "layers.**"},
       .buffers = {"embeddings.position_ids", "embeddings.token_type_ids", "encoder.layers.*.attn.rotary_emb.inv_freq",
                   "rotary_emb.inv_freq"}},
      detail::table_rules(weights, "cls.predictions.decoder.weight"),
      {detail::decoder_bias_rule(weights, "cls.predictions.bias", "cls.predictions.decoder.bias"),
       {"mlm.dense.*", "cls.predictions.transform.dense.*"},
       {"mlm.norm.*", "cls.predictions.transform.layer_norm.*"},
       {"head.dense.*", "pooler.dense.*"},
       {"head.output.*", "classifier.*"}});
}

AXIFORM_INLINE NameTable nomic_bert_gguf_names() {
  auto const part = [](char const* canonical, std::size_t index) {
    return NameRule{.canonical = canonical, .in_file = "blk.*.attn_qkv.*", .part = index, .parts = 3};
  };
  return {.family = "nomic-bert",
          .prefixes = {""},
          .rules = {{"embeddings.words.weight", "token_embd.weight"},
                    {"embeddings.token_types.weight", "token_types.weight"},
                    {"embeddings.norm.*", "token_embd_norm.*"},
                    part("encoder.layers.*.attention.query.*", 0),
                    part("encoder.layers.*.attention.key.*", 1),
                    part("encoder.layers.*.attention.value.*", 2),
                    {"encoder.layers.*.attention.output.*", "blk.*.attn_output.*"},
                    {"encoder.layers.*.attention_norm.*", "blk.*.attn_output_norm.*"},
                    {"encoder.layers.*.mlp_norm.*", "blk.*.layer_output_norm.*"},
                    {"encoder.layers.*.mlp.*.*", "blk.*.ffn_*.*"}},
          .spellings = {},
          .body = {"token_embd.**", "token_embd_norm.**", "token_types.**", "blk.**"},
          .buffers = {}};
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// The gate's activation as nomic's own code names the block: "swiglu".
inline NamedActivation read_nomic_activation(ConfigReader const& reader) {
  auto const name = reader.text("activation_function", "swiglu");
  if (reader.has("hidden_act")) return reader.activation("hidden_act", "silu");
  if (name == "swiglu") return {Activation::silu, "SiLUActivation()"};
  if (name == "geglu") return {Activation::gelu, "GELUActivation()"};
  reader.refuse("activation_function", detail::in_quotes(name), "\"swiglu\" or \"geglu\"");
}

// Positions as nomic's own code has them, or transformers.
inline PositionSettings read_nomic_position(ConfigReader const& reader, std::size_t head_size) {
  double const base = get_or<double>(reader.config, "rotary_emb_base", 1000.0, reader.file);
  PositionSettings settings = read_rotary_settings(reader, head_size, {.rotary_base = base});
  if (auto const fraction = get_optional<double>(reader.config, "rotary_emb_fraction", reader.file)) {
    settings.rotary_columns = static_cast<std::size_t>(static_cast<double>(head_size) * *fraction);
    if (!(*fraction > 0 && *fraction <= 1) || settings.rotary_columns == 0 || settings.rotary_columns % 2 != 0)
      reader.refuse("rotary_emb_fraction", std::to_string(*fraction), "a share of a head's columns that gives an even number of them");
  }
  reader.only("rotary_emb_interleaved", false);
  for (char const* const key : {"rotary_emb_scale_base", "rotary_scaling_factor"})
    if (auto const value = get_optional<double>(reader.config, key, reader.file)) reader.refuse(key, std::to_string(*value), "null");
  return settings;
}

}  // namespace internal

AXIFORM_INLINE BertConfig NomicBertFamily::read_config(ConfigReader const& reader) {
  for (char const* const key : {"qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias", "prenorm", "parallel_block", "use_rms_norm", "causal",
                                "scale_attn_by_inverse_layer_idx"})
    reader.only(key, false);
  reader.only("scale_attn_weights", true);
  for (char const* const key : {"num_experts", "num_local_experts"})
    if (auto const experts = get_optional<std::size_t>(reader.config, key, reader.file); experts && *experts != 0)
      reader.refuse(key, std::to_string(*experts), "none");
  BertConfig config{.sizes = {.layers = 12, .vocabulary = 30528, .positions = 2048, .token_types = 2},
                    .printed = {.hidden_dropout = "0.0", .attention_dropout = "0.0"}};
  config = read_bert_settings(reader, config,
                              {.hidden = "n_embd",
                               .layers = "n_layer",
                               .heads = "n_head",
                               .inner = "n_inner",
                               .layer_norm_epsilon = reader.has("layer_norm_epsilon") ? "layer_norm_epsilon" : "layer_norm_eps"});
  config.sizes.positions = reader.size({"max_position_embeddings", "n_positions"}, 2048, largest_table);
  auto const [activation, printed] = internal::read_nomic_activation(reader);
  config.activation = activation;
  config.printed.activation = printed;
  config.dimensions.head_size = reader.size({"head_dim"}, config.dimensions.head_size, largest_width);
  config.position = internal::read_nomic_position(reader, config.dimensions.head_size);
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
