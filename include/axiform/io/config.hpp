/// @file
/// What reads a `config.json`, whatever the family: sizes, activations and settings by key, with errors that name the file, the key and what is
/// not supported; and what a classifier's config says of its labels. models/families/ has the configs of the families.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(io)
#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/stored_weights.hpp>
#endif

namespace axiform {

// Beyond these, a number is a mistake or an attack: the largest published models stay ten times below.
inline constexpr std::size_t largest_width = 1 << 18;  ///< Of a width, and of a number of heads.
inline constexpr std::size_t largest_depth = 1 << 12;  ///< Of a number of layers.
inline constexpr std::size_t largest_table = 1 << 25;  ///< Of the rows of a table.

/// An activation that a config names.
struct NamedActivation {
  Activation activation;  ///< The function.
  char const* printed;    ///< The class that transformers (5.24) has for it: "GELUActivation()".
};

/// A config, read by key. What a family's file reads its config with:
///
///     config.dimensions.hidden = reader.size({"n_embd", "hidden_size"}, 768, largest_width);
///     config.activation = reader.activation("activation_function", "gelu_new").activation;
///     reader.only("scale_attn_weights", true);
///
/// Every function throws FormatError when a value has the wrong type, and CheckpointError for what `refuse` refuses.
struct ConfigReader {
  Json const& config;  ///< The parsed file.
  std::string file;    ///< Its path, as messages say it.

  /// Whether the key is there, if only with null.
  bool has(std::string_view key) const { return find_member(config, key, file) != nullptr; }

  /// A text; `otherwise` where it is absent or null.
  std::string text(std::string_view key, std::string_view otherwise) const;

  /// `architectures`: the classes that the checkpoint was saved from.
  std::vector<std::string> architectures() const { return get_or<std::vector<std::string>>(config, "architectures", {}, file); }

  /// The first of `keys` that is present: GPT-2's names have aliases.
  std::optional<std::size_t> optional_size(std::initializer_list<std::string_view> keys, std::size_t largest) const;

  /// The same, or `otherwise`.
  std::size_t size(std::initializer_list<std::string_view> keys, std::size_t otherwise, std::size_t largest) const;

  /// What is added to a variance.
  double epsilon(std::string_view key, double otherwise) const;

  /// A setting that may only have one value, because the library has nothing else.
  void only(std::string_view key, bool expected) const;

  /// @throws CheckpointError: "FILE: KEY: found FOUND, which is not supported; expected EXPECTED".
  [[noreturn]] void refuse(std::string_view key, std::string const& found, std::string const& expected) const;

  /// The activation that `key` names; `otherwise` names the default.
  NamedActivation activation(std::string_view key, std::string_view otherwise) const;

  /// A rate of dropout as the config writes it; `otherwise` where it does not say, or says null.
  std::string dropout(std::string_view key, std::string_view otherwise) const;

  /// The width of a head, where the heads share the hidden width among them.
  std::size_t head_size(std::size_t hidden, std::size_t heads) const;

  /// `pad_token_id`, an id that a table can have.
  std::optional<std::size_t> padding_id() const;

  /// Ids of tokens: none, one, or a list.
  std::vector<std::size_t> token_ids(std::string_view key, std::vector<std::size_t> otherwise) const;

  /// `tie_word_embeddings`.
  HeadWeights head_weights() const;

  /// What no family of encoders or decoders may ask for.
  void check_common() const;

  /// What no family at all may ask for: heads that were cut out, weights that were quantised.
  void check_weights() const;
};

/// What a classifier's logits stand for.
enum class ProblemType {
  unspecified,   ///< The config does not say: one label is regression, more are one out of several.
  regression,    ///< Numbers.
  single_label,  ///< One out of several.
  multi_label    ///< Each by itself.
};

/// What a classifier's `config.json` says about its labels.
struct LabelConfig {
  std::vector<std::string> labels;                      ///< By id: `id2label`, else LABEL_0, LABEL_1, …
  ProblemType problem_type = ProblemType::unspecified;  ///< `problem_type`.
};

/// Reads the labels. Without any, there are two, as in transformers.
/// @throws FormatError when ids have gaps or a value has the wrong type; CheckpointError for another problem type.
LabelConfig read_label_config(Json const& config, std::string const& file);

/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as for one that is parsed.
inline LabelConfig read_label_config(ModelDirectory const& directory) {
  return read_label_config(directory.json("config.json"), (directory / "config.json").string());
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE std::string ConfigReader::text(std::string_view key, std::string_view otherwise) const {
  return get_or<std::string>(config, key, std::string(otherwise), file);
}

AXIFORM_INLINE std::optional<std::size_t> ConfigReader::optional_size(std::initializer_list<std::string_view> keys,
                                                                      std::size_t largest) const {
  for (std::string_view key : keys) {
    auto const size = get_optional<std::size_t>(config, key, file);
    if (!size) continue;
    if (*size == 0 || *size > largest)
      throw FormatError(detail::message({file, ": ", key, ": found ", *size, ", expected 1 to ", largest}));
    return size;
  }
  return std::nullopt;
}

AXIFORM_INLINE std::size_t ConfigReader::size(std::initializer_list<std::string_view> keys, std::size_t otherwise,
                                              std::size_t largest) const {
  return optional_size(keys, largest).value_or(otherwise);
}

AXIFORM_INLINE double ConfigReader::epsilon(std::string_view key, double otherwise) const {
  double const value = get_or<double>(config, key, otherwise, file);
  if (!(value >= 0 && value < 1))
    throw FormatError(detail::message({file, ": ", key, ": found ", describe_json(value), ", expected at least 0 and less than 1"}));
  return value;
}

AXIFORM_INLINE void ConfigReader::only(std::string_view key, bool expected) const {
  if (get_or<bool>(config, key, expected, file) != expected) refuse(key, expected ? "false" : "true", expected ? "true" : "false");
}

AXIFORM_INLINE void ConfigReader::refuse(std::string_view key, std::string const& found, std::string const& expected) const {
  throw CheckpointError(detail::message({file, ": ", key, ": found ", found, ", which is not supported; expected ", expected}));
}

AXIFORM_INLINE NamedActivation ConfigReader::activation(std::string_view key, std::string_view otherwise) const {
  struct Known {
    std::string_view name;
    Activation activation;
    char const* printed;
  };
  static constexpr Known known[] = {{"gelu", Activation::gelu, "GELUActivation()"},
                                    {"gelu_python", Activation::gelu, "GELUActivation()"},
                                    {"gelu_new", Activation::gelu_tanh, "NewGELUActivation()"},
                                    {"gelu_pytorch_tanh", Activation::gelu_tanh, "GELUTanh()"},
                                    {"gelu_python_tanh", Activation::gelu_tanh, "GELUTanh()"},
                                    {"gelu_fast", Activation::gelu_tanh, "FastGELUActivation()"},
                                    {"gelu_accurate", Activation::gelu_tanh, "AccurateGELUActivation()"},
                                    {"relu", Activation::relu, "ReLU()"},
                                    {"silu", Activation::silu, "SiLUActivation()"},
                                    {"swish", Activation::silu, "SiLU()"}};
  auto const name = text(key, otherwise);
  for (Known const& each : known)
    if (name == each.name) return {each.activation, each.printed};
  refuse(key, detail::message({"the activation ", detail::in_quotes(name)}),
         "\"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\", \"relu\" or \"silu\"");
}

AXIFORM_INLINE std::string ConfigReader::dropout(std::string_view key, std::string_view otherwise) const {
  auto const rate = get_optional<double>(config, key, file);
  if (!rate) return std::string(otherwise);
  Json const& written = *find_member(config, key, file);
  if (!(*rate >= 0 && *rate <= 1))
    throw FormatError(detail::message({file, ": ", key, ": found ", describe_json(written), ", expected 0 to 1"}));
  return dump_json(written);
}

AXIFORM_INLINE std::size_t ConfigReader::head_size(std::size_t hidden, std::size_t heads) const {
  if (hidden % heads != 0)
    throw FormatError(detail::message(
        {file, ": found a hidden size of ", hidden, " and ", heads, " heads, expected the size to be a multiple of the heads"}));
  return hidden / heads;
}

AXIFORM_INLINE std::optional<std::size_t> ConfigReader::padding_id() const {
  auto const id = get_optional<std::size_t>(config, "pad_token_id", file);
  if (id && *id >= largest_table)
    throw FormatError(detail::message({file, ": pad_token_id: found ", *id, ", expected less than ", largest_table}));
  return id;
}

AXIFORM_INLINE std::vector<std::size_t> ConfigReader::token_ids(std::string_view key, std::vector<std::size_t> otherwise) const {
  Json const* const member = find_member(config, key, file);
  if (member == nullptr) return otherwise;
  if (member->is_null()) return {};
  auto const ids =
      member->is_array() ? require<std::vector<std::size_t>>(config, key, file) : std::vector{require<std::size_t>(config, key, file)};
  for (std::size_t const id : ids)
    if (id >= largest_table) throw FormatError(detail::message({file, ": ", key, ": found ", id, ", expected less than ", largest_table}));
  return ids;
}

AXIFORM_INLINE HeadWeights ConfigReader::head_weights() const {
  return get_or<bool>(config, "tie_word_embeddings", true, file) ? HeadWeights::tied : HeadWeights::own;
}

AXIFORM_INLINE void ConfigReader::check_common() const {
  only("is_encoder_decoder", false);
  only("add_cross_attention", false);
  check_weights();
}

AXIFORM_INLINE void ConfigReader::check_weights() const {
  if (Json const* const pruned = find_member(config, "pruned_heads", file); pruned != nullptr && !pruned->is_null() && !pruned->empty())
    refuse("pruned_heads", describe_json(*pruned), "none");
  if (Json const* const quantized = find_member(config, detail::stored_blocks_key, file);
      quantized != nullptr && !quantized->is_null() && !detail::is_stored_note(*quantized))
    refuse(detail::stored_blocks_key, describe_json(*quantized), "weights in F32, F16 or BF16, or what `axiform quantize` made");
}

AXIFORM_INLINE LabelConfig read_label_config(Json const& json, std::string const& file) {
  LabelConfig config;
  Json const* const names = find_member(json, "id2label", file);
  if (names != nullptr && names->is_object() && !names->empty()) {
    config.labels.resize(names->size());
    for (std::size_t id = 0; id < config.labels.size(); ++id) {
      Json const* const label = find_member(*names, std::to_string(id), file);
      if (label == nullptr)
        throw FormatError(detail::message({file, ": id2label: found no label ", id, " among ", names->size(), ", expected ids from 0 on"}));
      config.labels[id] = label->is_string() ? label->get<std::string>() : dump_json(*label);  // some are numbers
    }
  } else {
    auto const count = get_or<std::size_t>(json, "num_labels", 2, file);
    if (count == 0 || count > largest_table)
      throw FormatError(detail::message({file, ": num_labels: found ", count, ", expected 1 to ", largest_table}));
    for (std::size_t id = 0; id < count; ++id) config.labels.push_back("LABEL_" + std::to_string(id));
  }
  auto const problem = get_optional<std::string>(json, "problem_type", file);
  if (!problem) return config;
  if (*problem == "regression") {
    config.problem_type = ProblemType::regression;
  } else if (*problem == "single_label_classification") {
    config.problem_type = ProblemType::single_label;
  } else if (*problem == "multi_label_classification") {
    config.problem_type = ProblemType::multi_label;
  } else {
    ConfigReader{json, file}.refuse("problem_type", detail::in_quotes(*problem),
                                    "\"regression\", \"single_label_classification\" or \"multi_label_classification\"");
  }
  return config;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
