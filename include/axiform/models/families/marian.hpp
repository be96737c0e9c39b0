/// @file
/// The family Marian (Junczys-Dowmunt et al. 2018; the opus-mt models of Tiedemann and Thottingal 2020): its config, its names, its heads and its trees.
/// Its model is BART's with sines for positions and no norm of embeddings; models/families/bart.hpp loads it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bart.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/sequence_embedding.hpp>

namespace axiform {

/// MarianModel and MarianMTModel. Tables of sines, which some files have, are passed over.
NameTable marian_names();

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Marian.
struct MarianFamily {
  using Config = BartConfig;  ///< What `read_config` gives.
  /// The model, with the language-model head or without.
  template <ModelHead, DimensionsLike D = DynamicDimensions>
  using Model = EncoderDecoder<D, PostNormRecipe>;

  static constexpr FamilyClass classes[] = {{"marian", "Marian"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::encoder_and_decoder, "Model"}, {ModelHead::conditional_generation, "MTModel"}};
  static constexpr std::size_t end_of_text[] = {0};  ///< What ends a text where a config does not say.
  /// How configs name it.
  static constexpr Family family{.name = "Marian", .classes = classes, .heads = heads, .end_of_text = end_of_text};

  /// @throws As `BartFamily::read_config`; CheckpointError also when a shared table is said to have two vocabularies.
  static BartConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights) { return marian_names(); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"attention", detail::bart_attention_words},
                                          {"encoder_layers", detail::bart_encoder_layers_words},
                                          {"decoder_layers", detail::bart_decoder_layers_words},
                                          {"shared", "(shared): Embedding({tokens.weight}, {hidden}{padding})"},
                                          {"source_tokens", "(embed_tokens): Embedding({source_tokens.weight}, {hidden}{padding})"},
                                          {"tokens", "(embed_tokens): Embedding({tokens.weight}, {hidden}{padding})"},
                                          {"Model", R"(
@Model(
  <shared> unless source_tokens.weight
  (encoder): @Encoder(
    <source_tokens> where source_tokens.weight
    <tokens> unless source_tokens.weight
    (embed_positions): @SinusoidalPositionalEmbedding({positions}, {hidden})
    <encoder_layers>
  )
  (decoder): @Decoder(
    <tokens>
    (embed_positions): @SinusoidalPositionalEmbedding({positions}, {hidden})
    <decoder_layers>
  )
))"},
                                          {"MTModel", R"(
@MTModel(
  (model): <Model>
  (lm_head): Linear(in_features={hidden}, out_features={tokens.weight}, bias=False)
))"}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable marian_names() {
  NameTable table = bart_names("Marian");
  table.buffers.insert(table.buffers.end(), {"encoder.embed_positions.weight", "decoder.embed_positions.weight"});
  std::erase(table.body, "*.embed_positions.**");
  return table;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BartConfig MarianFamily::read_config(ConfigReader const& reader) {
  for (char const* const key : {"normalize_before", "add_final_layer_norm", "normalize_embedding"}) reader.only(key, false);
  reader.only("static_position_embeddings", true);
  BartConfig config;
  config.encoder_sizes.vocabulary = config.decoder_sizes.vocabulary = 58101;
  config.end_of_text_ids = {0};
  config.decoder_start = 58100;
  config.printed.padding_id = 58100;
  config.embedding.rows = PositionRows::halved_sinusoids;
  config = internal::read_bart_settings(reader, std::move(config));
  config.has_separate_tables = !get_or<bool>(reader.config, "share_encoder_decoder_embeddings", true, reader.file);
  std::size_t& vocabulary = config.decoder_sizes.vocabulary;
  std::size_t const found = reader.size({"decoder_vocab_size"}, vocabulary, largest_table);
  if (found != vocabulary && !config.has_separate_tables)
    reader.refuse("decoder_vocab_size", std::to_string(found),
                  detail::message({"the vocab_size, ", vocabulary, ", of the table that is shared"}));
  vocabulary = found;
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
