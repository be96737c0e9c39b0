/// @file
/// The half of loading that knows no model: a config and a table of names become a model with its parameters. `ModelLoader` says how for each
/// type of model; models/load.hpp has those of the known families too.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/available_memory.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/block_format.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/io/stored_weights.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/load_options.hpp>
#include <axiform/nn/dimensions.hpp>
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
///     static Unloaded<MyModel> create(ModelDirectory const& directory, Checkpoint const& checkpoint);
template <class Model>
struct ModelLoader;

namespace internal {

/// The dimensions that a config asks for, as a value of `D`.
/// @throws CheckpointError when `D` has them in its type and some differ: all of them, by name.
template <DimensionsLike D, DimensionsLike Found>
D dimensions_of(Found const& dimensions, ModelSizes const& sizes, std::string const& file) {
  // Readers of families whose heads all have keys of their own set the heads alone.
  constexpr bool has_key_heads = !std::is_same_v<typename Found::KeyHeads, typename Found::Heads>;
  std::size_t const key_heads = has_key_heads ? std::size_t{dimensions.key_heads} : std::size_t{dimensions.heads};
  if constexpr (StaticDimensions<D>) {
    constexpr D d{};
    std::string differences;
    auto const compare = [&](char const* name, std::size_t found, std::size_t expected) {
      if (found == expected) return;
      differences +=
          (differences.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(found) + " instead of " + std::to_string(expected);
    };
    compare("hidden size", dimensions.hidden, d.hidden);
    compare("heads", dimensions.heads, d.heads);
    compare("head size", dimensions.head_size, d.head_size);
    compare("inner size", dimensions.inner, d.inner);
    if (has_key_heads) compare("key heads", key_heads, d.key_heads);
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
    return D{dimensions.hidden, dimensions.heads, dimensions.head_size, dimensions.inner, key_heads};
  }
}

/// A parameter's tensor under the first name that the checkpoint has for it.
std::optional<TensorRef> find_parameter(Checkpoint const& checkpoint, NameTable const& names, std::string_view canonical);

/// Whose matrix a head computes with: the token table, where the config ties the two, unless the file has both and their values differ (as
/// transformers 5 has it). `names` is the family's table of untied names.
HeadWeights head_weights(HeadWeights config, Checkpoint const& checkpoint, NameTable const& names, char const* table, char const* head);

/// " (config.json: the checkpoint was saved from BertForMaskedLM)": what a message about missing tensors ends with. Empty where no config says.
std::string saved_from(ModelDirectory const& directory);

// Not part of the templates below, which every model instantiates.
ParameterRequest request_of(std::string_view name, ParameterRef const& parameter);
void check_memory(std::size_t needed, ModelDirectory const& directory);
[[noreturn]] void refuse_sizes(ModelDirectory const& directory);

// Zeros take no memory yet, but addresses.
template <class Model>
Unloaded<Model> create_unloaded(ModelDirectory const& directory, Checkpoint const& checkpoint) {
  try {
    return ModelLoader<Model>::create(directory, checkpoint);
  } catch (std::bad_alloc const&) {
    refuse_sizes(directory);
  }
}

}  // namespace internal

/// The bytes that a layer's parameters take in the formats that they are kept in.
template <Layer L>
std::size_t weight_bytes(L const& layer) {
  std::size_t bytes = 0;
  for_each_parameter(
      layer, [&](std::string_view, ConstParameterRef const& parameter) { bytes += bytes_of(parameter.format(), parameter.size()); });
  return bytes;
}

/// Keeps every matrix and table of a layer as the checkpoint has it: in its blocks where there is such a format, in q8_0 where there is none for its blocks
/// (which rounds them once more, by far less than they were rounded before; in bf16 where rows are no multiple of 32), else in f32. A matrix whose parts are
/// in different blocks is in q8_0. To be called before the layer is loaded.
template <Layer L>
void keep_blocks(L& layer, Checkpoint const& checkpoint, NameTable const& names) {
  std::map<void const*, WeightFormat> formats;  // of matrices, whose parts have names of their own
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    using enum WeightFormat;
    auto const tensor = internal::find_parameter(checkpoint, names, name);
    auto const blocks = tensor ? tensor->info->block_format : std::nullopt;
    WeightFormat const own = blocks ? weight_format_of(*blocks).value_or(q8_0) : f32;
    WeightFormat& format = formats.try_emplace(parameter.storage(), own).first->second;
    if (format != own) format = format == f32 || own == f32 ? f32 : q8_0;
    if (format_of_rows(format, parameter.columns()) != format) format = bf16;
    parameter.set_format(format);
  });
}

/// Loads the parameters of any layer from a checkpoint, straight into their packed form, on the context's threads.
/// @throws CheckpointError listing every tensor that is missing, of another shape or type, or not part of the model.
template <Layer L>
LoadReport load_parameters(L& layer, Checkpoint const& checkpoint, NameTable const& names, Context& context) {
  std::vector<ParameterRequest> requests;
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    if (parameter.size() == 0) return;  // DistilBERT's segments: no file names what has no row
    requests.push_back(internal::request_of(name, parameter));
  });
  return load_parameters(checkpoint, names, requests, context.executor());
}

/// Loads a model from a Hugging Face directory (`config.json` and `model.safetensors` or `pytorch_model.bin`), and says what became of each tensor.
///
/// @throws FileError when a file is missing; FormatError when one is malformed; CheckpointError when the config or the tensors are not those
///         of `Model`: every difference is listed by name; MemoryError, before memory is taken, when the weights are more than there is.
template <class Model>
Loaded<Model> load_with_report(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  Checkpoint const checkpoint = Checkpoint::open(directory);
  auto [model, names] = internal::create_unloaded<Model>(directory, checkpoint);
  if (auto const weights = options.weights ? options.weights : stored_weight_format(directory)) {
    set_weight_format(model, *weights);
  } else {
    keep_blocks(model, checkpoint, names);
  }
  if constexpr (requires { model.keep_caches_in(options.cache); }) model.keep_caches_in(options.cache);
  internal::check_memory(weight_bytes(model), directory);
  try {
    LoadReport report = load_parameters(model, checkpoint, names, context);
    return {std::move(model), std::move(report)};
  } catch (CheckpointError const& error) {
    throw CheckpointError(error.what() + internal::saved_from(directory));
  }
}
/// The same with the usual options.
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
/// The same with the usual options.
template <class Model>
Model load(ModelDirectory const& directory, Context& context) {
  return load<Model>(directory, {}, context);
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace internal {

AXIFORM_INLINE std::optional<TensorRef> find_parameter(Checkpoint const& checkpoint, NameTable const& names, std::string_view canonical) {
  for (auto candidates : {&name_candidates, &name_candidates_otherwise})
    for (NameCandidate const& candidate : candidates(names, canonical))
      if (auto const tensor = checkpoint.find(candidate.name)) return tensor;
  return std::nullopt;
}

AXIFORM_INLINE HeadWeights head_weights(HeadWeights config, Checkpoint const& checkpoint, NameTable const& names, char const* table,
                                        char const* head) {
  if (config == HeadWeights::own) return config;
  auto const of_table = find_parameter(checkpoint, names, table), of_head = find_parameter(checkpoint, names, head);
  return of_table && of_head && !equal_tensors(*of_table, *of_head) ? HeadWeights::own : HeadWeights::tied;
}

AXIFORM_INLINE std::string saved_from(ModelDirectory const& directory) {
  try {
    auto const architectures = get_or<std::vector<std::string>>(directory.json("config.json"), "architectures", {}, "config.json");
    if (architectures.empty()) return {};
    return detail::message({" (config.json: the checkpoint was saved from ", detail::printable(architectures.front()), ")"});
  } catch (Error const&) {
    return {};
  }
}

AXIFORM_INLINE void check_memory(std::size_t needed, ModelDirectory const& directory) {
  auto const available = available_memory();
  if (!available || needed <= *available) return;
  auto const mebibytes = [](std::size_t bytes) { return bytes >> 20; };
  throw MemoryError(detail::message({directory.string(), ": its weights take ", mebibytes(needed), " MiB, and ", mebibytes(*available),
                                     " MiB of memory are available; expected less, or a smaller format of weights (bf16, q8_0, q4_0)"}));
}

AXIFORM_INLINE void refuse_sizes(ModelDirectory const& directory) {
  throw MemoryError(
      detail::message({(directory / "config.json").string(), ": weights of these sizes take more memory than a process can have"}));
}

AXIFORM_INLINE ParameterRequest request_of(std::string_view name, ParameterRef const& parameter) {
  return {.name = std::string(name),
          .shape = parameter.shape(),
          .write_rows = [parameter](std::size_t first, std::span<float const> rows) { parameter.write_rows(first, rows); },
          .write_transposed = [parameter](std::size_t first, std::size_t count, float const* values,
                                          std::size_t stride) { parameter.write_transposed(first, count, values, stride); },
          .block_format = is_in_blocks(parameter.format()) ? std::optional(parameter.format()) : std::nullopt,
          .write_blocks = [parameter](std::size_t first, std::span<std::byte const> blocks) { parameter.write_blocks(first, blocks); },
          .storage = parameter.storage(),
          .storage_row = parameter.first_output(),
          .storage_rows = parameter.storage_rows(),
          .is_in_panels = parameter.is_matrix(),
          .share = [parameter](std::span<std::byte const> bytes,
                               std::shared_ptr<void const> owner) { parameter.share(bytes, std::move(owner)); }};
}

}  // namespace internal

#endif  // AXIFORM_DEFINES(models)

}  // namespace axiform::inline AXIFORM_ARCH
