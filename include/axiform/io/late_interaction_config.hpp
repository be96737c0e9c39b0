/// @file
/// How a model of late interaction (ColBERT) turns texts into vectors of their tokens: what its directory says beside the encoder.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <axiform/io/model_directory.hpp>
#include <axiform/io/sentence_config.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#endif

namespace axiform {

/// What becomes of a query that is shorter than the model's length of queries.
enum class QueryExpansion {
  none,        ///< Nothing: its own tokens alone are compared.
  unattended,  ///< It is filled up with [MASK]; these attend to the query, and nothing attends to them.
  attended     ///< It is filled up with [MASK], tokens like any others.
};

/// What a directory of a ColBERT says.
struct LateInteractionConfig {
  ModelDirectory transformer = {};                        ///< The directory of the transformer and its tokenizer.
  std::vector<DenseConfig> projections = {};              ///< What maps each token's hidden state, in order.
  std::string query_marker = "[unused0]";                 ///< The token behind [CLS] in queries; none when empty.
  std::string document_marker = "[unused1]";              ///< The token behind [CLS] in documents; none when empty.
  std::size_t query_length = 32;                          ///< Tokens of a query, marker and special ones included.
  std::size_t document_length = 220;                      ///< Tokens of a document at most, likewise.
  QueryExpansion expansion = QueryExpansion::unattended;  ///< Of short queries.
  std::vector<std::string> skipped_words = {};            ///< Tokens of documents that are not compared: punctuation.
  LowerCase lower_case = LowerCase::as_tokenizer;         ///< `do_lower_case`.
  std::filesystem::path settings = {};                    ///< The file that says in which case; none when empty.
};

/// Reads the directory of a ColBERT in either of two formats: PyLate's, with `modules.json` (Transformer, Dense) and the prefixes, lengths and words of
/// `config_sentence_transformers.json`; or that of ColBERTv2 itself, whose `config.json` is that of an `HF_ColBERT`, with `artifact.metadata`, and the
/// projection `linear.weight` among the encoder's weights.
/// @throws FileError when a file that is named is missing; FormatError when one is malformed; CheckpointError, by name, for what is neither, or not
///         supported.
LateInteractionConfig read_late_interaction_config(ModelDirectory const& directory);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// The marks of ASCII (Python's `string.punctuation`), each a word.
inline std::vector<std::string> punctuation_words() {
  std::vector<std::string> words;
  for (char const mark : std::string_view(R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)")) words.emplace_back(1, mark);
  return words;
}

inline std::size_t length_setting(Json const& json, std::string_view key, std::size_t otherwise, std::string const& file) {
  auto const length = get_optional<std::size_t>(json, key, file).value_or(otherwise);
  constexpr std::size_t least = 3, most = 1 << 20;
  if (length < least || length > most)
    throw FormatError(message({file, ": ", key, ": found ", length, ", expected ", least, " to ", most, " tokens"}));
  return length;
}

/// ColBERTv2's own files.
inline LateInteractionConfig read_colbert(ModelDirectory const& directory) {
  LateInteractionConfig config{.transformer = directory, .skipped_words = punctuation_words()};
  DenseConfig projection{.directory = directory, .outputs = 128, .bias = DensePart::absent, .activation = Activation::none};
  std::string const model_file = (directory / "config.json").string();
  projection.inputs = require<std::size_t>(directory.json("config.json"), "hidden_size", model_file);
  if (directory.has("artifact.metadata")) {
    Json const& json = directory.json("artifact.metadata");
    std::string const file = (directory / "artifact.metadata").string();
    config.query_marker = get_or<std::string>(json, "query_token_id", config.query_marker, file);
    config.document_marker = get_or<std::string>(json, "doc_token_id", config.document_marker, file);
    config.query_length = length_setting(json, "query_maxlen", config.query_length, file);
    config.document_length = length_setting(json, "doc_maxlen", config.document_length, file);
    if (get_or<bool>(json, "attend_to_mask_tokens", false, file)) config.expansion = QueryExpansion::attended;
    if (!get_or<bool>(json, "mask_punctuation", true, file)) config.skipped_words.clear();
    require_setting<std::string>(json, "similarity", "cosine", file);
    require_setting<std::string>(json, "interaction", "colbert", file);
    projection.outputs = checked_width(get_or<std::size_t>(json, "dim", projection.outputs, file), "dim", file);
  }
  config.projections.push_back(std::move(projection));
  return config;
}

/// PyLate's files.
inline LateInteractionConfig read_pylate(ModelDirectory const& directory) {
  LateInteractionConfig config{
      .query_marker = "[Q] ", .document_marker = "[D] ", .document_length = 180, .skipped_words = punctuation_words()};
  std::string const file = (directory / "modules.json").string();
  Json const& modules = directory.json("modules.json");
  if (!modules.is_array()) throw FormatError(message({file, ": found ", describe_json(modules), ", expected a list of modules"}));
  bool has_transformer = false;
  for (Json const& module : modules) {
    auto const type = require<std::string>(module, "type", file);
    std::string const name = type.substr(type.rfind('.') + 1);
    if (name == "Transformer" && !has_transformer) {
      config.transformer = module_directory(directory, module, file);
      has_transformer = true;
    } else if (name == "Dense" && has_transformer) {
      config.projections.push_back(read_dense(module_directory(directory, module, file), DenseInput::tokens));
    } else {
      throw CheckpointError(message({file, ": found the module ", printable(type), ", expected a Transformer, and Dense behind it"}));
    }
  }
  if (config.projections.empty()) throw CheckpointError(message({file, ": found no module Dense behind a Transformer"}));
  if (directory.has("config_sentence_transformers.json")) {
    Json const& json = directory.json("config_sentence_transformers.json");
    std::string const own = (directory / "config_sentence_transformers.json").string();
    config.query_marker = get_or<std::string>(json, "query_prefix", config.query_marker, own);
    config.document_marker = get_or<std::string>(json, "document_prefix", config.document_marker, own);
    config.query_length = length_setting(json, "query_length", config.query_length, own);
    config.document_length = length_setting(json, "document_length", config.document_length, own);
    config.skipped_words = get_or<std::vector<std::string>>(json, "skiplist_words", config.skipped_words, own);
    if (get_or<bool>(json, "attend_to_expansion_tokens", false, own)) config.expansion = QueryExpansion::attended;
    if (!get_or<bool>(json, "do_query_expansion", true, own)) config.expansion = QueryExpansion::none;
    refuse_default_prompt(json, own);
  }
  SentenceConfig transformer{.transformer = config.transformer};
  read_transformer_settings(transformer, "feature-extraction");
  config.lower_case = transformer.lower_case;
  config.settings = transformer.settings;
  return config;
}

}  // namespace detail

AXIFORM_INLINE LateInteractionConfig read_late_interaction_config(ModelDirectory const& directory) {
  if (directory.has("modules.json")) return detail::read_pylate(directory);
  std::string const file = (directory / "config.json").string();
  auto const classes = get_or<std::vector<std::string>>(directory.json("config.json"), "architectures", {}, file);
  if (std::ranges::find(classes, "HF_ColBERT") == classes.end())
    throw CheckpointError(detail::message({file, ": architectures: found ", classes.empty() ? "none" : detail::in_quotes(classes.front()),
                                           ", expected \"HF_ColBERT\", or PyLate's modules.json beside it"}));
  return detail::read_colbert(directory);
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
