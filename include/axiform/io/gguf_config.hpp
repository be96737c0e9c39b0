/// @file
/// What a GGUF file says of its model and its tokenizer, as the config.json and tokenizer_config.json that a Hugging Face directory of the same model
/// has. GGUF's keys have the same meaning for every architecture, so no family is known here.
#pragma once

#include <axiform/io/json_value.hpp>

#if AXIFORM_DEFINES(io)
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

class GgufFile;  // axiform/io/gguf.hpp

/// The config of a model. What a file does not say is left out, for the family's default to stand. `model_type` is GGUF's architecture; the size of
/// the vocabulary and whether the head is tied are those of the tensors.
/// @throws CheckpointError when a key that every model has is missing or of another type.
Json gguf_config(GgufFile const& file);

/// The settings of its tokenizer: the chat template. (text/gguf_tokenizer.hpp reads tokens and merges.)
/// @throws CheckpointError when the template is no string.
Json gguf_tokenizer_config(GgufFile const& file);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// A key of the metadata and what config.json calls it. A family reads one of the names where several stand for one key.
struct GgufName {
  std::string_view key;  // Behind the architecture.
  std::string_view name;
};

inline constexpr GgufName gguf_sizes[] = {{"block_count", "num_hidden_layers"},
                                          {"embedding_length", "hidden_size"},
                                          {"context_length", "max_position_embeddings"},
                                          {"feed_forward_length", "intermediate_size"},
                                          {"feed_forward_length", "n_inner"},
                                          {"attention.head_count", "num_attention_heads"},
                                          {"attention.head_count_kv", "num_key_value_heads"},
                                          {"attention.key_length", "head_dim"},
                                          {"attention.sliding_window", "sliding_window"},
                                          {"rope.dimension_count", "rotary_dim"},
                                          {"expert_count", "num_local_experts"},
                                          {"decoder_block_count", "num_decoder_layers"},
                                          {"decoder_start_token_id", "decoder_start_token_id"},
                                          {"attention.relative_buckets_count", "relative_attention_num_buckets"}};
inline constexpr GgufName gguf_numbers[] = {{"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                            {"attention.layer_norm_epsilon", "layer_norm_eps"},
                                            {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
                                            {"rope.freq_base", "rope_theta"}};

/// `rope_scaling`, where the file says that positions are stretched.
inline Json gguf_rope_scaling(GgufFile const& file, std::string const& prefix) {
  auto const type = file.find_metadata(prefix + "rope.scaling.type");
  if (!type || type->as<std::string_view>() == "none") return nullptr;
  Json scaling = {{"rope_type", type->as<std::string>()}};
  if (auto const factor = file.find_metadata(prefix + "rope.scaling.factor")) scaling["factor"] = factor->as<double>();
  if (auto const length = file.find_metadata(prefix + "rope.scaling.original_context_length"))
    scaling["original_max_position_embeddings"] = length->as<std::size_t>();
  return scaling;
}

}  // namespace detail

AXIFORM_INLINE Json gguf_config(GgufFile const& file) {
  auto const architecture = file.metadata("general.architecture").as<std::string>();
  std::string const prefix = architecture + ".";
  Json config = {{"model_type", architecture}};
  for (char const* const key : {"block_count", "embedding_length", "context_length", "attention.head_count"}) file.metadata(prefix + key);
  for (auto const& [key, name] : detail::gguf_sizes)
    if (auto const value = file.find_metadata(detail::message({prefix, key}))) config[name] = value->as<std::size_t>();
  for (auto const& [key, name] : detail::gguf_numbers)
    if (auto const value = file.find_metadata(detail::message({prefix, key}))) config[name] = value->as<double>();
  if (Json scaling = detail::gguf_rope_scaling(file, prefix); !scaling.is_null()) config["rope_scaling"] = std::move(scaling);

  TensorInfo const* const tokens = file.find("token_embd.weight");
  if (tokens == nullptr || tokens->shape.size() != 2)
    throw CheckpointError(detail::message({file.path().string(), ": found no matrix token_embd.weight, expected the model's token table"}));
  config["vocab_size"] = tokens->shape[0];
  config["tie_word_embeddings"] = file.find("output.weight") == nullptr;
  if (TensorInfo const* const types = file.find("token_types.weight"); types != nullptr && types->shape.size() == 2)
    config["type_vocab_size"] = types->shape[0];

  std::vector<std::size_t> ends;
  for (char const* const key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (auto const id = file.find_metadata(key)) ends.push_back(id->as<std::size_t>());
  config["eos_token_id"] = ends;
  if (auto const id = file.find_metadata("tokenizer.ggml.padding_token_id")) config["pad_token_id"] = id->as<std::size_t>();
  return config;
}

AXIFORM_INLINE Json gguf_tokenizer_config(GgufFile const& file) {
  Json config = Json::object();
  if (auto const chat = file.find_metadata("tokenizer.chat_template")) config["chat_template"] = chat->as<std::string>();
  return config;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
