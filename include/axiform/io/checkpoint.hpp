/// @file
/// A checkpoint directory as Hugging Face lays it out: `model.safetensors`, or shards and their `model.safetensors.index.json`.
///
///     auto const checkpoint = Checkpoint::open("models/minilm-l6");
///     if (auto const tensor = checkpoint.find("pooler.dense.bias")) checkpoint.read_floats(*tensor, 0, floats);
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/safetensors.hpp>

namespace axiform {

/// A tensor of a checkpoint and the file that holds it. Valid for as long as the checkpoint is.
struct TensorRef {
  SafetensorsFile const* file = nullptr;  ///< The file that holds it.
  TensorInfo const* info = nullptr;       ///< Where it is in that file.
};

/// Whether two tensors have the same shape and values, read a part at a time.
/// @throws FormatError when one holds no real numbers; FileError when reading fails.
bool equal_tensors(TensorRef const& a, TensorRef const& b);

/// The tensors of a checkpoint directory, in one file or many. Reading is const and may be done by any number of threads at once.
class Checkpoint {
 public:
  /// Opens `model.safetensors`, or, when there is none, `model.safetensors.index.json` and every shard that it names.
  /// @throws FileError when the directory or a file is missing; FormatError when a file is not what its format allows, or when the index
  ///         and the shards disagree; CheckpointError when the weights are there in another format only.
  static Checkpoint open(std::filesystem::path const& directory);

  /// The directory that was opened.
  std::filesystem::path const& directory() const noexcept { return directory_; }

  /// All tensors, in the order of their names.
  std::span<TensorRef const> tensors() const& noexcept { return tensors_; }
  void tensors() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// The names of all tensors, in order.
  std::vector<std::string> names() const;

  /// The tensor of that name in the files.
  std::optional<TensorRef> find(std::string_view name) const noexcept;

  /// Reads elements [first, first + out.size()) as `SafetensorsFile::read_floats` does.
  void read_floats(TensorRef const& tensor, std::size_t first, std::span<float> out) const {
    tensor.file->read_floats(*tensor.info, first, out);
  }

 private:
  void open_shards(std::filesystem::path const& index_path);
  void index_tensors();

  std::filesystem::path directory_;
  std::vector<SafetensorsFile> files_;
  std::vector<TensorRef> tensors_;  // In the order of their names.
};

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

/// Whether a name from an index is that of a file in the same directory, and cannot lead out of it.
inline bool is_plain_file_name(std::string_view name) noexcept {
  constexpr std::string_view separators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(separators) == name.npos;
}

[[noreturn]] inline void throw_no_safetensors(std::filesystem::path const& directory) {
  std::error_code ignored;
  for (char const* other : {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "model.ckpt.index"})
    if (std::filesystem::exists(directory / other, ignored))
      throw CheckpointError(
          detail::message({directory.string(), ": found ", other, " but no model.safetensors; only safetensors can be read ",
                           "(transformers' save_pretrained writes it)"}));
  throw FileError(detail::message({directory.string(), ": found neither model.safetensors nor model.safetensors.index.json"}));
}

}  // namespace detail

inline Checkpoint Checkpoint::open(std::filesystem::path const& directory) {
  std::error_code error;
  auto const status = std::filesystem::status(directory, error);
  if (status.type() == std::filesystem::file_type::not_found) throw FileError(detail::message({directory.string(), ": no such directory"}));
  if (status.type() == std::filesystem::file_type::none)
    throw FileError(detail::message({directory.string(), ": cannot be examined: ", error.message()}));
  if (!std::filesystem::is_directory(status))
    throw FileError(detail::message({directory.string(), ": is not a directory, expected that of a checkpoint"}));
  Checkpoint result;
  result.directory_ = directory;
  auto const single = directory / "model.safetensors";
  auto const index = directory / "model.safetensors.index.json";
  if (std::filesystem::exists(single, error)) {
    result.files_.push_back(SafetensorsFile::open(single));
  } else if (std::filesystem::exists(index, error)) {
    result.open_shards(index);
  } else {
    detail::throw_no_safetensors(directory);
  }
  result.index_tensors();
  return result;
}

/// Opens every shard, and checks that shards and index hold the same tensors in the same files.
inline void Checkpoint::open_shards(std::filesystem::path const& index_path) {
  std::string const file = index_path.string();
  Json const index = read_json(index_path);
  std::map<std::string, std::size_t> shards;  // From a shard's name to its place in files_.
  std::map<std::string, std::size_t> expected;
  for (auto const& [name, value] : require_object(index, "weight_map", file).get_ref<Json::object_t const&>()) {
    std::string const where = detail::message({file, ": weight_map: ", detail::printable(name)});
    auto const* const shard = value.get_ptr<Json::string_t const*>();
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
      files_.push_back(SafetensorsFile::open(directory_ / *shard));
    }
    if (files_[place->second].find(name) == nullptr)
      throw FormatError(detail::message({where, ": is not in ", files_[place->second].path().string()}));
    expected.emplace(name, place->second);
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    for (TensorInfo const& info : files_[i].tensors()) {
      auto const entry = expected.find(info.name);
      if (entry != expected.end() && entry->second == i) continue;
      throw FormatError(
          detail::message({files_[i].path().string(), ": ", detail::printable(info.name), ": is not in this file according to ", file}));
    }
  }
}

inline void Checkpoint::index_tensors() {
  for (SafetensorsFile const& file : files_)
    for (TensorInfo const& info : file.tensors()) tensors_.push_back({&file, &info});
  if (files_.size() < 2) return;  // A file's tensors have that order already.
  std::sort(tensors_.begin(), tensors_.end(), [](TensorRef const& a, TensorRef const& b) { return a.info->name < b.info->name; });
}

inline std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> result;
  for (TensorRef const& tensor : tensors_) result.push_back(tensor.info->name);
  return result;
}

inline std::optional<TensorRef> Checkpoint::find(std::string_view name) const noexcept {
  auto const place = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](TensorRef const& tensor, std::string_view wanted) { return tensor.info->name < wanted; });
  if (place == tensors_.end() || place->info->name != name) return std::nullopt;
  return *place;
}

inline bool equal_tensors(TensorRef const& a, TensorRef const& b) {
  if (a.info->shape != b.info->shape) return false;
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

}  // namespace axiform
