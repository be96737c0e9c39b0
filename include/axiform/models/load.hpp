/// @file
/// `load`: a model from a Hugging Face directory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/family_names.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/gpt2_heads.hpp>
#include <axiform/models/load_options.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A model, and what became of each tensor of its checkpoint.
template <class Model>
struct Loaded {
  Model model;        ///< Ready to run.
  LoadReport report;  ///< Loaded, ignored and missing names.
};

/// A model that has yet to be given its parameters.
template <class Model>
struct Unloaded {
  Model model;      ///< Zero weights, of the config's sizes.
  NameTable names;  ///< What the checkpoint calls its parameters.
};

/// How `load` makes a model of a type. Specialise it for a model of your own, with one static function:
///
///     static Unloaded<MyModel> create(std::filesystem::path const& directory, Checkpoint const& checkpoint);
template <class Model>
struct ModelLoader;

namespace internal {

inline Activation activation_of(ConfigActivation activation) {
  switch (activation) {
    case ConfigActivation::gelu: return Activation::gelu;
    case ConfigActivation::gelu_tanh: return Activation::gelu_tanh;
    case ConfigActivation::relu: return Activation::relu;
  }
  return Activation::none;
}

/// The dimensions that a config asks for, as a value of `D`.
/// @throws CheckpointError when `D` has them in its type and some differ: all of them, by name.
template <DimensionsLike D, class Config>
D dimensions_of(Config const& config, ModelSizes const& sizes, std::string const& file) {
  if constexpr (StaticDimensions<D>) {
    constexpr D d{};
    std::string differences;
    auto const compare = [&](char const* name, std::size_t found, std::size_t expected) {
      if (found == expected) return;
      differences += (differences.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(found) + " instead of " + std::to_string(expected);
    };
    compare("hidden size", config.hidden, d.hidden);
    compare("heads", config.heads, d.heads);
    compare("head size", config.head_size, d.head_size);
    compare("inner size", config.inner, d.inner);
    if constexpr (NamedDimensions<D>) {
      compare("layers", sizes.layers, D::sizes.layers);
      compare("vocabulary", sizes.vocabulary, D::sizes.vocabulary);
      compare("positions", sizes.positions, D::sizes.positions);
      compare("token types", sizes.token_types, D::sizes.token_types);
    }
    if (!differences.empty())
      throw CheckpointError(file + ": the checkpoint has other dimensions than the model's type: found " + differences);
    return d;
  } else {
    return D{config.hidden, config.heads, config.head_size, config.inner};
  }
}

/// A parameter's tensor under the first name that the checkpoint has for it.
inline std::optional<TensorRef> find_parameter(Checkpoint const& checkpoint, NameTable const& names, char const* canonical) {
  for (NameCandidate const& candidate : name_candidates(names, canonical))
    if (auto const tensor = checkpoint.find(candidate.name)) return tensor;
  return std::nullopt;
}

/// Whose matrix a head computes with: the token table, where the config ties the two, unless the file has both and their values differ (as
/// transformers 5 has it). `names` is the family's table of untied names.
inline HeadWeights head_weights(HeadWeights config, Checkpoint const& checkpoint, NameTable const& names, char const* table,
                                char const* head) {
  if (config == HeadWeights::own) return config;
  auto const of_table = find_parameter(checkpoint, names, table), of_head = find_parameter(checkpoint, names, head);
  return of_table && of_head && !equal_tensors(*of_table, *of_head) ? HeadWeights::own : HeadWeights::tied;
}

/// A config, the encoder that it describes, with zero weights, and what the checkpoint calls its parameters.
template <DimensionsLike D>
struct BertBody {
  BertConfig config;
  NameTable names;
  Bert<D> bert;

  static BertBody create(std::filesystem::path const& directory, Pooler pooler) {
    BertConfig const config = read_bert_config(directory);
    return create(directory, config, family_names(config.family, config.head_weights), pooler, HeadWeights::own);
  }
  /// With the pooler where the file has one.
  static BertBody create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    BertConfig const config = read_bert_config(directory);
    NameTable names = family_names(config.family, config.head_weights);
    bool const has_pooler = find_parameter(checkpoint, names, "pooler.weight").has_value();
    return create(directory, config, std::move(names), has_pooler ? Pooler::present : Pooler::absent, HeadWeights::own);
  }
  /// With a token table that `masked_lm_head` shares where the two are tied.
  static BertBody create_for_masked_lm(std::filesystem::path const& directory, Checkpoint const& checkpoint, Pooler pooler) {
    BertConfig config = read_bert_config(directory);
    config.head_weights = head_weights(config.head_weights, checkpoint, family_names(config.family, HeadWeights::own),
                                       "embeddings.words.weight", "mlm.decoder.weight");
    return create(directory, config, family_names(config.family, config.head_weights), pooler, config.head_weights);
  }

  MaskedLmHead<D> masked_lm_head() const {
    // RoBERTa's head has the exact GELU whatever the config says of the layers.
    Activation const activation = is_roberta(config.family) ? Activation::gelu : activation_of(config.activation);
    return MaskedLmHead<D>::create(bert.dimensions, config.vocabulary, activation, static_cast<float>(config.layer_norm_epsilon),
                                   config.head_weights);
  }

 private:
  static BertBody create(std::filesystem::path const& directory, BertConfig const& config, NameTable names, Pooler pooler,
                         HeadWeights table) {
    ModelSizes const sizes{.layers = config.layers,
                           .vocabulary = config.vocabulary,
                           .positions = config.positions,
                           .token_types = config.token_types};
    BertSettings settings{.layers = {.activation = activation_of(config.activation),
                                     .layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon)},
                          .pooler = pooler,
                          .family = config.family,
                          .head_weights = table,
                          .printed = config.printed};
    if (config.padding_id) settings.padding_id = static_cast<TokenId>(*config.padding_id);
    D const d = dimensions_of<D>(config, sizes, (directory / "config.json").string());
    return {config, std::move(names), Bert<D>::create(d, sizes, settings)};
  }
};

/// The same of a GPT-2.
template <DimensionsLike D>
struct Gpt2Body {
  Gpt2Config config;
  Gpt2<D> gpt2;

  static Gpt2Body create(std::filesystem::path const& directory, Gpt2Config const& config) {
    ModelSizes const sizes{.layers = config.layers, .vocabulary = config.vocabulary, .positions = config.positions, .token_types = 0};
    return {config, Gpt2<D>::create(dimensions_of<D>(config, sizes, (directory / "config.json").string()), sizes,
                                    {.layers = {.activation = activation_of(config.activation),
                                                .layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon)},
                                     .head_weights = config.head_weights,
                                     .printed = config.printed})};
  }
};

/// " (config.json: the checkpoint was saved from BertForMaskedLM)": what a message about missing tensors ends with. Empty where no config says.
inline std::string saved_from(std::filesystem::path const& directory) {
  try {
    auto const path = directory / "config.json";
    auto const architectures = get_or<std::vector<std::string>>(read_json(path), "architectures", {}, path.string());
    if (architectures.empty()) return {};
    return detail::message({" (config.json: the checkpoint was saved from ", detail::printable(architectures.front()), ")"});
  } catch (Error const&) {
    return {};
  }
}

inline std::size_t label_count(std::filesystem::path const& directory) { return read_label_config(directory).labels.size(); }

}  // namespace internal

/// Loads BERT, RoBERTa and DistilBERT encoders; the pooler where the file has one.
template <DimensionsLike D>
struct ModelLoader<Bert<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Bert<D>> create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    auto body = internal::BertBody<D>::create(directory, checkpoint);
    return {std::move(body.bert), std::move(body.names)};
  }
};

/// Loads the masked-LM models of the three families.
template <DimensionsLike D>
struct ModelLoader<BertForMaskedLm<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForMaskedLm<D>> create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    auto body = internal::BertBody<D>::create_for_masked_lm(directory, checkpoint, Pooler::absent);
    auto head = body.masked_lm_head();
    return {{std::move(body.bert), std::move(head)}, std::move(body.names)};
  }
};

/// Loads BertForNextSentencePrediction, and the same part of BertForPreTraining.
template <DimensionsLike D>
struct ModelLoader<BertForNextSentence<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForNextSentence<D>> create(std::filesystem::path const& directory, Checkpoint const&) {
    auto body = internal::BertBody<D>::create(directory, Pooler::present);
    auto const hidden = body.bert.dimensions.hidden;
    return {{std::move(body.bert), {hidden, {}}}, std::move(body.names)};
  }
};

/// Loads BertForPreTraining.
template <DimensionsLike D>
struct ModelLoader<BertForPreTraining<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForPreTraining<D>> create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    auto body = internal::BertBody<D>::create_for_masked_lm(directory, checkpoint, Pooler::present);
    auto const hidden = body.bert.dimensions.hidden;
    auto head = body.masked_lm_head();
    return {{std::move(body.bert), std::move(head), {hidden, {}}}, std::move(body.names)};
  }
};

/// Loads the question-answering models of the three families.
template <DimensionsLike D>
struct ModelLoader<BertForQuestionAnswering<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForQuestionAnswering<D>> create(std::filesystem::path const& directory, Checkpoint const&) {
    auto body = internal::BertBody<D>::create(directory, Pooler::absent);
    auto const hidden = body.bert.dimensions.hidden;
    return {{std::move(body.bert), {hidden, {}}}, std::move(body.names)};
  }
};

/// Loads the classifiers of texts of the three families, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<BertForSequenceClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForSequenceClassification<D>> create(std::filesystem::path const& directory, Checkpoint const&) {
    auto body = internal::BertBody<D>::create(directory, Pooler::absent);
    auto const hidden = body.bert.dimensions.hidden;
    auto const activation = body.config.family == ModelFamily::distilbert ? Activation::relu : Activation::tanh;
    return {{std::move(body.bert), {{hidden, hidden}, activation, {hidden, internal::label_count(directory)}}}, std::move(body.names)};
  }
};

/// Loads the classifiers of tokens of the three families, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<BertForTokenClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BertForTokenClassification<D>> create(std::filesystem::path const& directory, Checkpoint const&) {
    auto body = internal::BertBody<D>::create(directory, Pooler::absent);
    auto const hidden = body.bert.dimensions.hidden;
    return {{std::move(body.bert), {hidden, internal::label_count(directory)}}, std::move(body.names)};
  }
};

/// Loads GPT2LMHeadModel, and the model alone.
template <DimensionsLike D>
struct ModelLoader<Gpt2<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Gpt2<D>> create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    Gpt2Config config = read_gpt2_config(directory);
    NameTable const own = gpt2_names(HeadWeights::own);
    config.head_weights = internal::head_weights(config.head_weights, checkpoint, own, "tokens.weight", "lm_head.weight");
    // A model that was saved without a language-model head has nothing to tie or not to tie.
    bool const was_saved_with_head = config.architectures.empty() || config.architectures.front() == "GPT2LMHeadModel";
    if (!was_saved_with_head && !internal::find_parameter(checkpoint, own, "lm_head.weight")) config.head_weights = HeadWeights::tied;
    return {internal::Gpt2Body<D>::create(directory, config).gpt2, gpt2_names(config.head_weights)};
  }
};

/// Loads GPT2ForSequenceClassification, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<Gpt2ForSequenceClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Gpt2ForSequenceClassification<D>> create(std::filesystem::path const& directory, Checkpoint const&) {
    Gpt2Config config = read_gpt2_config(directory);
    config.head_weights = HeadWeights::tied;  // the language-model head is not in the file, and is not used
    auto gpt2 = internal::Gpt2Body<D>::create(directory, config).gpt2;
    auto const hidden = gpt2.dimensions.hidden;
    return {{std::move(gpt2),
             {hidden, internal::label_count(directory)},
             config.padding_id ? std::optional(static_cast<TokenId>(*config.padding_id)) : std::nullopt},
            gpt2_names()};
  }
};

/// Loads the parameters of any layer from a checkpoint, straight into their packed form, on the context's threads.
/// @throws CheckpointError listing every tensor that is missing, of another shape or type, or not part of the model.
template <Layer L>
LoadReport load_parameters(L& layer, Checkpoint const& checkpoint, NameTable const& names, Context& context) {
  std::vector<ParameterRequest> requests;
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    if (parameter.size() == 0) return;  // DistilBERT's segments: no file names what has no row
    requests.push_back({.name = std::string(name),
                        .shape = parameter.shape(),
                        .write_rows = [parameter](std::size_t first, std::span<float const> rows) { parameter.write_rows(first, rows); },
                        .write_transposed = [parameter](std::size_t first, std::size_t count, float const* values,
                                                        std::size_t stride) { parameter.write_transposed(first, count, values, stride); }});
  });
  return load_parameters(checkpoint, names, requests, context.executor());
}

/// Loads a model from a Hugging Face directory (`config.json` and `model.safetensors` or `pytorch_model.bin`), and says what became of each tensor.
///
/// @throws FileError when a file is missing; FormatError when one is malformed; CheckpointError when the config or the tensors are not those
///         of `Model`: every difference is listed by name.
template <class Model>
Loaded<Model> load_with_report(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  Checkpoint const checkpoint = Checkpoint::open(directory);
  auto [model, names] = ModelLoader<Model>::create(directory, checkpoint);
  set_weight_format(model, options.weights);
  try {
    LoadReport report = load_parameters(model, checkpoint, names, context);
    return {std::move(model), std::move(report)};
  } catch (CheckpointError const& error) {
    throw CheckpointError(error.what() + internal::saved_from(directory));
  }
}
/// The same in f32.
template <class Model>
Loaded<Model> load_with_report(ModelDirectory const& directory, Context& context) {
  return load_with_report<Model>(directory, {}, context);
}

/// Loads a model from a Hugging Face directory.
///
///     auto bert = load<Bert<MiniLmL6>>("models/minilm-l6", context);   // another shape is refused
///     auto gpt2 = load<Gpt2<>>(directory, context);                    // any dimensions
///     auto model = load<BertForMaskedLm<>>(directory, context);        // BERT, RoBERTa or DistilBERT, with the head
///     auto half = load<Gpt2<>>(directory, {.weights = WeightFormat::bf16}, context);   // in half the memory
///
/// @throws As `load_with_report`.
template <class Model>
Model load(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  return load_with_report<Model>(directory, options, context).model;
}
/// The same in f32.
template <class Model>
Model load(ModelDirectory const& directory, Context& context) {
  return load<Model>(directory, {}, context);
}

}  // namespace axiform::inline AXIFORM_ARCH
