/// @file
/// How a model of sparse embeddings (SPLADE) turns texts into weights of words: what its directory says beside the masked-LM model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include <axiform/io/model_directory.hpp>
#include <axiform/io/sentence_config.hpp>

#if AXIFORM_DEFINES(io)
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#endif

namespace axiform {

/// What becomes of the greatest logit of a word.
enum class SparseActivation {
  log1p,       ///< log(1 + relu(x)) (Formal et al. 2021).
  log1p_twice  ///< log(1 + log(1 + relu(x))), which is sparser.
};

/// What a directory of a SPLADE says.
struct SparseConfig {
  ModelDirectory transformer = {};                        ///< The directory of the transformer and its tokenizer.
  SparseActivation activation = SparseActivation::log1p;  ///< Of the logits.
  std::optional<std::size_t> max_sequence_length = {};    ///< Tokens, special ones included; longer texts are cut.
  std::optional<std::size_t> max_words = {};              ///< Words of a text at most, where the directory says so: `max_active_dims`.
  LowerCase lower_case = LowerCase::as_tokenizer;         ///< `do_lower_case`.
  std::filesystem::path settings = {};                    ///< The file that says how long and in which case; none when empty.
};

/// Reads `modules.json` (a transformer for masked language modelling, and SpladePooling) and what it names, as sentence-transformers 5 and 6 write them. Without
/// it, the directory is the model's own, as those of naver/splade are. How long texts are, and in which case, is read as `read_sentence_config` does.
/// Prompts of queries and documents are not supported: both are embedded as they are.
/// @throws FileError when a file that is named is missing; FormatError when one is malformed; CheckpointError, by name, for a module or a setting that is not
///         supported.
SparseConfig read_sparse_config(ModelDirectory const& directory);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE SparseConfig read_sparse_config(ModelDirectory const& directory) {
  SparseConfig config{.transformer = directory};
  if (directory.has("modules.json")) {
    std::string const file = (directory / "modules.json").string();
    Json const& modules = directory.json("modules.json");
    if (!modules.is_array()) throw FormatError(detail::message({file, ": found ", describe_json(modules), ", expected a list of modules"}));
    std::size_t place = 0;
    for (Json const& module : modules) {
      auto const type = require<std::string>(module, "type", file);
      std::string const name = type.substr(type.rfind('.') + 1);
      ModelDirectory const own = detail::module_directory(directory, module, file);
      if (place == 0 && (name == "Transformer" || name == "MLMTransformer")) {
        config.transformer = own;
      } else if (place == 1 && name == "SpladePooling") {
        std::string const settings = (own / "config.json").string();
        Json const& json = own.json("config.json");
        detail::require_setting<std::string>(json, "pooling_strategy", "max", settings);
        auto const activation = get_or<std::string>(json, "activation_function", "relu", settings);
        if (activation != "relu" && activation != "log1p_relu")
          throw CheckpointError(detail::message(
              {settings, ": activation_function: found ", detail::in_quotes(activation), ", expected \"relu\" or \"log1p_relu\""}));
        if (activation == "log1p_relu") config.activation = SparseActivation::log1p_twice;
      } else {
        throw CheckpointError(
            detail::message({file, ": found the module ", detail::printable(type), ", expected a Transformer and a SpladePooling"}));
      }
      ++place;
    }
    if (place != 2)
      throw CheckpointError(detail::message({file, ": found ", place, " modules, expected a Transformer and a SpladePooling"}));
  }
  if (directory.has("config_sentence_transformers.json")) {
    std::string const file = (directory / "config_sentence_transformers.json").string();
    Json const& json = directory.json("config_sentence_transformers.json");
    detail::require_setting<std::string>(json, "model_type", "SparseEncoder", file);
    config.max_words = get_optional<std::size_t>(json, "max_active_dims", file);
    if (config.max_words == std::size_t{0}) throw FormatError(detail::message({file, ": max_active_dims: found 0, expected at least 1"}));
    detail::refuse_default_prompt(json, file);
    auto const prompts = detail::read_prompts(json, file);
    for (char const* name : {"query", "document", "passage", "corpus"})  // Those that sentence-transformers takes by itself.
      if (auto const prompt = prompts.find(name); prompt != prompts.end() && !prompt->second.empty())
        throw CheckpointError(
            detail::message({file, ": prompts: ", name, ": found ", detail::in_quotes(prompt->second), ", expected none"}));
    if (auto const score = get_optional<std::string>(json, "similarity_fn_name", file); score && *score != "dot")
      throw CheckpointError(detail::message({file, ": similarity_fn_name: found ", detail::in_quotes(*score), ", expected \"dot\""}));
  }
  detail::read_transformer_settings(config, "fill-mask");
  return config;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
