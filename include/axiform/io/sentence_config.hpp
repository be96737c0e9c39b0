/// @file
/// `modules.json` and what it names: how a sentence-transformers model turns text into hidden states, and those into embeddings.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/pooling.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#endif

namespace axiform {

/// What a module `Dense` has besides its matrix.
enum class DensePart {
  absent,  ///< It has none.
  present  ///< It has one.
};

/// A module `Dense`: activation(x * weightᵀ + bias), and x added to it where there is a residual.
struct DenseConfig {
  std::filesystem::path directory;                     ///< Where its weights are.
  std::size_t inputs = 0;                              ///< Width of what it takes.
  std::size_t outputs = 0;                             ///< Width of what it gives.
  DensePart bias = DensePart::present;                 ///< Whether it has a bias.
  DensePart residual = DensePart::absent;              ///< Whether x, mapped to the outputs where they are of another width, is added.
  Activation activation = Activation::tanh;  ///< Behind the linear map; torch's Tanh is the default.
};

/// A module behind the pooling.
using SentenceModule = std::variant<Normalization, DenseConfig>;

/// Who puts texts in lower case.
enum class LowerCase {
  as_tokenizer,  ///< The tokenizer, if its own files say so.
  required       ///< It must be done: the files ask for it beside the tokenizer's own.
};

/// What a sentence-transformers directory says beside the model itself.
struct SentenceConfig {
  ModelDirectory transformer = {};                         ///< The directory of the transformer and its tokenizer.
  std::vector<Pooling> pooling = {Pooling::mean};          ///< As the module `Pooling` says; the results of several lie side by side.
  std::optional<std::size_t> pooling_width = {};           ///< The hidden width that the pooling says the model has.
  PromptPooling prompt_pooling = PromptPooling::included;  ///< Whether the prompt's tokens count.
  std::vector<SentenceModule> modules = {};                ///< What follows the pooling, in order.
  std::optional<std::size_t> max_sequence_length = {};     ///< Tokens, special ones included; longer texts are cut.
  std::map<std::string, std::string> prompts = {};         ///< What is put before a text, by name: "query", "passage".
  std::optional<std::string> default_prompt_name = {};     ///< The prompt of a text that is given none.
  std::optional<std::size_t> dimensions = {};              ///< `truncate_dim`: how many numbers of an embedding there shall be, the first.
  std::optional<ScoreFunction> score = {};                 ///< How its embeddings are to be compared, where the file says.
  LowerCase lower_case = LowerCase::as_tokenizer;          ///< `do_lower_case`.
  std::filesystem::path settings = {};                     ///< The file that says how long and in which case; none when empty.
};

/// Reads `modules.json`, the folders that it names, `sentence_bert_config.json` and `config_sentence_transformers.json`, as
/// sentence-transformers 2 to 6 write them. Without `modules.json` the pooling is the mean, and nothing is normalised, as
/// sentence-transformers has it for a plain transformer. A GGUF file says how to pool, and its embeddings are of unit length, as llama.cpp's.
/// @throws FileError when a file that is named is missing; FormatError when one is malformed; CheckpointError, by name, for a module or a
///         setting that is not supported.
SentenceConfig read_sentence_config(ModelDirectory const& directory);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline Pooling pooling_named(std::string const& name, std::string const& file) {
  using enum Pooling;
  constexpr std::array<std::pair<std::string_view, Pooling>, 6> known{{{"cls", first_token},
                                                                       {"max", maximum},
                                                                       {"mean", mean},
                                                                       {"mean_sqrt_len_tokens", mean_sqrt_length},
                                                                       {"weightedmean", weighted_mean},
                                                                       {"lasttoken", last_token}}};
  for (auto const& [known_name, pooling] : known)
    if (name == known_name) return pooling;
  throw CheckpointError(message(
      {file, ": pooling_mode: found ", in_quotes(name), ", expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken"}));
}

/// `pooling_mode` (a name or a list of them); in older files one key for each mode. sentence-transformers puts several results side by side
/// in a list's order, or in the order below.
inline std::vector<Pooling> read_pooling_modes(Json const& json, std::string const& file) {
  std::vector<Pooling> modes;
  if (Json const* const mode = find_member(json, "pooling_mode", file)) {
    if (mode->is_string()) return {pooling_named(require<std::string>(json, "pooling_mode", file), file)};
    for (std::string const& name : require<std::vector<std::string>>(json, "pooling_mode", file))
      modes.push_back(pooling_named(name, file));
  } else {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> keys{
        {{"pooling_mode_cls_token", "cls"},
         {"pooling_mode_max_tokens", "max"},
         {"pooling_mode_mean_tokens", "mean"},
         {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
         {"pooling_mode_weightedmean_tokens", "weightedmean"},
         {"pooling_mode_lasttoken", "lasttoken"}}};
    for (auto const& [key, value] : json.items())
      if (key.starts_with("pooling_mode_") &&
          std::ranges::find(keys, key, &std::pair<std::string_view, std::string_view>::first) == keys.end())
        throw CheckpointError(message({file, ": ", printable(key), ": this pooling is not supported"}));
    for (auto const& [key, name] : keys)
      if (get_or<bool>(json, key, false, file)) modes.push_back(pooling_named(std::string(name), file));
  }
  if (modes.empty()) modes.push_back(Pooling::mean);
  return modes;
}

/// The folder of a module: below the directory, wherever its name leads.
inline ModelDirectory module_directory(ModelDirectory const& directory, Json const& module, std::string const& file) {
  std::filesystem::path const path = require<std::string>(module, "path", file);
  if (path.is_absolute() || std::ranges::find(path, "..") != path.end())
    throw FormatError(message({file, ": path: found ", in_quotes(path.string()), ", expected a folder of the same directory"}));
  return directory.subdirectory(path);
}

/// @throws CheckpointError when `key` is there and is not `expected`.
template <class Value>
void require_setting(Json const& json, std::string_view key, Value const& expected, std::string const& file) {
  auto const found = get_optional<Value>(json, key, file);
  if (found && *found != expected)
    throw CheckpointError(
        message({file, ": ", key, ": found ", describe_json(Json(*found)), ", expected ", describe_json(Json(expected))}));
}

/// `prompts`: what is put before a text, by name. One that is null is empty.
inline std::map<std::string, std::string> read_prompts(Json const& json, std::string const& file) {
  std::map<std::string, std::string> result;
  if (Json const* const prompts = find_member(json, "prompts", file); prompts != nullptr && !prompts->is_null()) {
    if (!prompts->is_object()) throw FormatError(message({file, ": prompts: found ", describe_json(*prompts), ", expected an object"}));
    for (auto const& [name, prompt] : prompts->items()) result[name] = get_or<std::string>(*prompts, name, "", file);
  }
  return result;
}

/// Refuses a directory that puts a prompt before every text, where a task does not.
inline void refuse_default_prompt(Json const& json, std::string const& file) {
  if (auto const prompt = get_optional<std::string>(json, "default_prompt_name", file))
    throw CheckpointError(message({file, ": default_prompt_name: found ", in_quotes(*prompt), ", expected none"}));
}

/// `width`, unless it is absurd.
inline std::size_t checked_width(std::size_t width, std::string_view key, std::string const& file) {
  constexpr std::size_t widest = 1 << 20;
  if (width == 0 || width > widest) throw FormatError(message({file, ": ", key, ": found ", width, ", expected 1 to ", widest}));
  return width;
}

/// What a module maps: what the pooling gave, or each token.
enum class DenseInput { sentence, tokens };

inline DenseConfig read_dense(ModelDirectory const& directory, DenseInput input) {
  std::string const file = (directory / "config.json").string();
  Json const& json = directory.json("config.json");
  for (char const* key : {"module_input_name", "module_output_name"}) {
    // PyLate's modules map tokens, whatever they say.
    if (input == DenseInput::tokens && get_or<std::string>(json, key, "token_embeddings", file) == "token_embeddings") continue;
    require_setting<std::string>(json, key, "sentence_embedding", file);
  }
  DenseConfig dense{.directory = directory};
  dense.inputs = checked_width(require<std::size_t>(json, "in_features", file), "in_features", file);
  dense.outputs = checked_width(require<std::size_t>(json, "out_features", file), "out_features", file);
  if (!get_or<bool>(json, "bias", true, file)) dense.bias = DensePart::absent;
  if (get_or<bool>(json, "use_residual", false, file)) dense.residual = DensePart::present;
  auto const activation = get_or<std::string>(json, "activation_function", "torch.nn.modules.activation.Tanh", file);
  std::string const name = activation.substr(activation.rfind('.') + 1);
  using enum Activation;
  constexpr std::array<std::pair<std::string_view, Activation>, 5> known{
      {{"Identity", none}, {"Tanh", tanh}, {"ReLU", relu}, {"GELU", gelu}, {"SiLU", silu}}};
  auto const place = std::ranges::find(known, name, &std::pair<std::string_view, Activation>::first);
  if (place == known.end() || !activation.starts_with("torch.nn."))
    throw CheckpointError(message(
        {file, ": activation_function: found ", in_quotes(activation), ", expected torch.nn's Identity, Tanh, ReLU, GELU or SiLU"}));
  dense.activation = place->second;
  return dense;
}

/// `modules.json`.
class SentenceModules {
 public:
  SentenceModules(ModelDirectory const& directory, SentenceConfig& config)
      : directory_(directory), file_((directory / "modules.json").string()), config_(config) {}

  void read() {
    Json const& modules = directory_.json("modules.json");
    if (!modules.is_array()) throw FormatError(message({file_, ": found ", describe_json(modules), ", expected a list of modules"}));
    for (Json const& module : modules) read_module(module);
    if (!has_pooling_) throw CheckpointError(message({file_, ": found no module Pooling"}));
  }

 private:
  void read_module(Json const& module) {
    auto const type = require<std::string>(module, "type", file_);
    std::string const name = type.substr(type.rfind('.') + 1);
    auto const expect = [&](bool is_in_place, std::string_view place) {
      if (!is_in_place) throw CheckpointError(message({file_, ": found the module ", printable(type), " ", place}));
    };
    if (name == "Transformer") {
      expect(!has_transformer_, "twice");
      config_.transformer = module_directory(directory_, module, file_);
      has_transformer_ = true;
    } else if (name == "Pooling") {
      expect(has_transformer_, "before the transformer");
      expect(!has_pooling_, "twice");
      read_pooling(module_directory(directory_, module, file_));
      has_pooling_ = true;
    } else if (name == "Normalize" || name == "Dense" || name == "Dropout") {
      expect(has_pooling_, "before the pooling");
      if (name == "Normalize") read_normalize(module_directory(directory_, module, file_));
      if (name == "Dense") config_.modules.push_back(read_dense(module_directory(directory_, module, file_), DenseInput::sentence));
    } else {  // A Dropout does nothing when a model runs.
      throw CheckpointError(
          message({file_, ": found the module ", printable(type), ", expected Transformer, Pooling, Dense, Normalize or Dropout"}));
    }
  }

  void read_pooling(ModelDirectory const& directory) {
    std::string const file = (directory / "config.json").string();
    Json const& json = directory.json("config.json");
    config_.pooling = read_pooling_modes(json, file);
    for (char const* key : {"word_embedding_dimension", "embedding_dimension"})
      if (auto const width = get_optional<std::size_t>(json, key, file)) config_.pooling_width = width;
    if (!get_or<bool>(json, "include_prompt", true, file)) config_.prompt_pooling = PromptPooling::excluded;
  }

  void read_normalize(ModelDirectory const& directory) {
    if (directory.has("config.json")) {  // Newer versions write one.
      Json const& json = directory.json("config.json");
      for (char const* key : {"module_input_name", "module_output_name"})
        require_setting<std::string>(json, key, "sentence_embedding", (directory / "config.json").string());
    }
    config_.modules.push_back(Normalization::unit_length);
  }

  ModelDirectory const& directory_;
  std::string const file_;
  SentenceConfig& config_;
  bool has_transformer_ = false;
  bool has_pooling_ = false;
};

/// The transformer's own settings: how long texts are, and in which case. Older versions have the family in the file's name.
/// @param task What the transformer is for: "feature-extraction", "fill-mask".
template <class Config>
void read_transformer_settings(Config& config, std::string const& task) {
  for (char const* family : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"}) {
    std::string const name = message({"sentence_", family, "_config.json"});
    if (!config.transformer.has(name)) continue;
    config.settings = config.transformer / name;
    std::string const file = config.settings.string();
    Json const& json = config.transformer.json(name);
    config.max_sequence_length = get_optional<std::size_t>(json, "max_seq_length", file);
    if (get_or<bool>(json, "do_lower_case", false, file)) config.lower_case = LowerCase::required;
    require_setting<std::string>(json, "transformer_task", task, file);
    require_setting<std::string>(json, "module_output_name", "token_embeddings", file);
    return;
  }
}

/// `config_sentence_transformers.json`.
inline void read_sentence_settings(ModelDirectory const& directory, SentenceConfig& config) {
  Json const& json = directory.json("config_sentence_transformers.json");
  std::string const file = (directory / "config_sentence_transformers.json").string();
  require_setting<std::string>(json, "model_type", "SentenceTransformer", file);
  config.prompts = read_prompts(json, file);
  config.default_prompt_name = get_optional<std::string>(json, "default_prompt_name", file);
  if (config.default_prompt_name && !config.prompts.contains(*config.default_prompt_name))
    throw CheckpointError(message(
        {file, ": default_prompt_name: found ", in_quotes(*config.default_prompt_name), ", expected the name of one of the prompts"}));
  config.dimensions = get_optional<std::size_t>(json, "truncate_dim", file);
  if (config.dimensions == std::size_t{0}) throw FormatError(message({file, ": truncate_dim: found 0, expected at least 1"}));
  auto const score = get_optional<std::string>(json, "similarity_fn_name", file);
  if (score == "cosine") config.score = ScoreFunction::cosine;
  if (score == "dot") config.score = ScoreFunction::dot;
}

/// What a GGUF file has of all this: how to pool, under llama.cpp's numbers. Embeddings are of unit length, as llama.cpp gives them.
inline void read_gguf_pooling(GgufFile const& file, SentenceConfig& config) {
  using enum Pooling;
  constexpr std::array<std::optional<Pooling>, 5> known{std::nullopt, mean, first_token, last_token, std::nullopt};  // none, …, rank
  config.modules = {Normalization::unit_length};
  std::string const key = message({file.metadata("general.architecture").as<std::string_view>(), ".pooling_type"});
  auto const type = file.find_metadata(key);
  if (!type) return;
  auto const number = type->as<std::size_t>();
  if (number >= known.size() || !known[number])
    throw CheckpointError(
        message({file.path().string(), ": ", key, ": found ", number, ", expected 1 (mean), 2 (first token) or 3 (last token)"}));
  config.pooling = {*known[number]};
}

}  // namespace detail

AXIFORM_INLINE SentenceConfig read_sentence_config(ModelDirectory const& directory) {
  SentenceConfig config{.transformer = directory};
  if (GgufFile const* const file = directory.gguf()) {
    detail::read_gguf_pooling(*file, config);
    return config;
  }
  if (directory.has("modules.json")) detail::SentenceModules(directory, config).read();
  detail::read_transformer_settings(config, "feature-extraction");
  if (directory.has("config_sentence_transformers.json")) detail::read_sentence_settings(directory, config);
  return config;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
