/// @file
/// `config.json` of BERT, RoBERTa, DistilBERT and GPT-2, read into plain structs; what the library does not have is refused by name.
///
/// A key that is absent has the default that transformers' config class gives it (5.24).
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/model_family.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/printed_settings.hpp>

namespace axiform {

/// The activations that a config can name.
enum class ConfigActivation {
  gelu,       ///< x * Phi(x), with erf: "gelu", "gelu_python".
  gelu_tanh,  ///< The tanh approximation: "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate".
  relu        ///< "relu".
};

/// What the `config.json` of a BERT, RoBERTa or DistilBERT says.
struct BertConfig {
  ModelFamily family = ModelFamily::bert;                ///< Which of them.
  std::vector<std::string> architectures;                ///< The classes that the checkpoint was saved from: "BertModel".
  std::size_t vocabulary = 30522;                        ///< Rows of the token embedding: `vocab_size`.
  std::size_t hidden = 768;                              ///< Width of the hidden states: `hidden_size`, `n_embd`.
  std::size_t layers = 12;                               ///< Blocks: `num_hidden_layers`, `n_layer`.
  std::size_t heads = 12;                                ///< Attention heads: `num_attention_heads`, `n_head`.
  std::size_t head_size = 64;                            ///< hidden / heads.
  std::size_t inner = 3072;                              ///< Width inside the feed-forward block: `intermediate_size`.
  std::size_t positions = 512;                           ///< Rows of the position table: `max_position_embeddings`.
  std::size_t token_types = 2;                           ///< Segments: `type_vocab_size`; 0 for DistilBERT.
  double layer_norm_epsilon = 1e-12;                     ///< Added to the variance: `layer_norm_eps`, `layer_norm_epsilon`.
  ConfigActivation activation = ConfigActivation::gelu;  ///< Of the feed-forward block: `hidden_act`, `activation_function`.
  std::optional<std::size_t> padding_id = 0;             ///< `pad_token_id`.
  HeadWeights head_weights = HeadWeights::tied;          ///< `tie_word_embeddings`.
  PrintedSettings printed = {};                          ///< What only a printed module tree shows.
};

/// What a GPT-2's `config.json` says.
struct Gpt2Config {
  std::vector<std::string> architectures;                     ///< The classes that the checkpoint was saved from.
  std::size_t vocabulary = 50257;                             ///< Rows of the token embedding: `vocab_size`.
  std::size_t hidden = 768;                                   ///< Width of the hidden states: `hidden_size`, `n_embd`.
  std::size_t layers = 12;                                    ///< Blocks: `num_hidden_layers`, `n_layer`.
  std::size_t heads = 12;                                     ///< Attention heads: `num_attention_heads`, `n_head`.
  std::size_t head_size = 64;                                 ///< hidden / heads.
  std::size_t inner = 3072;                                   ///< 4 * hidden unless the config says otherwise.
  std::size_t positions = 1024;                               ///< The longest sequence: `max_position_embeddings`, `n_positions`.
  double layer_norm_epsilon = 1e-5;                           ///< Added to the variance: `layer_norm_eps`, `layer_norm_epsilon`.
  ConfigActivation activation = ConfigActivation::gelu_tanh;  ///< Of the feed-forward block: `hidden_act`, `activation_function`.
  std::vector<std::size_t> end_of_text_ids = {50256};         ///< A config may name several, or none.
  std::optional<std::size_t> padding_id = {};                 ///< `pad_token_id`.
  HeadWeights head_weights = HeadWeights::tied;               ///< `tie_word_embeddings`.
  PrintedSettings printed = {};                               ///< What only a printed module tree shows.
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

/// The family that `model_type` names, or, in old files without it, the first architecture.
/// @throws FormatError when the config is not an object; CheckpointError when the model is of another family.
ModelFamily model_family(Json const& config, std::string const& file);

/// The head that the first of `architectures` names; none when there is no architecture.
/// @throws FormatError when the list is malformed; CheckpointError, by name, when the library does not have it.
ModelHead model_head(Json const& config, std::string const& file);

/// Reads the labels. Without any, there are two, as in transformers.
/// @throws FormatError when ids have gaps or a value has the wrong type; CheckpointError for another problem type.
LabelConfig read_label_config(Json const& config, std::string const& file);

/// Reads the config of a BERT, RoBERTa or DistilBERT. `file` says in messages where it comes from.
/// @throws FormatError when a value has the wrong type or a size is zero or absurd; CheckpointError, by name, for a setting that the
///         library does not have: another model, relative positions, a decoder, another activation.
BertConfig read_bert_config(Json const& config, std::string const& file);

/// Reads a GPT-2's config. @throws As `read_bert_config`.
Gpt2Config read_gpt2_config(Json const& config, std::string const& file);

/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as `read_bert_config`.
inline BertConfig read_bert_config(ModelDirectory const& directory) {
  auto const path = directory / "config.json";
  return read_bert_config(read_json(path), path.string());
}

/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as for one that is parsed.
inline LabelConfig read_label_config(ModelDirectory const& directory) {
  auto const path = directory / "config.json";
  return read_label_config(read_json(path), path.string());
}

/// Reads `directory / "config.json"`. @throws FileError when it is missing, else as `read_gpt2_config`.
inline Gpt2Config read_gpt2_config(ModelDirectory const& directory) {
  auto const path = directory / "config.json";
  return read_gpt2_config(read_json(path), path.string());
}

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

/// A config and the file that messages name.
struct ConfigReader {
  Json const& config;
  std::string const& file;

  /// The first of `keys` that is present: GPT-2's names have aliases.
  std::optional<std::size_t> optional_size(std::initializer_list<std::string_view> keys, std::size_t largest) const {
    for (std::string_view key : keys) {
      auto const size = get_optional<std::size_t>(config, key, file);
      if (!size) continue;
      if (*size == 0 || *size > largest)
        throw FormatError(detail::message({file, ": ", key, ": found ", *size, ", expected 1 to ", largest}));
      return size;
    }
    return std::nullopt;
  }

  std::size_t size(std::initializer_list<std::string_view> keys, std::size_t otherwise, std::size_t largest) const {
    return optional_size(keys, largest).value_or(otherwise);
  }

  double epsilon(std::string_view key, double otherwise) const {
    double const value = get_or<double>(config, key, otherwise, file);
    if (!(value >= 0 && value < 1))
      throw FormatError(detail::message({file, ": ", key, ": found ", describe_json(value), ", expected at least 0 and less than 1"}));
    return value;
  }

  /// A setting that may only have one value, because the library has nothing else.
  void only(std::string_view key, bool expected) const {
    if (get_or<bool>(config, key, expected, file) != expected) refuse(key, expected ? "false" : "true", expected ? "true" : "false");
  }

  [[noreturn]] void refuse(std::string_view key, std::string const& found, std::string const& expected) const {
    throw CheckpointError(detail::message({file, ": ", key, ": found ", found, ", which is not supported; expected ", expected}));
  }

  /// The activation, and in `printed` the class that transformers (5.24) has for it.
  ConfigActivation activation(std::string_view key, std::string_view otherwise, PrintedSettings& printed) const {
    struct Known {
      std::string_view name;
      ConfigActivation activation;
      char const* printed;
    };
    static constexpr Known known[] = {{"gelu", ConfigActivation::gelu, "GELUActivation()"},
                                      {"gelu_python", ConfigActivation::gelu, "GELUActivation()"},
                                      {"gelu_new", ConfigActivation::gelu_tanh, "NewGELUActivation()"},
                                      {"gelu_pytorch_tanh", ConfigActivation::gelu_tanh, "GELUTanh()"},
                                      {"gelu_python_tanh", ConfigActivation::gelu_tanh, "GELUTanh()"},
                                      {"gelu_fast", ConfigActivation::gelu_tanh, "FastGELUActivation()"},
                                      {"gelu_accurate", ConfigActivation::gelu_tanh, "AccurateGELUActivation()"},
                                      {"relu", ConfigActivation::relu, "ReLU()"}};
    auto const name = get_or<std::string>(config, key, std::string(otherwise), file);
    for (Known const& each : known) {
      if (name != each.name) continue;
      printed.activation = each.printed;
      return each.activation;
    }
    refuse(key, detail::message({"the activation ", in_quotes(name)}), "\"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" or \"relu\"");
  }

  /// A rate of dropout as the config writes it; `otherwise` where it does not say, or says null.
  PrintedText dropout(std::string_view key, PrintedText const& otherwise) const {
    auto const rate = get_optional<double>(config, key, file);
    if (!rate) return otherwise;
    Json const& written = *find_member(config, key, file);
    if (!(*rate >= 0 && *rate <= 1))
      throw FormatError(detail::message({file, ": ", key, ": found ", describe_json(written), ", expected 0 to 1"}));
    return dump_json(written);
  }

  std::size_t head_size(std::size_t hidden, std::size_t heads) const {
    if (hidden % heads != 0)
      throw FormatError(detail::message(
          {file, ": found a hidden size of ", hidden, " and ", heads, " heads, expected the size to be a multiple of the heads"}));
    return hidden / heads;
  }

  HeadWeights head_weights() const {
    return get_or<bool>(config, "tie_word_embeddings", true, file) ? HeadWeights::tied : HeadWeights::own;
  }

  /// What neither family may ask for.
  void common() const {
    only("is_encoder_decoder", false);
    only("add_cross_attention", false);
    if (Json const* const pruned = find_member(config, "pruned_heads", file); pruned != nullptr && !pruned->is_null() && !pruned->empty())
      refuse("pruned_heads", describe_json(*pruned), "none");
    if (Json const* const quantized = find_member(config, "quantization_config", file); quantized != nullptr && !quantized->is_null())
      refuse("quantization_config", describe_json(*quantized), "weights in F32, F16 or BF16");
  }
};

// Beyond these, a number is a mistake or an attack: the largest published models stay ten times below.
inline constexpr std::size_t largest_width = 1 << 18;
inline constexpr std::size_t largest_depth = 1 << 12;
inline constexpr std::size_t largest_table = 1 << 25;

/// `pad_token_id`, an id that a table can have.
inline std::optional<std::size_t> padding_id(Json const& config, std::string const& file) {
  auto const id = get_optional<std::size_t>(config, "pad_token_id", file);
  if (id && *id >= largest_table)
    throw FormatError(message({file, ": pad_token_id: found ", *id, ", expected less than ", largest_table}));
  return id;
}

/// Ids of tokens: none, one, or a list.
inline std::vector<std::size_t> token_ids(Json const& config, std::string_view key, std::vector<std::size_t> otherwise,
                                          std::string const& file) {
  Json const* const member = find_member(config, key, file);
  if (member == nullptr) return otherwise;
  if (member->is_null()) return {};
  if (member->is_array()) return require<std::vector<std::size_t>>(config, key, file);
  return {require<std::size_t>(config, key, file)};
}

}  // namespace detail

namespace detail {

struct KnownFamily {
  ModelFamily family;
  std::string_view type;
  std::string_view prefix;  // Of its classes.
};

// The longer prefix first: "XLMRoberta" is not "Roberta".
inline constexpr KnownFamily known_families[] = {
    {ModelFamily::xlm_roberta, "xlm-roberta", "XLMRoberta"}, {ModelFamily::roberta, "roberta", "Roberta"},
    {ModelFamily::camembert, "camembert", "Camembert"},      {ModelFamily::distilbert, "distilbert", "DistilBert"},
    {ModelFamily::bert, "bert", "Bert"},                     {ModelFamily::gpt2, "gpt2", "GPT2"}};

}  // namespace detail

inline ModelFamily model_family(Json const& config, std::string const& file) {
  auto const type = get_optional<std::string>(config, "model_type", file);
  auto const architectures = get_or<std::vector<std::string>>(config, "architectures", {}, file);
  std::string const architecture = architectures.empty() ? "" : architectures.front();
  for (detail::KnownFamily const& each : detail::known_families)
    if (type ? *type == each.type : architecture.starts_with(each.prefix)) return each.family;
  std::string const found = type                   ? detail::message({"the model_type ", detail::in_quotes(*type)})
                            : architecture.empty() ? "no model_type"
                                                   : detail::message({"the architecture ", detail::in_quotes(architecture)});
  throw CheckpointError(detail::message({file, ": found ", found,
                                         ", expected a BERT, RoBERTa, DistilBERT or GPT-2 (\"bert\", \"roberta\", \"xlm-roberta\", "
                                         "\"camembert\", \"distilbert\", \"gpt2\")"}));
}

inline ModelHead model_head(Json const& config, std::string const& file) {
  auto const architectures = get_or<std::vector<std::string>>(config, "architectures", {}, file);
  if (architectures.empty()) return ModelHead::none;
  ModelFamily const family = model_family(config, file);
  bool const is_bert = family == ModelFamily::bert, is_gpt2 = family == ModelFamily::gpt2;
  struct Known {
    ModelHead head;
    std::string_view suffix;
    bool exists;
  };
  Known const known[] = {{ModelHead::none, "Model", true},
                         {ModelHead::masked_lm, "ForMaskedLM", !is_gpt2},
                         {ModelHead::next_sentence, "ForNextSentencePrediction", is_bert},
                         {ModelHead::pre_training, "ForPreTraining", is_bert},
                         {ModelHead::question_answering, "ForQuestionAnswering", !is_gpt2},
                         {ModelHead::sequence_classification, "ForSequenceClassification", true},
                         {ModelHead::token_classification, "ForTokenClassification", !is_gpt2},
                         {ModelHead::causal_lm, "LMHeadModel", is_gpt2}};
  std::string_view const name = architectures.front();
  for (detail::KnownFamily const& prefix : detail::known_families)
    for (Known const& each : known)
      if (each.exists && name.starts_with(prefix.prefix) && name.substr(prefix.prefix.size()) == each.suffix) return each.head;
  std::string expected;
  for (Known const& each : known)
    if (each.exists) expected += detail::message({expected.empty() ? "" : ", ", "…", each.suffix});
  throw CheckpointError(
      detail::message({file, ": architectures: found ", detail::in_quotes(name), ", which is not supported; expected one of ", expected}));
}

inline LabelConfig read_label_config(Json const& json, std::string const& file) {
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
    if (count == 0 || count > detail::largest_table)
      throw FormatError(detail::message({file, ": num_labels: found ", count, ", expected 1 to ", detail::largest_table}));
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
    detail::ConfigReader{json, file}.refuse(
        "problem_type", detail::in_quotes(*problem), "\"regression\", \"single_label_classification\" or \"multi_label_classification\"");
  }
  return config;
}

inline BertConfig read_bert_config(Json const& json, std::string const& file) {
  detail::ConfigReader const reader{json, file};
  BertConfig config;
  config.family = model_family(json, file);
  if (config.family == ModelFamily::gpt2) reader.refuse("model_type", "a GPT-2", "a BERT, RoBERTa or DistilBERT");
  bool const is_distilbert = config.family == ModelFamily::distilbert;
  if (is_roberta(config.family)) config.padding_id = 1;
  if (get_optional<std::string>(json, "model_type", file) == "roberta") config.vocabulary = 50265;  // the others' classes keep BERT's
  if (is_distilbert) config.layers = 6;
  reader.common();
  reader.only("is_decoder", false);
  if (auto const kind = get_or<std::string>(json, "position_embedding_type", "absolute", file); kind != "absolute")
    reader.refuse("position_embedding_type", detail::in_quotes(kind), "\"absolute\"");
  // DistilBERT has names of its own, which for the others mean nothing.
  auto const size = [&](std::string_view usual, std::string_view distilbert, std::size_t otherwise, std::size_t largest) {
    return is_distilbert ? reader.size({distilbert, usual}, otherwise, largest) : reader.size({usual}, otherwise, largest);
  };
  config.architectures = get_or<std::vector<std::string>>(json, "architectures", {}, file);
  config.vocabulary = reader.size({"vocab_size"}, config.vocabulary, detail::largest_table);
  config.hidden = size("hidden_size", "dim", config.hidden, detail::largest_width);
  config.layers = size("num_hidden_layers", "n_layers", config.layers, detail::largest_depth);
  config.heads = size("num_attention_heads", "n_heads", config.heads, detail::largest_width);
  config.head_size = reader.head_size(config.hidden, config.heads);
  config.inner = size("intermediate_size", "hidden_dim", config.inner, 4 * detail::largest_width);
  config.positions = reader.size({"max_position_embeddings"}, config.positions, detail::largest_table);
  config.token_types = is_distilbert ? 0 : reader.size({"type_vocab_size"}, config.token_types, detail::largest_table);
  if (!is_distilbert) config.layer_norm_epsilon = reader.epsilon("layer_norm_eps", config.layer_norm_epsilon);
  config.activation = reader.activation(is_distilbert ? "activation" : "hidden_act", "gelu", config.printed);
  if (find_member(json, "pad_token_id", file) != nullptr) config.padding_id = detail::padding_id(json, file);
  if (is_roberta(config.family)) {
    if (!config.padding_id) reader.refuse("pad_token_id", "none", "the id that positions are counted from");
    if (*config.padding_id + 1 >= config.positions)
      throw FormatError(detail::message({file, ": max_position_embeddings: found ", config.positions, ", expected more than pad_token_id + 1, ",
                                         *config.padding_id + 1}));
  }
  config.head_weights = reader.head_weights();
  PrintedSettings& printed = config.printed;
  printed.padding_id = config.padding_id;
  printed.hidden_dropout = reader.dropout(is_distilbert ? "dropout" : "hidden_dropout_prob", "0.1");
  printed.embedding_dropout = printed.hidden_dropout;
  printed.attention_dropout = reader.dropout(is_distilbert ? "attention_dropout" : "attention_probs_dropout_prob", "0.1");
  printed.token_classifier_dropout = is_distilbert ? printed.hidden_dropout : reader.dropout("classifier_dropout", printed.hidden_dropout);
  printed.classifier_dropout = is_distilbert ? reader.dropout("seq_classif_dropout", "0.2") : printed.token_classifier_dropout;
  if (is_distilbert) printed.answer_dropout = reader.dropout("qa_dropout", "0.1");
  if (auto const width = reader.optional_size({"embedding_size"}, detail::largest_width); width && *width != config.hidden)
    reader.refuse("embedding_size", std::to_string(*width), detail::message({"the hidden size, ", config.hidden}));
  return config;
}

inline Gpt2Config read_gpt2_config(Json const& json, std::string const& file) {
  detail::ConfigReader const reader{json, file};
  if (model_family(json, file) != ModelFamily::gpt2) reader.refuse("model_type", "a BERT", "a GPT-2");
  reader.common();
  reader.only("scale_attn_weights", true);
  reader.only("scale_attn_by_inverse_layer_idx", false);
  // reorder_and_upcast_attn asks for what is done anyway: products and softmax in fp32.
  get_or<bool>(json, "reorder_and_upcast_attn", false, file);
  Gpt2Config config;
  config.architectures = get_or<std::vector<std::string>>(json, "architectures", {}, file);
  config.vocabulary = reader.size({"vocab_size"}, config.vocabulary, detail::largest_table);
  config.hidden = reader.size({"n_embd", "hidden_size"}, config.hidden, detail::largest_width);
  config.layers = reader.size({"n_layer", "num_hidden_layers"}, config.layers, detail::largest_depth);
  config.heads = reader.size({"n_head", "num_attention_heads"}, config.heads, detail::largest_width);
  config.head_size = reader.head_size(config.hidden, config.heads);
  config.inner = reader.size({"n_inner"}, 4 * config.hidden, 4 * detail::largest_width);
  config.positions = reader.size({"n_positions", "max_position_embeddings", "n_ctx"}, config.positions, detail::largest_table);
  config.layer_norm_epsilon = reader.epsilon("layer_norm_epsilon", config.layer_norm_epsilon);
  config.activation = reader.activation("activation_function", "gelu_new", config.printed);
  config.end_of_text_ids = detail::token_ids(json, "eos_token_id", config.end_of_text_ids, file);
  config.padding_id = detail::padding_id(json, file);
  config.head_weights = reader.head_weights();
  config.printed.embedding_dropout = reader.dropout("embd_pdrop", "0.1");
  config.printed.hidden_dropout = reader.dropout("resid_pdrop", "0.1");
  config.printed.attention_dropout = reader.dropout("attn_pdrop", "0.1");
  return config;
}

}  // namespace axiform
