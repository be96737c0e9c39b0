/// @file
/// The directory of a model: the one that is given, or the one in a Hugging Face cache that it stands for; and its small files, parsed once. A GGUF
/// file is taken for a directory too.
#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <string>

#include <axiform/io/json_value.hpp>
#include <axiform/io/model_path.hpp>

#if AXIFORM_DEFINES(io)
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <axiform/core/error.hpp>
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
///   (io/gguf_config.hpp);
/// - what `axiform quantize` made of a GGUF file: its metadata are in `metadata.gguf`, its tensors beside it.
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
  ModelDirectory(Path const& path) : ModelDirectory(detail::resolve_model_path(path), Resolved{}) {}

  std::filesystem::path const& path() const noexcept { return path_; }      ///< Where the files are.
  operator std::filesystem::path const&() const noexcept { return path_; }  ///< The same.
  std::string string() const { return path_.string(); }                     ///< The same, as messages say it.

  /// The file, where the model is in one GGUF file, or what is left of it, its metadata; else null. It is opened when somebody asks, and once. Valid for as long as this directory or a
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
  struct Resolved {};
  struct Parsed;

  ModelDirectory(std::filesystem::path path, Resolved);

  // The GGUF file that there is; empty where there is none.
  std::filesystem::path gguf_path() const;

  std::filesystem::path path_;
  std::shared_ptr<Parsed> parsed_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

struct ModelDirectory::Parsed {
  std::mutex mutex;
  std::optional<GgufFile> gguf;
  std::map<std::string, Json> files;  // A map, because what it holds stays where it is.
};

AXIFORM_INLINE ModelDirectory::ModelDirectory(std::filesystem::path path, Resolved)
    : path_(std::move(path)), parsed_(std::make_shared<Parsed>()) {}

AXIFORM_INLINE std::filesystem::path ModelDirectory::gguf_path() const {
  if (detail::is_gguf(path_)) return path_;
  std::error_code ignored;
  auto const metadata = path_ / "metadata.gguf";
  return std::filesystem::exists(metadata, ignored) ? metadata : std::filesystem::path();
}

AXIFORM_INLINE GgufFile const* ModelDirectory::gguf() const& {
  auto const path = gguf_path();
  if (path.empty()) return nullptr;
  std::lock_guard const lock(parsed_->mutex);
  if (!parsed_->gguf) {
    GgufFile file = GgufFile::open(path);
    if (auto const parts = file.find_metadata("split.count"); parts && parts->as<std::size_t>() > 1)
      throw CheckpointError(
          detail::message({string(), ": is one of ", parts->as<std::size_t>(),
                           " parts of a model, which cannot be read; expected one file (llama-gguf-split --merge makes it)"}));
    parsed_->gguf.emplace(std::move(file));
  }
  return &*parsed_->gguf;
}

AXIFORM_INLINE bool ModelDirectory::has(std::string const& name) const {
  std::error_code ignored;
  if (!detail::is_gguf(path_) && std::filesystem::exists(path_ / name, ignored)) return true;
  return (name == "config.json" || name == "tokenizer_config.json") && !gguf_path().empty();
}

AXIFORM_INLINE Json const& ModelDirectory::json(std::string const& name) const& {
  std::error_code ignored;
  bool const is_there = !detail::is_gguf(path_) && std::filesystem::exists(path_ / name, ignored);
  GgufFile const* const file = !is_there && has(name) ? gguf() : nullptr;
  std::lock_guard const lock(parsed_->mutex);
  auto place = parsed_->files.find(name);
  if (place != parsed_->files.end()) return place->second;
  if (file == nullptr && std::filesystem::is_regular_file(path_, ignored))
    throw FileError(string() + ": is a file, expected a model's directory, or a GGUF file, whose name ends in .gguf");
  Json json = file == nullptr ? read_json(path_ / name) : name == "config.json" ? gguf_config(*file) : gguf_tokenizer_config(*file);
  return parsed_->files.emplace(name, std::move(json)).first->second;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
