/// @file
/// `prepare_model`: a copy of a model's directory that loads without work, its weights in a smaller format.
///
///     prepare_model("models/minilm-l6", "models/minilm-l6-q8", WeightFormat::q8_0, context);
///     auto const model = SentenceEmbedding<>::from_directory("models/minilm-l6-q8", context);   // nothing else to say
#pragma once

#include <filesystem>

#include <axiform/core/context.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(models)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/model_path.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/io/stored_weights.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/visit.hpp>
#endif

namespace axiform::inline AXIFORM_ARCH {

/// Makes `target` a copy of a model's directory, or of a GGUF file, whose weights are in `format`. It loads as it is, into the model that
/// `LoadOptions{.weights = format}` makes of the original, bit for bit. Matrices and tables in blocks are not read then: the file is mapped, and processes
/// share it. In bf16 and f16 they are tensors as the original has them, under its names; norms and biases stay floats. Tokenizer, templates and all other
/// files beside them, and in the folders of a sentence-transformers directory's modules, are copied. Weights in blocks are in `model.q8_0.safetensors` or the like:
/// other programs, which do not know what they are, find none.
///
/// It is written under another name beside `target`, and takes its name when it is whole.
/// @throws ArgumentError when `target` is empty, there already or within the source, or the source is in blocks that this made; FileError when it cannot be written;
///         as `load_any` for a model that cannot be loaded.
void prepare_model(ModelDirectory const& source, std::filesystem::path const& target, WeightFormat format, Context& context);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace internal {

// A parameter of a loaded model.
struct LoadedParameter {
  std::string name;
  ConstParameterRef ref;
};

// The tensors of a prepared file, in the order in which they are written.
class PreparedTensors {
 public:
  PreparedTensors(Checkpoint const& checkpoint, WeightFormat format) : checkpoint_(checkpoint), format_(format) {}

  void add(NameTable const& names, std::span<LoadedParameter const> parameters);
  void write(std::filesystem::path const& path) const;

 private:
  using Parts = std::vector<LoadedParameter const*>;
  // A tensor's share of a matrix.
  struct Panels {
    std::size_t first_output;
    TensorData numbers, scales;
  };
  // All of a matrix. Numbers, then scales, in the order of outputs: as it lies in memory.
  struct MatrixTensors {
    std::vector<Panels> panels = {};
    std::size_t bytes = 0;
  };

  static bool lie_together(Parts const& parts);
  void add_panels(std::string const& name, Parts const& parts);
  void add_rows(std::string const& name, Parts const& parts);
  void add_floats(TensorRef const& tensor, ElementType type);
  void add_as_it_is(TensorRef const& tensor);
  std::span<std::byte> room(std::size_t bytes) { return owned_.emplace_back(bytes); }

  Checkpoint const& checkpoint_;
  WeightFormat format_;  // that was asked for
  std::vector<MatrixTensors> matrices_;
  std::map<void const*, std::size_t> matrix_of_;  // by where it is kept
  std::vector<TensorData> shapes_, others_;
  std::deque<std::vector<std::byte>> owned_;
};

inline void PreparedTensors::add(NameTable const& names, std::span<LoadedParameter const> parameters) {
  std::vector<ParameterRequest> requests;
  for (LoadedParameter const& parameter : parameters)
    requests.push_back({.name = parameter.name,
                        .shape = parameter.ref.shape(),
                        .write_rows = [](std::size_t, std::span<float const>) {},
                        .write_transposed = [](std::size_t, std::size_t, float const*, std::size_t) {}});
  std::map<TensorInfo const*, std::vector<ParameterPlace>> tensors;
  std::vector<TensorRef> order;
  for (ParameterPlace& place : place_parameters(checkpoint_, names, requests)) {
    auto const [entry, is_new] = tensors.try_emplace(place.tensor.info);
    if (is_new) order.push_back(place.tensor);
    entry->second.push_back(std::move(place));
  }
  for (TensorRef const& tensor : order) {
    auto& places = tensors.at(tensor.info);
    std::ranges::sort(places, {}, [](ParameterPlace const& one) { return one.place.part; });
    Parts parts;
    bool is_whole = places.back().place.part + 1 == places.back().place.parts;
    for (ParameterPlace const& one : places) {
      if (!parts.empty() && one.place.part + 1 == parts.size()) continue;  // of a tied one the second
      is_whole = is_whole && one.place.part == parts.size();
      parts.push_back(&parameters[one.request]);
    }
    WeightFormat const format = parts.front()->ref.format();
    if (is_in_blocks(format) && is_whole) {
      lie_together(parts) ? add_panels(tensor.info->name, parts) : add_rows(tensor.info->name, parts);
    } else {
      add_floats(tensor, format == WeightFormat::bf16  ? ElementType::bf16
                         : format == WeightFormat::f16 ? ElementType::f16
                                                       : ElementType::f32);
    }
  }
  for (TensorRef const& tensor : checkpoint_.tensors()) {
    auto const parameter = canonical_name(names, tensor.info->name);
    bool const is_copy = parameter && std::ranges::find(parameters, *parameter, &LoadedParameter::name) != parameters.end();
    if (!tensors.contains(tensor.info) && !is_copy && leftover(names, tensor.info->name) != Leftover::buffer) add_as_it_is(tensor);
  }
}

// Whether the parts are outputs of one matrix, one behind the other and in whole panels: then its memory is what is written.
inline bool PreparedTensors::lie_together(Parts const& parts) {
  auto const* const matrix = parts.front()->ref.matrix();
  std::size_t const first = parts.front()->ref.first_output();
  std::size_t end = first;
  for (LoadedParameter const* const part : parts) {
    if (matrix == nullptr || part->ref.matrix() != matrix || part->ref.first_output() != end) return false;
    end += part->ref.rows();
  }
  return first % stored_panel_outputs == 0 && (end % stored_panel_outputs == 0 || end == matrix->outputs());
}

inline void PreparedTensors::add_panels(std::string const& name, Parts const& parts) {
  auto const& matrix = *parts.front()->ref.matrix();
  std::size_t rows = 0;
  for (LoadedParameter const* const part : parts) rows += part->ref.rows();
  auto const [numbers, scales] = matrix.blocks(parts.front()->ref.first_output(), rows);
  auto const [place, is_new] = matrix_of_.try_emplace(&matrix, matrices_.size());
  if (is_new) matrices_.emplace_back();
  MatrixTensors& tensors = matrices_[place->second];
  tensors.bytes += numbers.size() + scales.size();
  auto [number_type, number_shape] = stored_numbers(matrix.format(), rows, matrix.inputs());
  auto [scale_type, scale_shape] = stored_scales(matrix.format(), rows, matrix.inputs());
  tensors.panels.push_back({parts.front()->ref.first_output(),
                            {name + ".numbers", number_type, std::move(number_shape), numbers},
                            {name + ".scales", scale_type, std::move(scale_shape), scales}});
  auto const lengths = room(2 * sizeof(std::int64_t));
  std::int64_t const values[]{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(matrix.inputs())};
  std::ranges::copy(std::as_bytes(std::span(values)), lengths.begin());
  shapes_.push_back({name + ".shape", ElementType::i64, {2}, lengths});
}

inline void PreparedTensors::add_rows(std::string const& name, Parts const& parts) {
  WeightFormat const format = parts.front()->ref.format();
  std::size_t const columns = parts.front()->ref.columns(), bytes = bytes_of(format, columns);
  std::size_t rows = 0;
  for (LoadedParameter const* const part : parts) rows += part->ref.rows();
  auto const blocks = room(rows * bytes);
  std::byte* target = blocks.data();
  for (LoadedParameter const* const part : parts)
    for (std::size_t row = 0; row < part->ref.rows(); ++row, target += bytes) part->ref.read_blocks(row, target);
  std::vector<std::size_t> shape{rows, bytes};
  if (format_ == WeightFormat::q4_k) shape = {rows, columns / weights_of_block(format), parts_of_block(format).bytes()};
  others_.push_back({name + ".blocks", ElementType::u8, std::move(shape), blocks});
}

// The floats that a tensor holds, rounded, arranged as they are.
inline void PreparedTensors::add_floats(TensorRef const& tensor, ElementType type) {
  std::size_t const count = tensor.info->element_count(), bytes = bits_of(type) / 8;
  auto const target = room(count * bytes);
  std::vector<float> values(std::min<std::size_t>(count, std::size_t{1} << 16));
  for (std::size_t first = 0; first < count; first += values.size()) {
    auto const part = std::span(values).first(std::min(values.size(), count - first));
    checkpoint_.read_floats(tensor, first, part);
    for (std::size_t i = 0; i < part.size(); ++i) {
      std::byte* const at = target.data() + (first + i) * bytes;
      std::uint16_t const half = type == ElementType::bf16 ? bfloat16_from_float(part[i]) : half_from_float(part[i]);
      type == ElementType::f32 ? std::memcpy(at, &part[i], sizeof(float)) : std::memcpy(at, &half, sizeof half);
    }
  }
  others_.push_back({tensor.info->name, type, tensor.info->shape, target});
}

// What this model has no use for, and another task may have: a head of its own, say.
inline void PreparedTensors::add_as_it_is(TensorRef const& tensor) {
  TensorInfo const& info = *tensor.info;
  if (info.order == ElementOrder::strided || (info.block_format && !info.has_floats())) return;
  if (info.block_format || info.order != ElementOrder::rows) return add_floats(tensor, ElementType::f32);
  auto const bytes = room(info.bytes);
  tensor.file->read(info, bytes);
  others_.push_back({info.name, info.element_type, info.shape, bytes});
}

// A matrix that is mapped begins at a multiple of 64 bytes. Most are multiples of that long; those that are not come last.
inline void PreparedTensors::write(std::filesystem::path const& path) const {
  auto matrices = matrices_;
  detail::stable_sort(matrices, std::less{}, [](MatrixTensors const& matrix) { return matrix.bytes % 64 != 0; });
  std::vector<TensorData> tensors;
  for (MatrixTensors& matrix : matrices) {
    std::ranges::sort(matrix.panels, {}, &Panels::first_output);
    for (Panels const& panels : matrix.panels) tensors.push_back(panels.numbers);
    for (Panels const& panels : matrix.panels) tensors.push_back(panels.scales);
  }
  tensors.insert(tensors.end(), shapes_.begin(), shapes_.end());
  auto others = others_;
  detail::stable_sort(others, std::greater{}, [](TensorData const& tensor) { return bits_of(tensor.element_type); });
  tensors.insert(tensors.end(), others.begin(), others.end());
  write_safetensors(path, tensors, {{"format", "pt"}}, TensorOrder::given);
}

// Whether a file holds weights of the model itself, in whatever format.
inline bool is_weights_file(std::string const& name) {
  constexpr std::string_view stems[]{"model", "pytorch_model", "tf_model", "flax_model", "rust_model"};
  constexpr std::string_view endings[]{".safetensors", ".bin", ".pt", ".h5", ".msgpack", ".onnx", ".ot", ".gguf", ".index.json"};
  return std::ranges::any_of(stems, [&](std::string_view stem) { return name.starts_with(stem); }) &&
         std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

// All files of a directory but its weights; links as what they lead to.
inline void copy_files(std::filesystem::path const& from, std::filesystem::path const& to) {
  std::filesystem::create_directories(to);
  for (auto const& entry : std::filesystem::directory_iterator(from))
    if (entry.is_regular_file() && !is_weights_file(entry.path().filename().string()))
      std::filesystem::copy_file(entry.path(), to / entry.path().filename());
}

// A directory that is removed again, unless it was given its name.
class UnfinishedDirectory {
 public:
  explicit UnfinishedDirectory(std::filesystem::path const& target) : target_(target) {
    if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path());
    std::filesystem::path const stem = target.string() + ".tmp-" + std::to_string(::getpid());
    for (std::size_t number = 0; path_.empty(); ++number) {  // another thread's, or what a process left that died
      std::filesystem::path name = stem;
      if (number != 0) name += "-" + std::to_string(number);
      if (std::filesystem::create_directory(name)) path_ = name;
    }
  }
  UnfinishedDirectory(UnfinishedDirectory const&) = delete;
  UnfinishedDirectory& operator=(UnfinishedDirectory const&) = delete;
  ~UnfinishedDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path const& path() const { return path_; }
  void finish() {
    std::filesystem::rename(path_, target_);
    path_.clear();
  }

 private:
  std::filesystem::path target_, path_;
};

// Config, metadata and weights of a transformer.
inline void write_prepared(AnyModel const& model, ModelDirectory const& source, std::filesystem::path const& target, WeightFormat format) {
  Checkpoint const checkpoint = Checkpoint::open(source);
  PreparedTensors tensors(checkpoint, format);
  std::visit(
      [&]<class Model>(Model const& loaded) {
        std::vector<LoadedParameter> parameters;
        for_each_parameter(loaded, [&](std::string_view name, ConstParameterRef const& ref) {
          if (ref.size() != 0) parameters.push_back({std::string(name), ref});
        });
        tensors.add(create_unloaded<Model>(source, checkpoint).names, parameters);
      },
      model);
  std::string const variant = is_in_blocks(format) ? std::string(name_of(format)) + "." : "";
  tensors.write(target / ("model." + variant + "safetensors"));
  Json config = source.json("config.json");
  set_stored_weight_format(config, format);
  write_file_atomically(target / "config.json", [&](FileWriter& file) { file.write(dump_json(config)); });
  if (GgufFile const* const file = source.gguf())
    write_file_atomically(target / "metadata.gguf", [&](FileWriter& out) { out.write(file->metadata_alone()); });
}

// All files of a directory of sentence-transformers, or of any other: its own and those of its modules. Gives where the transformer is to be.
inline std::filesystem::path copy_beside(ModelDirectory const& source, ModelDirectory const& transformer,
                                         std::filesystem::path const& target) {
  if (detail::is_gguf(source.path())) return target;
  copy_files(source, target);
  if (!source.has("modules.json")) return target;
  auto place = target;
  for (Json const& module : source.json("modules.json")) {
    auto const name = get_or<std::string>(module, "path", "", "modules.json");
    if (!detail::is_plain_file_name(name) || !std::filesystem::is_directory(source / name)) continue;
    if (std::filesystem::equivalent(source / name, transformer.path())) {
      place /= name;
      copy_files(source / name, place);
    } else {
      std::filesystem::copy(source / name, target / name, std::filesystem::copy_options::recursive);
    }
  }
  return place;
}

}  // namespace internal

AXIFORM_INLINE void prepare_model(ModelDirectory const& source, std::filesystem::path const& target, WeightFormat format,
                                  Context& context) {
  if (target.empty()) throw ArgumentError("prepared model: found an empty name, expected that of a new directory");
  auto const named = target.has_filename() ? target : target.parent_path();  // "folder/"
  std::error_code ignored;
  if (std::filesystem::exists(named, ignored))
    throw ArgumentError(named.string() + ": is there already, expected a name for a new directory");
  auto const within = [&](std::filesystem::path const& folder) {
    auto const whole = std::filesystem::weakly_canonical(folder, ignored), path = std::filesystem::weakly_canonical(named, ignored);
    return std::ranges::mismatch(whole, path).in1 == whole.end();
  };
  if (within(source.path()))
    throw ArgumentError(named.string() + ": is within " + source.string() + ", expected a place outside the model");
  ModelDirectory const transformer = source.has("modules.json") ? read_sentence_config(source).transformer : source;
  if (auto const stored = stored_weight_format(transformer); stored && is_in_blocks(*stored))
    throw ArgumentError(transformer.string() + ": is prepared already, in " + std::string(name_of(*stored)) +
                        ", expected the model that it was made of");
  AnyModel const model = load_any(transformer, {.weights = format}, context);
  try {
    internal::UnfinishedDirectory unfinished(named);
    internal::write_prepared(model, transformer, internal::copy_beside(source, transformer, unfinished.path()), format);
    unfinished.finish();
  } catch (std::filesystem::filesystem_error const& error) {
    throw FileError(named.string() + ": cannot be written: " + error.what());
  }
}

#endif  // AXIFORM_DEFINES(models)

}  // namespace axiform::inline AXIFORM_ARCH
