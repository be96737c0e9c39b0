/// @file
/// The directory of a model: the one that is given, or the one in a Hugging Face cache that it stands for; and its small files, parsed once. A GGUF
/// file is taken for a directory too.
#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <string>

#include <axiform/io/json_value.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/gguf_config.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

class GgufFile;  // axiform/io/gguf.hpp

/// A directory with a model's files. Whoever reads one takes this type, so that all of them understand the same paths:
///
/// - the directory itself: `config.json` beside the weights and the tokenizer's files;
/// - the root of a model in a Hugging Face cache (`models--ORGANISATION--NAME`): its snapshot that `refs/main` names, or its only one;
/// - a cache (`hub`) that has exactly one model;
/// - a GGUF file, or a directory that has exactly one and no config.json. Its config.json and tokenizer_config.json are then made of its metadata
///   (io/gguf_config.hpp).
///
///     auto const tokenizer = Tokenizer::from_directory("/root/.cache/huggingface/hub/models--openai-community--gpt2");
///
/// Its JSON files are read and parsed when somebody asks for them, and once: what is handed the same directory, or a copy, shares them.
///
///     ModelDirectory const directory("models/gpt2");                      // config.json is parsed once for
///     auto const labels = read_label_config(directory);                   // this,
///     auto const model = load<Gpt2ForSequenceClassification<>>(directory, context);  // and this
///
/// Any number of threads may ask at once.
class ModelDirectory {
 public:
  /// The working directory.
  ModelDirectory() : ModelDirectory(std::filesystem::path(), Resolved{}) {}
  /// Resolves a path. One that leads to no cache is taken as it is, also when there is nothing: who reads it will say so.
  /// @throws FileError when it is a cache, and which snapshot or model is meant cannot be told: those that are there are listed.
  template <std::convertible_to<std::filesystem::path> Path>
  ModelDirectory(Path const& path) : ModelDirectory(resolve(path), Resolved{}) {}

  std::filesystem::path const& path() const noexcept { return path_; }      ///< Where the files are.
  operator std::filesystem::path const&() const noexcept { return path_; }  ///< The same.
  std::string string() const { return path_.string(); }                     ///< The same, as messages say it.

  /// The file, where the model is in one GGUF file; else null. It is opened when somebody asks, and once. Valid for as long as this directory or a
  /// copy of it is. @throws As `GgufFile::open`; CheckpointError when it is a part of a model.
  GgufFile const* gguf() const&;
  GgufFile const* gguf() const&& = delete;  ///< The pointer would dangle: give the owner a name.

  /// Whether it has a file of that name.
  bool has(std::string const& name) const;
  /// A JSON file of that name, parsed. Valid for as long as this directory or a copy of it is.
  /// @throws FileError when it cannot be read; FormatError as `parse_json`. A file that failed is read again.
  Json const& json(std::string const& name) const&;
  Json const& json(std::string const& name) const&& = delete;  ///< The reference would dangle: give the owner a name.
  /// A directory within: this one, with what has been parsed of it, where `name` is empty.
  ModelDirectory subdirectory(std::filesystem::path const& name) const { return name.empty() ? *this : ModelDirectory(path_ / name); }

  /// The path of a file in it.
  friend std::filesystem::path operator/(ModelDirectory const& directory, std::filesystem::path const& name) {
    return directory.path_ / name;
  }

 private:
  static std::filesystem::path resolve(std::filesystem::path const& path);

  struct Resolved {};
  struct Parsed;

  ModelDirectory(std::filesystem::path path, Resolved);

  std::filesystem::path path_;
  std::shared_ptr<Parsed> parsed_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// Whether a name that a file gives is that of something in the same directory, and cannot lead out of it.
inline bool is_plain_file_name(std::string_view name) noexcept {
  constexpr std::string_view separators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(separators) == name.npos;
}

/// The names of what in a directory is wanted, in order; none where it cannot be read.
template <class Wanted>
std::vector<std::string> names_in(std::filesystem::path const& path, Wanted const& wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    if (wanted(*entry)) names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// The directories in a directory whose names begin so.
inline std::vector<std::string> directories_in(std::filesystem::path const& path, std::string_view prefix) {
  return names_in(path, [prefix](std::filesystem::directory_entry const& entry) {
    std::error_code ignored;
    return entry.path().filename().string().starts_with(prefix) && entry.is_directory(ignored);
  });
}

/// Whether a path is that of a GGUF file, by its name.
inline bool is_gguf(std::filesystem::path const& path) {
  std::error_code ignored;
  return path.extension() == ".gguf" && !std::filesystem::is_directory(path, ignored);
}

/// The GGUF files in a directory.
inline std::vector<std::string> gguf_files_in(std::filesystem::path const& path) {
  return names_in(path, [](std::filesystem::directory_entry const& entry) { return is_gguf(entry.path()); });
}

inline std::string listed(std::vector<std::string> const& names) {
  constexpr std::size_t most = 20;
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) result += (i == 0 ? "" : ", ") + printable(names[i]);
  return names.size() > most ? message({result, " and ", names.size() - most, " more"}) : result;
}

/// The snapshot of a model in a cache.
inline std::filesystem::path resolve_snapshot(std::filesystem::path const& root) {
  std::error_code ignored;
  auto const snapshots = root / "snapshots", reference = root / "refs" / "main";
  auto const names = directories_in(snapshots, "");
  if (std::filesystem::exists(reference, ignored)) {
    std::string commit = read_file(reference, 4096);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' ')) commit.pop_back();
    if (!is_plain_file_name(commit))
      throw FileError(message({reference.string(), ": found ", in_quotes(commit), ", expected the name of a snapshot"}));
    if (std::ranges::find(names, commit) != names.end()) return snapshots / commit;
    throw FileError(message({reference.string(), ": names the snapshot ", printable(commit), ", which is not there; found ",
                             names.empty() ? "none" : listed(names), " in ", snapshots.string()}));
  }
  if (names.size() == 1) return snapshots / names.front();
  if (names.empty()) throw FileError(message({snapshots.string(), ": has no snapshot of the model (was it downloaded?)"}));
  throw FileError(
      message({snapshots.string(), ": found the snapshots ", listed(names), ", and no refs/main that says which; give one of them"}));
}

/// The GGUF file that a directory stands for, or the directory.
inline std::filesystem::path resolve_gguf(std::filesystem::path const& directory) {
  std::error_code ignored;
  if (std::filesystem::exists(directory / "config.json", ignored)) return directory;
  auto const files = gguf_files_in(directory);
  if (files.size() > 1) throw FileError(message({directory.string(), ": has several models (", listed(files), "); give one of the files"}));
  return files.empty() ? directory : directory / files.front();
}

}  // namespace detail

struct ModelDirectory::Parsed {
  std::mutex mutex;
  std::optional<GgufFile> gguf;
  std::map<std::string, Json> files;  // A map, because what it holds stays where it is.
};

AXIFORM_INLINE ModelDirectory::ModelDirectory(std::filesystem::path path, Resolved)
    : path_(std::move(path)), parsed_(std::make_shared<Parsed>()) {}

AXIFORM_INLINE GgufFile const* ModelDirectory::gguf() const& {
  if (!detail::is_gguf(path_)) return nullptr;
  std::lock_guard const lock(parsed_->mutex);
  if (!parsed_->gguf) {
    GgufFile file = GgufFile::open(path_);
    if (auto const parts = file.find_metadata("split.count"); parts && parts->as<std::size_t>() > 1)
      throw CheckpointError(
          detail::message({string(), ": is one of ", parts->as<std::size_t>(),
                           " parts of a model, which cannot be read; expected one file (llama-gguf-split --merge makes it)"}));
    parsed_->gguf.emplace(std::move(file));
  }
  return &*parsed_->gguf;
}

AXIFORM_INLINE bool ModelDirectory::has(std::string const& name) const {
  if (detail::is_gguf(path_)) return name == "config.json" || name == "tokenizer_config.json";
  std::error_code ignored;
  return std::filesystem::exists(path_ / name, ignored);
}

AXIFORM_INLINE Json const& ModelDirectory::json(std::string const& name) const& {
  GgufFile const* const file = has(name) ? gguf() : nullptr;
  std::lock_guard const lock(parsed_->mutex);
  auto place = parsed_->files.find(name);
  if (place != parsed_->files.end()) return place->second;
  Json json = file == nullptr ? read_json(path_ / name) : name == "config.json" ? gguf_config(*file) : gguf_tokenizer_config(*file);
  return parsed_->files.emplace(name, std::move(json)).first->second;
}

AXIFORM_INLINE std::filesystem::path ModelDirectory::resolve(std::filesystem::path const& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path / "config.json", ignored)) return path;
  if (std::filesystem::is_directory(path / "snapshots", ignored)) return detail::resolve_gguf(detail::resolve_snapshot(path));
  auto const models = detail::directories_in(path, "models--");
  if (models.empty()) return detail::resolve_gguf(path);
  if (models.size() == 1) return detail::resolve_gguf(detail::resolve_snapshot(path / models.front()));
  throw FileError(
      detail::message({path.string(), ": is a cache of several models (", detail::listed(models), "); give the directory of one"}));
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
