/// @file
/// The weights of a directory as Hugging Face lays it out: `model.safetensors` or `pytorch_model.bin`, or shards of either and their index; or of
/// a GGUF file.
///
///     auto const checkpoint = Checkpoint::open("models/minilm-l6");
///     if (auto const tensor = checkpoint.find("pooler.dense.bias")) checkpoint.read_floats(*tensor, 0, floats);
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/weight_format.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <map>
#include <system_error>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/stored_weights.hpp>
#include <axiform/io/torch_file.hpp>
#endif

namespace axiform {

/// A tensor of a checkpoint and the file that holds it. Valid for as long as the checkpoint is.
struct TensorRef {
  TensorFile const* file = nullptr;  ///< The file that holds it.
  TensorInfo const* info = nullptr;  ///< Where it is in that file.
};

/// Whether two tensors have the same shape and values, read a part at a time.
/// @throws FormatError when one holds no real numbers; FileError when reading fails.
bool equal_tensors(TensorRef const& a, TensorRef const& b);

namespace detail {

/// A format of weights: how its files are called, and what opens one.
struct WeightFormat {
  std::string_view stem;
  std::string_view extension;
  /// `stored` is the format of blocks that config.json says, if any.
  std::unique_ptr<TensorFile const> (*open)(std::filesystem::path const& path, std::optional<axiform::WeightFormat> stored);
};

/// The weights that were chosen among the files of a directory: one file, or the index of several.
struct WeightFiles {
  WeightFormat const* format;
  std::filesystem::path path;
};

}  // namespace detail

/// The tensors of a checkpoint directory, in one file or many. Reading is const and may be done by any number of threads at once.
class Checkpoint {
 public:
  /// Opens the first that is there of `model.safetensors`, `model.safetensors.index.json` with every shard that it names,
  /// `pytorch_model.bin` and `pytorch_model.bin.index.json`, as transformers chooses, and `model.pt`. Where there is none of these, a variant
  /// (`model.fp16.safetensors`) is taken if it is the only one. A GGUF file holds its tensors itself, under GGUF's names.
  /// @throws FileError when the directory or a file is missing; FormatError when a file is not what its format allows, or when the index
  ///         and the shards disagree; CheckpointError when the weights are there in another format only, in several variants, or in a file
  ///         that holds more than tensors.
  static Checkpoint open(ModelDirectory const& directory);

  /// The directory that was opened.
  std::filesystem::path const& directory() const noexcept { return directory_; }

  /// The file that was opened: that of the weights, or the index of several.
  std::filesystem::path const& weights() const noexcept { return weights_; }

  /// All tensors, in the order of their names.
  std::span<TensorRef const> tensors() const& noexcept { return tensors_; }
  void tensors() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// The names of all tensors, in order.
  std::vector<std::string> names() const;

  /// The tensor of that name in the files.
  std::optional<TensorRef> find(std::string_view name) const noexcept;

  /// Reads elements [first, first + out.size()) as `TensorFile::read_floats` does.
  void read_floats(TensorRef const& tensor, std::size_t first, std::span<float> out) const {
    tensor.file->read_floats(*tensor.info, first, out);
  }

 private:
  void open_shards(detail::WeightFiles const& weights, std::optional<WeightFormat> stored);
  void index_tensors();

  std::filesystem::path directory_;
  std::filesystem::path weights_;
  std::vector<std::shared_ptr<TensorFile const>> files_;
  std::vector<TensorRef> tensors_;  // In the order of their names.
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// Those that are read, in the order in which transformers prefers them.
inline constexpr std::array<WeightFormat, 3> weight_formats{{
    {"model", ".safetensors",
     [](std::filesystem::path const& path, std::optional<axiform::WeightFormat> stored) -> std::unique_ptr<TensorFile const> {
       return std::make_unique<SafetensorsFile>(stored ? SafetensorsFile::open_stored(path, *stored) : SafetensorsFile::open(path));
     }},
    {"pytorch_model", ".bin",
     [](std::filesystem::path const& path, std::optional<axiform::WeightFormat>) -> std::unique_ptr<TensorFile const> {
       return std::make_unique<TorchFile>(TorchFile::open(path));
     }},
    {"model", ".pt",  // as people call what torch.save writes
     [](std::filesystem::path const& path, std::optional<axiform::WeightFormat>) -> std::unique_ptr<TensorFile const> {
       return std::make_unique<TorchFile>(TorchFile::open(path));
     }},
}};

/// The weights of a directory in a variant ("fp16"; empty for the usual ones), in the first format that has them.
inline std::optional<WeightFiles> find_weights(std::filesystem::path const& directory, std::string_view variant) {
  std::string const infix = variant.empty() ? "" : message({".", variant});
  for (WeightFormat const& format : weight_formats) {
    for (std::string const& name :
         {message({format.stem, infix, format.extension}), message({format.stem, format.extension, ".index", infix, ".json"})}) {
      std::error_code ignored;
      if (std::filesystem::exists(directory / name, ignored)) return WeightFiles{&format, directory / name};
    }
  }
  return std::nullopt;
}

/// The variants that the files of a directory are named after, in order: "fp16" of `model.fp16.safetensors` and of
/// `model.safetensors.index.fp16.json`.
inline std::vector<std::string> weight_variants(std::filesystem::path const& directory) {
  std::vector<std::string> variants;
  auto const between = [&](std::string_view name, std::string const& prefix, std::string_view suffix) {
    if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix)) return;
    std::string_view const variant = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    bool const is_shard = variant.find("-of-") != variant.npos;  // model.fp16-00001-of-00002.safetensors
    if (!is_shard) variants.emplace_back(variant);
  };
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string const name = entry->path().filename().string();
    for (WeightFormat const& format : weight_formats) {
      between(name, message({format.stem, "."}), format.extension);
      between(name, message({format.stem, format.extension, ".index."}), ".json");
    }
  }
  std::ranges::sort(variants);
  variants.erase(std::unique(variants.begin(), variants.end()), variants.end());
  return variants;
}

/// The weights that `Checkpoint::open` opens.
inline WeightFiles choose_weights(std::filesystem::path const& directory) {
  if (auto const usual = find_weights(directory, "")) return *usual;
  auto const variants = weight_variants(directory);
  if (variants.size() > 1)
    throw CheckpointError(message({directory.string(), ": found the weights in the variants ", listed(variants),
                                   ", expected model.safetensors or one variant alone; give the one that is meant that name"}));
  if (variants.size() == 1)
    if (auto const only = find_weights(directory, variants.front())) return *only;
  std::error_code ignored;
  for (char const* other : {"tf_model.h5", "flax_model.msgpack", "model.ckpt.index", "model.onnx"})
    if (std::filesystem::exists(directory / other, ignored))
      throw CheckpointError(
          message({directory.string(), ": found ", other,
                   ", which cannot be read, expected model.safetensors or pytorch_model.bin (transformers' save_pretrained writes one)"}));
  throw FileError(
      message({directory.string(), ": found no weights, expected model.safetensors or pytorch_model.bin, or the index of their shards"}));
}

}  // namespace detail

AXIFORM_INLINE Checkpoint Checkpoint::open(ModelDirectory const& model) {
  std::filesystem::path const& directory = model.path();
  if (GgufFile const* const file = model.gguf(); file != nullptr && detail::is_gguf(directory)) {
    Checkpoint result;
    result.directory_ = result.weights_ = directory;
    result.files_.emplace_back(std::make_shared<ModelDirectory const>(model), file);  // which has it open
    result.index_tensors();
    return result;
  }
  std::error_code error;
  auto const status = std::filesystem::status(directory, error);
  if (status.type() == std::filesystem::file_type::not_found) throw FileError(detail::message({directory.string(), ": no such directory"}));
  if (status.type() == std::filesystem::file_type::none)
    throw FileError(detail::message({directory.string(), ": cannot be examined: ", error.message()}));
  if (!std::filesystem::is_directory(status))
    throw FileError(detail::message({directory.string(), ": is not a directory, expected that of a checkpoint"}));
  Checkpoint result;
  detail::WeightFiles const weights = detail::choose_weights(directory);
  result.directory_ = directory;
  result.weights_ = weights.path;
  auto stored = stored_weight_format(model);
  if (stored && !is_in_blocks(*stored)) stored.reset();
  if (weights.path.extension() == ".json") {
    result.open_shards(weights, stored);
  } else {
    result.files_.push_back(weights.format->open(weights.path, stored));
  }
  result.index_tensors();
  return result;
}

/// Opens every shard, and checks that shards and index hold the same tensors in the same files.
AXIFORM_INLINE void Checkpoint::open_shards(detail::WeightFiles const& weights, std::optional<WeightFormat> stored) {
  std::string const file = weights.path.string();
  Json const index = read_json(weights.path);
  std::map<std::string, std::size_t> shards;  // From a shard's name to its place in files_.
  std::map<std::string, std::size_t> expected;
  for (auto const& [name, value] : require_object(index, "weight_map", file).items()) {
    std::string const where = detail::message({file, ": weight_map: ", detail::printable(name)});
    std::string const* const shard = value.is_string() ? &value.text() : nullptr;
    if (shard == nullptr) throw FormatError(detail::message({where, ": found ", describe_json(value), ", expected the name of a file"}));
    if (!detail::is_plain_file_name(*shard))
      throw FormatError(
          detail::message({where, ": found ", detail::in_quotes(*shard), ", expected the name of a file in the same directory"}));
    auto const [place, is_new] = shards.try_emplace(*shard, files_.size());
    if (is_new) {
      std::error_code ignored;
      if (!std::filesystem::exists(directory_ / *shard, ignored))
        throw FileError(
            detail::message({(directory_ / detail::printable(*shard)).string(), ": no such file, which ", file, " names as a shard"}));
      files_.push_back(weights.format->open(directory_ / *shard, stored));
    }
    if (files_[place->second]->find(name) == nullptr)
      throw FormatError(detail::message({where, ": is not in ", files_[place->second]->path().string()}));
    expected.emplace(name, place->second);
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    for (TensorInfo const& info : files_[i]->tensors()) {
      auto const entry = expected.find(info.name);
      if (entry != expected.end() && entry->second == i) continue;
      throw FormatError(
          detail::message({files_[i]->path().string(), ": ", detail::printable(info.name), ": is not in this file according to ", file}));
    }
  }
}

AXIFORM_INLINE void Checkpoint::index_tensors() {
  for (auto const& file : files_)
    for (TensorInfo const& info : file->tensors()) tensors_.push_back({file.get(), &info});
  if (files_.size() < 2) return;  // A file's tensors have that order already.
  std::sort(tensors_.begin(), tensors_.end(), [](TensorRef const& a, TensorRef const& b) { return a.info->name < b.info->name; });
}

AXIFORM_INLINE std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> result;
  for (TensorRef const& tensor : tensors_) result.push_back(tensor.info->name);
  return result;
}

AXIFORM_INLINE std::optional<TensorRef> Checkpoint::find(std::string_view name) const noexcept {
  auto const place = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](TensorRef const& tensor, std::string_view wanted) { return tensor.info->name < wanted; });
  if (place == tensors_.end() || place->info->name != name) return std::nullopt;
  return *place;
}

AXIFORM_INLINE bool equal_tensors(TensorRef const& a, TensorRef const& b) {
  if (a.info->shape != b.info->shape) return false;
  bool const is_same_place = a.file == b.file && a.info->begin == b.info->begin && a.info->bytes == b.info->bytes;
  if (is_same_place && a.info->element_type == b.info->element_type && a.info->order == b.info->order &&
      a.info->block_format == b.info->block_format)
    return true;  // what `torch.save` keeps of tied tensors: names of one storage
  std::size_t const count = a.info->element_count();
  std::vector<float> left(std::min<std::size_t>(count, std::size_t{1} << 16)), right(left.size());
  for (std::size_t first = 0; first < count; first += left.size()) {
    std::size_t const size = std::min(left.size(), count - first);
    a.file->read_floats(*a.info, first, std::span(left).first(size));
    b.file->read_floats(*b.info, first, std::span(right).first(size));
    if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size), right.begin())) return false;
  }
  return true;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
