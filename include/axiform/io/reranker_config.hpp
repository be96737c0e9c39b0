/// @file
/// What a directory says about a cross-encoder beside its model: what becomes of the logit.
#pragma once

#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(io)
#include <optional>
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// What becomes of a cross-encoder's logit.
enum class ScoreActivation {
  none,    ///< It is the score: any number (torch.nn.Identity).
  sigmoid  ///< 1 / (1 + exp(-logit)): from 0 to 1.
};

/// Reads the activation from `config_sentence_transformers.json` or `config.json`, as sentence-transformers 2 to 6 write it; where neither
/// names one it is the sigmoid. Modules of `modules.json` and a default prompt are refused: the model alone gives the score.
/// @throws FormatError when a file is malformed; CheckpointError, by name, for what is not supported.
ScoreActivation read_score_activation(ModelDirectory const& directory);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE ScoreActivation read_score_activation(ModelDirectory const& directory) {
  auto const named = [](std::string const& name, std::string const& file) {
    if (name.starts_with("torch.nn.") && name.ends_with(".Sigmoid")) return ScoreActivation::sigmoid;
    if (name.starts_with("torch.nn.") && name.ends_with(".Identity")) return ScoreActivation::none;
    throw CheckpointError(
        detail::message({file, ": activation_fn: found ", detail::in_quotes(name), ", expected torch.nn's Sigmoid or Identity"}));
  };
  if (directory.has("modules.json")) {
    Json const& modules = directory.json("modules.json");
    if (!modules.is_array() || modules.size() != 1)
      throw CheckpointError(
          detail::message({(directory / "modules.json").string(), ": found ", describe_json(modules), ", expected a list of one module, the transformer"}));
  }
  if (directory.has("config_sentence_transformers.json")) {
    std::string const file = (directory / "config_sentence_transformers.json").string();
    Json const& json = directory.json("config_sentence_transformers.json");
    if (auto const prompt = get_optional<std::string>(json, "default_prompt_name", file))
      throw CheckpointError(detail::message({file, ": default_prompt_name: found ", detail::in_quotes(*prompt), ", expected none"}));
    if (auto const name = get_optional<std::string>(json, "activation_fn", file)) return named(*name, file);
  }
  std::string const file = (directory / "config.json").string();
  Json const& json = directory.json("config.json");
  if (Json const* const own = find_member(json, "sentence_transformers", file); own != nullptr && own->is_object())
    if (auto const name = get_optional<std::string>(*own, "activation_fn", file)) return named(*name, file);
  if (auto const name = get_optional<std::string>(json, "sbert_ce_default_activation_function", file)) return named(*name, file);
  return ScoreActivation::sigmoid;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
