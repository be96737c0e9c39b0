/// @file
/// The family Transformer (Vaswani et al. 2017): checkpoints of models that are built on PyTorch's `nn.Transformer`, with the paper's embeddings and
/// sinusoids. PyTorch has no config of such a model; this one is written by whoever saves the state dict, with the constructor's own names:
///
///     {"model_type": "transformer", "architectures": ["TransformerForConditionalGeneration"], "is_encoder_decoder": true,
///      "d_model": 512, "nhead": 8, "num_encoder_layers": 6, "num_decoder_layers": 6, "dim_feedforward": 2048, "activation": "relu",
///      "norm_first": false, "layer_norm_eps": 1e-05, "vocab_size": 37000, "max_position_embeddings": 5000, "scale_embedding": true,
///      "share_encoder_decoder_embeddings": true, "tie_word_embeddings": true,
///      "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
///
/// `src_vocab_size` is there where the source's vocabulary is another, and `"final_norm": false` where post-norm stacks end without a norm
/// (`nn.TransformerEncoder(layer, 6, norm=None)`).
///
/// Beside it lie `model.safetensors`, or `pytorch_model.bin` or `model.pt`, what `torch.save(model.state_dict(), …)` writes, under the names that
/// PyTorch's tutorial "Language Translation with nn.Transformer" gives to embeddings and output, or others that are common.
#pragma once

#include <string>

#include <axiform/core/head_weights.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/encoder_decoder_recipes.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/recipe.hpp>

#if AXIFORM_DEFINES(models)
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/tensor_file.hpp>
#include <axiform/nn/sequence_embedding.hpp>
#include <axiform/nn/sinusoids.hpp>
#endif

namespace axiform {

/// State dicts of models around an `nn.Transformer`, each side with a table of tokens. What no parameter asks for is an error, because nothing says
/// that it may be left out; a table of positions must be that of the paper's formula.
NameTable transformer_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// What the config of a model around `nn.Transformer` says: its widths, and what it is made with besides.
struct TransformerConfig : EncoderDecoderSettings {
  /// `d_model`, `nhead`, `dim_feedforward`, of both sides.
  DynamicDimensions dimensions = {.hidden = 512, .heads = 8, .head_size = 64, .inner = 2048};
};

namespace internal {

// What its checkpoint calls the parameters of such a model.
NameTable transformer_names(TransformerConfig const& config);

// What the tensors say about the head: whether it is tied, and whether it has a bias.
// @throws CheckpointError when the config shares a table between the sides, and the file has two of different values; when a table of positions is
// not the formula's.
void heed_tensors(TransformerConfig& config, Checkpoint const& checkpoint, std::string const& file);

}  // namespace internal

/// `nn.Transformer` as the paper has it.
struct TransformerFamily {
  using Config = TransformerConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = Transformer<D>;

  static constexpr FamilyClass classes[] = {{"transformer", "Transformer"}};                                ///< Its model type.
  static constexpr FamilyHead heads[] = {{ModelHead::conditional_generation, "ForConditionalGeneration"}};  ///< Its head.
  static constexpr Family family{.name = "Transformer", .classes = classes, .heads = heads};                ///< How configs name it.

  /// What is not said is as in `nn.Transformer`: 512 wide, 8 heads, 6 and 6 layers, 2048 inside, ReLU, post-norm, 1e-5; 5000 positions, embeddings
  /// times the root of the width, and neither shared tables nor a tied head, as in the tutorial.
  /// @throws FormatError when a value has the wrong type, a size is zero or absurd, or `vocab_size` is missing; CheckpointError, by name, for a
  ///         setting that the library does not have.
  static TransformerConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return transformer_names(weights); }

  /// What PyTorch prints of the tutorial's model.
  static constexpr ModuleWords words[] = {
      {"attention", R"(
MultiheadAttention(
  (out_proj): NonDynamicallyQuantizableLinear(in_features={hidden}, out_features={hidden}, bias=True)
))"},
      {"feed_forward", R"(
(linear1): Linear(in_features={hidden}, out_features={inner}, bias=True)
(dropout): Dropout(p={hidden_dropout}, inplace=False)
(linear2): Linear(in_features={inner}, out_features={hidden}, bias=True)
(norm1): {norm}
(norm2): {norm}
)"},
      {"ForConditionalGeneration", R"(
Seq2SeqTransformer(
  (transformer): Transformer(
    (encoder): TransformerEncoder(
      (layers): ModuleList(
        (*encoder_layers): TransformerEncoderLayer(
          (self_attn): <attention>
          <feed_forward>
          (dropout1): Dropout(p={hidden_dropout}, inplace=False)
          (dropout2): Dropout(p={hidden_dropout}, inplace=False)
        )
      )
      <final_norm> where encoder.final_norm.weight
    )
    (decoder): TransformerDecoder(
      (layers): ModuleList(
        (*decoder_layers): TransformerDecoderLayer(
          (self_attn): <attention>
          (multihead_attn): <attention>
          <feed_forward>
          (norm3): {norm}
          (dropout1): Dropout(p={hidden_dropout}, inplace=False)
          (dropout2): Dropout(p={hidden_dropout}, inplace=False)
          (dropout3): Dropout(p={hidden_dropout}, inplace=False)
        )
      )
      <final_norm> where decoder.final_norm.weight
    )
  )
  <generator> where lm_head.bias
  <generator_without_bias> unless lm_head.bias
  (src_tok_emb): TokenEmbedding(
    <own_table> where source_tokens.weight
    <table> unless source_tokens.weight
  )
  (tgt_tok_emb): TokenEmbedding(
    <table>
  )
  (positional_encoding): PositionalEncoding(
    (dropout): Dropout(p={hidden_dropout}, inplace=False)
  )
))"},
      {"table", "(embedding): Embedding({tokens.weight}, {hidden})"},
      {"own_table", "(embedding): Embedding({source_tokens.weight}, {hidden})"},
      {"generator", "(generator): Linear(in_features={hidden}, out_features={tokens.weight}, bias=True)"},
      {"generator_without_bias", "(generator): Linear(in_features={hidden}, out_features={tokens.weight}, bias=False)"},
      {"final_norm", "(norm): {norm}"}};
};

/// `nn.Transformer` with `norm_first=True`: the same config, names and words.
struct PreNormFamily {
  using Config = TransformerConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = PreNormTransformer<D>;

  static constexpr FamilyClass classes[] = {{"transformer", "Transformer", "norm_first"}};             ///< Its model type.
  static constexpr auto const& heads = TransformerFamily::heads;                                       ///< Its head.
  static constexpr Family family{.name = "pre-norm Transformer", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `TransformerFamily::read_config`.
  static TransformerConfig read_config(ConfigReader const& reader) { return TransformerFamily::read_config(reader); }
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return transformer_names(weights); }

  static constexpr auto const& words = TransformerFamily::words;  ///< What PyTorch prints.
};

/// Loads both.
template <DimensionsLike D, NormPlacement placement>
struct ModelLoader<EncoderDecoder<D, TransformerRecipe<placement>>> {
  using Model = EncoderDecoder<D, TransformerRecipe<placement>>;  ///< What it makes.

  /// The model of the config's sizes, and the names of its parameters. The head is tied where the config ties it and the file does not say
  /// otherwise; it has a bias where the file has one.
  static Unloaded<Model> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    using Free = EncoderDecoder<DynamicDimensions, TransformerRecipe<placement>>;
    TransformerConfig config = read_family_config<Free, TransformerConfig>(directory).config;
    std::string const file = (directory / "config.json").string();
    internal::heed_tensors(config, checkpoint, file);
    auto const side = [&](StackSettings const& settings) {
      return internal::dimensions_of<D>(
          config.dimensions,
          {.layers = settings.layers, .vocabulary = config.vocabulary, .positions = settings.embedding.positions, .token_types = 0}, file);
    };
    return {Model::create(side(config.encoder), side(config.decoder), config), internal::transformer_names(config)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

namespace detail {

// Modules that add positions: the tutorial's, those of other programs.
inline constexpr char const* position_tables[] = {"**positional_encoding.**", "**pos_encoder.**", "**pos_encoding.**"};

}  // namespace detail

AXIFORM_INLINE NameTable transformer_names(HeadWeights weights) {
  bool const is_tied = weights == HeadWeights::tied;
  NameTable table{
      .family = "Transformer",
      .prefixes = {"", "transformer.", "model.", "model.transformer.", "module.", "module.transformer."},
      .rules = {{.canonical = "tokens.weight", .in_file = "tgt_tok_emb.embedding.weight", .otherwise = is_tied ? "generator.weight" : ""},
                {"source_tokens.weight", "src_tok_emb.embedding.weight"},
                {"lm_head.weight", "generator.weight"},
                {"lm_head.bias", "generator.bias"},
                {"encoder.final_norm.*", "encoder.norm.*"},
                {"decoder.final_norm.*", "decoder.norm.*"}},
      .spellings = {},
      .body = {"**"},
      .buffers = {std::begin(detail::position_tables), std::end(detail::position_tables)}};
  for (std::string_view const side : {"encoder", "decoder"}) {
    auto const add = [&](std::string_view canonical, std::string_view in_file, std::size_t part = 0, std::size_t parts = 1) {
      table.rules.push_back({.canonical = detail::message({side, ".layers.*.", canonical, ".*"}),
                             .in_file = detail::message({side, ".layers.*.", in_file, "*"}),
                             .part = part,
                             .parts = parts});
    };
    auto const add_attention = [&](std::string const& canonical, std::string const& in_file) {
      std::string_view const parts[] = {".query", ".key", ".value"};
      for (std::size_t part = 0; part < 3; ++part) add(canonical + std::string(parts[part]), in_file + ".in_proj_", part, 3);
      add(canonical + ".output", in_file + ".out_proj.");
    };
    bool const is_decoder = side == "decoder";
    add_attention("attention", "self_attn");
    add("attention_norm", "norm1.");
    if (is_decoder) {
      add_attention("cross_attention", "multihead_attn");
      add("cross_attention_norm", "norm2.");
    }
    add("mlp.up", "linear1.");
    add("mlp.down", "linear2.");
    add("mlp_norm", is_decoder ? "norm3." : "norm2.");
  }
  auto const add_spellings = [&](char const* usual, std::initializer_list<char const*> others) {
    for (char const* const other : others) table.spellings.push_back({usual, other});
    // Where tables are shared or the head is tied, what nobody asks for stands in the file once more, as torch.save writes it.
    for (std::string const& prefix : table.prefixes) {
      table.buffers.push_back(detail::message({prefix, usual}));
      for (char const* const other : others) table.buffers.push_back(detail::message({prefix, other}));
    }
  };
  add_spellings("src_tok_emb.embedding.weight",
                {"src_tok_emb.weight", "src_embedding.weight", "src_embed.weight", "encoder_embedding.weight", "embedding.weight"});
  add_spellings("tgt_tok_emb.embedding.weight",
                {"tgt_tok_emb.weight", "tgt_embedding.weight", "tgt_embed.weight", "trg_embedding.weight", "decoder_embedding.weight"});
  add_spellings("generator.weight", {"fc_out.weight", "output_layer.weight"});
  add_spellings("generator.bias", {"fc_out.bias", "output_layer.bias"});
  return table;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

AXIFORM_INLINE NameTable transformer_names(TransformerConfig const& config) {
  NameTable table = axiform::transformer_names(config.head_weights);
  bool const is_tied = config.head_weights == HeadWeights::tied;
  if (config.tables == TokenTables::shared)
    table.rules.insert(table.rules.begin(), {.canonical = "tokens.weight",
                                             .in_file = "src_tok_emb.embedding.weight",
                                             .otherwise = is_tied ? "generator.weight" : "tgt_tok_emb.embedding.weight"});
  return table;
}

// Whether a tensor has the first and the last rows of the paper's table, as near as bf16 is.
inline bool holds_sinusoids(TensorRef const& tensor, std::size_t columns) {
  auto const& shape = tensor.info->shape;
  if (!tensor.info->has_floats() || shape.empty() || shape.back() != columns || columns == 0) return false;
  std::size_t const count = tensor.info->element_count();
  std::vector<float> rows(std::min(count, 8 * columns));
  for (std::size_t const first : {std::size_t{0}, count - rows.size()}) {
    tensor.file->read_floats(*tensor.info, first, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      double const expected = sinusoid((first + i) / columns, i % columns, columns, SinusoidLayout::interleaved);
      if (!(std::abs(rows[i] - expected) < 0.01)) return false;
    }
  }
  return true;
}

AXIFORM_INLINE void heed_tensors(TransformerConfig& config, Checkpoint const& checkpoint, std::string const& file) {
  for (TensorRef const& tensor : checkpoint.tensors())
    if (std::ranges::any_of(detail::position_tables,
                            [&](char const* table) { return match_pattern(table, tensor.info->name).has_value(); }) &&
        !holds_sinusoids(tensor, config.dimensions.hidden))
      throw CheckpointError(detail::message({checkpoint.weights().string(), ": ", detail::printable(tensor.info->name),
                                             ": found other values than sines and cosines of positions in turns, ",
                                             std::size_t{config.dimensions.hidden}, " to a row, which are not supported"}));
  NameTable const separate = axiform::transformer_names(HeadWeights::own);
  if (config.tables == TokenTables::shared) {
    auto const of_source = find_parameter(checkpoint, separate, "source_tokens.weight"),
               of_target = find_parameter(checkpoint, separate, "tokens.weight");
    if (of_source && of_target && !equal_tensors(*of_source, *of_target))
      throw CheckpointError(detail::message({file, ": share_encoder_decoder_embeddings: found true, and two tables of different values in ",
                                             checkpoint.weights().string(), ", expected false"}));
  }
  TransformerConfig own = config;
  own.head_weights = HeadWeights::own;
  config.head_weights = head_weights(config.head_weights, checkpoint, transformer_names(own), "tokens.weight", "lm_head.weight");
  config.head_bias = find_parameter(checkpoint, separate, "lm_head.bias") ? Bias::present : Bias::absent;
}

}  // namespace internal

AXIFORM_INLINE TransformerConfig TransformerFamily::read_config(ConfigReader const& reader) {
  reader.only("is_encoder_decoder", true);
  reader.check_weights();
  TransformerConfig config;
  auto const flag = [&](char const* key, bool otherwise) { return get_or<bool>(reader.config, key, otherwise, reader.file); };
  if (flag("norm_first", false)) reader.only("final_norm", true);
  auto& d = config.dimensions;
  d.hidden = reader.size({"d_model"}, 512, largest_width);
  d.heads = reader.size({"nhead"}, 8, largest_width);
  d.head_size = reader.head_size(d.hidden, d.heads);
  d.inner = reader.size({"dim_feedforward"}, 2048, largest_width);
  d.key_heads = std::size_t{d.heads};

  auto const activation = reader.activation("activation", "relu");
  auto const epsilon = static_cast<float>(reader.epsilon("layer_norm_eps", 1e-5));
  StackSettings const side{
      .layer = {.activation = activation.activation, .layer_norm_epsilon = epsilon},
      .embedding = {.rows = PositionRows::interleaved_sinusoids,
                    .positions = reader.size({"max_position_embeddings"}, 5000, largest_sinusoids),
                    .scale = flag("scale_embedding", true) ? static_cast<float>(std::sqrt(static_cast<double>(d.hidden))) : 1.0f},
      .final_norm = flag("final_norm", true) ? FinalNorm::present : FinalNorm::absent};
  config.encoder = config.decoder = side;
  config.encoder.layers = reader.size({"num_encoder_layers"}, 6, largest_depth);
  config.decoder.layers = reader.size({"num_decoder_layers"}, 6, largest_depth);

  auto const vocabulary = reader.optional_size({"vocab_size"}, largest_table);
  if (!vocabulary) throw FormatError(detail::message({reader.file, ": vocab_size: missing, expected the number of tokens"}));
  config.vocabulary = *vocabulary;
  config.source_vocabulary = reader.size({"src_vocab_size"}, *vocabulary, largest_table);
  config.head_weights = flag("tie_word_embeddings", false) ? HeadWeights::tied : HeadWeights::own;
  config.tables = flag("share_encoder_decoder_embeddings", false) ? TokenTables::shared : TokenTables::separate;
  if (config.tables == TokenTables::shared && config.source_vocabulary != config.vocabulary)
    throw FormatError(detail::message({reader.file, ": found a shared table of tokens and vocabularies of ", config.source_vocabulary,
                                       " and ", config.vocabulary, ", expected the same"}));
  config.printed.hidden_dropout = reader.dropout("dropout", "0.1");
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
