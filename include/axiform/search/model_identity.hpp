/// @file
/// Which model made embeddings: vectors of different models do not compare.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/load_options.hpp>

#if AXIFORM_DEFINES(search)
#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>

#include <axiform/io/file.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/io/sha256.hpp>
#endif

namespace axiform {

/// What tells models of embeddings apart.
struct ModelIdentity {
  std::string name = {};                  ///< Its directory's name: for people, it says nothing about equality.
  std::string hash = {};                  ///< Of its files; empty where there is no model.
  std::string weights = {};               ///< What its weights were kept in, where that was chosen; else empty.
  std::vector<std::string> pooling = {};  ///< How it makes a vector of a text's tokens.

  /// Whether the two give the same embeddings.
  bool is_same_as(ModelIdentity const& other) const { return hash == other.hash && weights == other.weights; }
};

/// The identity of a model, without loading it: the SHA-256 of the names and contents of its configuration, tokenizer and weights. Of files of weights,
/// which are large, their sizes, their first 64 KiB (the header) and 64 blocks of 4 KiB spread over them are taken: all of a checkpoint's weights change
/// when it is trained further.
/// @throws FileError when a file cannot be read; as `read_sentence_config`.
ModelIdentity identify_model(ModelDirectory const& directory, LoadOptions const& loading = {});

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

inline bool is_weights_file(std::filesystem::path const& path) {
  auto const extension = path.extension();
  return extension == ".safetensors" || extension == ".bin" || extension == ".gguf";
}

/// The files of a model that its embeddings depend on, by their names within its directory.
inline std::vector<std::filesystem::path> files_of_model(std::filesystem::path const& directory) {
  std::error_code error, ignored;
  if (!std::filesystem::is_directory(directory, ignored)) return {directory};  // a GGUF file
  std::vector<std::filesystem::path> result;
  std::filesystem::recursive_directory_iterator entry(directory, std::filesystem::directory_options::skip_permission_denied, error);
  for (std::filesystem::recursive_directory_iterator const end; !error && entry != end; entry.increment(error)) {
    auto const& path = entry->path();
    if (path.filename().string().starts_with('.') || entry.depth() > 1) {
      entry.disable_recursion_pending();
    } else if (auto const extension = path.extension();
               (extension == ".json" || extension == ".txt" || extension == ".model" || is_weights_file(path)) &&
               entry->is_regular_file(ignored)) {
      result.push_back(path);
    }
  }
  if (error) throw FileError(message({directory.string(), ": cannot be listed: ", error.message()}));
  std::ranges::sort(result);
  return result;
}

inline void hash_file(Sha256& hash, std::filesystem::path const& path) {
  File const file = File::open_read(path);
  std::vector<std::byte> block;
  auto const add = [&](std::size_t begin, std::size_t size) {
    block.resize(size);
    file.read_at(begin, block);
    hash.add(block);
  };
  constexpr std::size_t head = std::size_t{1} << 16, sample = 4096, samples = 64;
  std::size_t const size = file.size();
  std::string const said = message({path.filename().string(), " ", size, "\n"});
  hash.add(std::as_bytes(std::span(said.data(), said.size())));
  if (!is_weights_file(path) || size <= head + samples * sample) {
    for (std::size_t begin = 0; begin < size; begin += head) add(begin, std::min(head, size - begin));
  } else {
    add(0, head);
    for (std::size_t i = 0; i < samples; ++i) add(head + (size - head - sample) / (samples - 1) * i, sample);
  }
}

constexpr std::string_view name_of_pooling(Pooling pooling) {
  constexpr std::array<std::string_view, 6> names{"mean", "first_token", "maximum", "mean_sqrt_length", "weighted_mean", "last_token"};
  return names.at(static_cast<std::size_t>(pooling));
}

}  // namespace detail

AXIFORM_INLINE ModelIdentity identify_model(ModelDirectory const& directory, LoadOptions const& loading) {
  ModelIdentity result;
  auto path = directory.path().lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  result.name = path.filename().string();
  Sha256 hash;
  for (auto const& file : detail::files_of_model(directory.path())) detail::hash_file(hash, file);
  result.hash = in_hexadecimal(hash.digest());
  if (loading.weights) result.weights = name_of(*loading.weights);
  for (Pooling const pooling : read_sentence_config(directory).pooling) result.pooling.emplace_back(detail::name_of_pooling(pooling));
  return result;
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
