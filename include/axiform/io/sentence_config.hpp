/// @file
/// `modules.json` and what it names: how a sentence-transformers model turns hidden states into embeddings.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>

namespace axiform {

/// How the hidden states of a sentence's tokens become one vector.
enum class Pooling {
  mean,         ///< Their mean.
  first_token,  ///< The first token's ([CLS]).
  maximum       ///< The greatest of each dimension.
};

/// What is done with a vector after pooling.
enum class Normalization {
  none,
  unit_length  ///< Scaled to a Euclidean length of 1; a vector of zeros stays.
};

/// What a sentence-transformers directory says beside the model itself.
struct SentenceConfig {
  Pooling pooling = Pooling::mean;                    ///< As the module `Pooling` says.
  Normalization normalization = Normalization::none;  ///< Unit length where there is a module `Normalize`.
  std::optional<std::size_t> max_sequence_length;     ///< Tokens, special ones included; longer texts are cut.
};

namespace detail {

/// The one pooling that `1_Pooling/config.json` switches on.
inline Pooling read_pooling(std::filesystem::path const& path) {
  Json const json = read_json(path);
  std::string const file = path.string();
  std::optional<Pooling> pooling;
  auto const consider = [&](char const* key, std::optional<Pooling> mode) {
    if (!get_or<bool>(json, key, false, file)) return;
    if (!mode) throw CheckpointError(file + ": " + key + ": this pooling is not supported; expected cls, mean or max");
    if (pooling) throw CheckpointError(file + ": " + key + ": found a second pooling, expected one (concatenation is not supported)");
    pooling = mode;
  };
  consider("pooling_mode_mean_tokens", Pooling::mean);
  consider("pooling_mode_cls_token", Pooling::first_token);
  consider("pooling_mode_max_tokens", Pooling::maximum);
  consider("pooling_mode_mean_sqrt_len_tokens", std::nullopt);
  consider("pooling_mode_weightedmean_tokens", std::nullopt);
  consider("pooling_mode_lasttoken", std::nullopt);
  if (!pooling) throw CheckpointError(file + ": found no pooling that is true, expected one of cls, mean and max");
  return *pooling;
}

}  // namespace detail

/// Reads `modules.json`, the pooling that it names, and `sentence_bert_config.json`. Without `modules.json` the pooling is the mean, and
/// nothing is normalised, as sentence-transformers has it for a plain transformer.
/// @throws FormatError when a file is malformed; CheckpointError, by name, for a module that is not supported.
inline SentenceConfig read_sentence_config(std::filesystem::path const& directory) {
  SentenceConfig config;
  std::error_code ignored;
  if (auto const path = directory / "sentence_bert_config.json"; std::filesystem::exists(path, ignored))
    config.max_sequence_length = get_optional<std::size_t>(read_json(path), "max_seq_length", path.string());
  auto const path = directory / "modules.json";
  if (!std::filesystem::exists(path, ignored)) return config;
  Json const modules = read_json(path);
  std::string const file = path.string();
  if (!modules.is_array()) throw FormatError(file + ": found " + describe_json(modules) + ", expected a list of modules");
  for (Json const& module : modules) {
    auto const type = require<std::string>(module, "type", file);
    std::string const name = type.substr(type.rfind('.') + 1);
    if (name == "Transformer") continue;
    if (name == "Pooling") {
      config.pooling = detail::read_pooling(directory / require<std::string>(module, "path", file) / "config.json");
    } else if (name == "Normalize") {
      config.normalization = Normalization::unit_length;
    } else {
      throw CheckpointError(file + ": found the module " + type + ", expected Transformer, Pooling or Normalize");
    }
  }
  return config;
}

}  // namespace axiform
