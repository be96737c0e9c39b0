/// @file
/// `load`: a model from a Hugging Face directory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/family_names.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A model, and what became of each tensor of its checkpoint.
template <class Model>
struct Loaded {
  Model model;        ///< Ready to run.
  LoadReport report;  ///< Loaded, ignored and missing names.
};

namespace internal {

/// What is specific to a family: how its config becomes sizes and settings, and its names.
template <class Model>
struct ModelLoader;

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

template <DimensionsLike D>
struct ModelLoader<Bert<D>> {
  static Bert<D> create(std::filesystem::path const& directory, Checkpoint const& checkpoint) {
    BertConfig const config = read_bert_config(directory);
    ModelSizes const sizes{.layers = config.layers,
                           .vocabulary = config.vocabulary,
                           .positions = config.positions,
                           .token_types = config.token_types};
    bool const has_pooler = checkpoint.find("pooler.dense.weight") || checkpoint.find("bert.pooler.dense.weight");
    return Bert<D>::create(dimensions_of<D>(config, sizes, (directory / "config.json").string()), sizes,
                           {.layers = {.activation = activation_of(config.activation),
                                       .layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon)},
                            .pooler = has_pooler ? Pooler::present : Pooler::absent});
  }
  static NameTable names() { return bert_names(); }
};

template <DimensionsLike D>
struct ModelLoader<Gpt2<D>> {
  static Gpt2<D> create(std::filesystem::path const& directory, Checkpoint const&) {
    Gpt2Config const config = read_gpt2_config(directory);
    ModelSizes const sizes{.layers = config.layers, .vocabulary = config.vocabulary, .positions = config.positions, .token_types = 0};
    return Gpt2<D>::create(dimensions_of<D>(config, sizes, (directory / "config.json").string()), sizes,
                           {.layers = {.activation = activation_of(config.activation),
                                       .layer_norm_epsilon = static_cast<float>(config.layer_norm_epsilon)}});
  }
  static NameTable names() { return gpt2_names(); }
};

}  // namespace internal

/// Loads the parameters of any layer from a checkpoint, straight into their packed form, on the context's threads.
/// @throws CheckpointError listing every tensor that is missing, of another shape or type, or not part of the model.
template <Layer L>
LoadReport load_parameters(L& layer, Checkpoint const& checkpoint, NameTable const& names, Context& context) {
  std::vector<ParameterRequest> requests;
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    requests.push_back({.name = std::string(name),
                        .shape = parameter.shape(),
                        .write_rows = [parameter](std::size_t first, std::span<float const> rows) { parameter.write_rows(first, rows); },
                        .write_transposed = [parameter](std::size_t first, std::size_t count, float const* values,
                                                        std::size_t stride) { parameter.write_transposed(first, count, values, stride); }});
  });
  return load_parameters(checkpoint, names, requests, context.executor());
}

/// Loads a model from a Hugging Face directory (`config.json` and safetensors), and says what became of each tensor.
///
/// @throws FileError when a file is missing; FormatError when one is malformed; CheckpointError when the config or the tensors are not those
///         of `Model`: every difference is listed by name.
template <class Model>
Loaded<Model> load_with_report(std::filesystem::path const& directory, Context& context) {
  using Loader = internal::ModelLoader<Model>;
  Checkpoint const checkpoint = Checkpoint::open(directory);
  Model model = Loader::create(directory, checkpoint);
  LoadReport report = load_parameters(model, checkpoint, Loader::names(), context);
  return {std::move(model), std::move(report)};
}

/// Loads a model from a Hugging Face directory.
///
///     auto bert = load<Bert<MiniLmL6>>("models/minilm-l6", context);   // another shape is refused
///     auto gpt2 = load<Gpt2<>>(directory, context);                    // any dimensions
///
/// @throws As `load_with_report`.
template <class Model>
Model load(std::filesystem::path const& directory, Context& context) {
  return load_with_report<Model>(directory, context).model;
}

}  // namespace axiform::inline AXIFORM_ARCH
