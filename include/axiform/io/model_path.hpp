/// @file
/// What a path stands for: the directory of a model, the one in a Hugging Face cache, or a GGUF file.
#pragma once

#include <filesystem>
#include <string_view>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform::detail {

/// The directory or GGUF file that a path stands for, as `ModelDirectory` says. One that leads to no cache is taken as it is.
/// @throws FileError when it is a cache, and which snapshot or model is meant cannot be told.
std::filesystem::path resolve_model_path(std::filesystem::path const& path);

/// Whether a path is that of a GGUF file, by its name.
bool is_gguf(std::filesystem::path const& path);

/// Whether there is a file or a directory of that name in a directory.
bool has_file(std::filesystem::path const& directory, std::string_view name);

/// Whether a name that a file gives is that of something in the same directory, and cannot lead out of it.
bool is_plain_file_name(std::string_view name) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_COLD AXIFORM_INLINE bool is_plain_file_name(std::string_view name) noexcept {
  constexpr std::string_view separators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(separators) == name.npos;
}

/// The names of what in a directory is wanted, in order; none where it cannot be read.
AXIFORM_COLD inline std::vector<std::string> names_in(std::filesystem::path const& path,
                                                      FunctionRef<bool(std::filesystem::directory_entry const&)> wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    if (wanted(*entry)) names.push_back(entry->path().filename().string());
  stable_sort(names, [](std::string const& a, std::string const& b) { return a < b; });
  return names;
}

/// The directories in a directory whose names begin so.
AXIFORM_COLD inline std::vector<std::string> directories_in(std::filesystem::path const& path, std::string_view prefix) {
  return names_in(path, [prefix](std::filesystem::directory_entry const& entry) {
    std::error_code ignored;
    return entry.path().filename().string().starts_with(prefix) && entry.is_directory(ignored);
  });
}

AXIFORM_COLD AXIFORM_INLINE bool has_file(std::filesystem::path const& directory, std::string_view name) {
  std::error_code ignored;
  return std::filesystem::exists(directory / name, ignored);
}

AXIFORM_COLD AXIFORM_INLINE bool is_gguf(std::filesystem::path const& path) {
  std::error_code ignored;
  return path.extension() == ".gguf" && !std::filesystem::is_directory(path, ignored);
}

/// The GGUF files in a directory.
AXIFORM_COLD inline std::vector<std::string> gguf_files_in(std::filesystem::path const& path) {
  return names_in(path, [](std::filesystem::directory_entry const& entry) { return is_gguf(entry.path()); });
}

AXIFORM_COLD inline std::string listed(std::vector<std::string> const& names) {
  constexpr std::size_t most = 20;
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) result += (i == 0 ? "" : ", ") + printable(names[i]);
  return names.size() > most ? message({result, " and ", names.size() - most, " more"}) : result;
}

/// The snapshot of a model in a cache.
AXIFORM_COLD inline std::filesystem::path resolve_snapshot(std::filesystem::path const& root) {
  auto const snapshots = root / "snapshots", reference = root / "refs/main";
  auto const names = directories_in(snapshots, "");
  if (has_file(root, "refs/main")) {
    std::string commit = read_file(reference, 4096);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' ')) commit.pop_back();
    if (!is_plain_file_name(commit))
      throw FileError(message({reference.string(), ": found ", in_quotes(commit), ", expected the name of a snapshot"}));
    for (std::string const& name : names)
      if (name == commit) return snapshots / commit;
    throw FileError(message({reference.string(), ": names the snapshot ", printable(commit), ", which is not there; found ",
                             names.empty() ? "none" : listed(names), " in ", snapshots.string()}));
  }
  if (names.size() == 1) return snapshots / names.front();
  if (names.empty()) throw FileError(message({snapshots.string(), ": has no snapshot of the model (was it downloaded?)"}));
  throw FileError(
      message({snapshots.string(), ": found the snapshots ", listed(names), ", and no refs/main that says which; give one of them"}));
}

/// The GGUF file that a directory stands for, or the directory.
AXIFORM_COLD inline std::filesystem::path resolve_gguf(std::filesystem::path const& directory) {
  if (has_file(directory, "config.json")) return directory;
  auto const files = gguf_files_in(directory);
  if (files.size() > 1) throw FileError(message({directory.string(), ": has several models (", listed(files), "); give one of the files"}));
  return files.empty() ? directory : directory / files.front();
}

AXIFORM_COLD AXIFORM_INLINE std::filesystem::path resolve_model_path(std::filesystem::path const& path) {
  std::error_code ignored;
  if (has_file(path, "config.json")) return path;
  if (std::filesystem::is_directory(path / "snapshots", ignored)) return resolve_gguf(resolve_snapshot(path));
  auto const models = directories_in(path, "models--");
  if (models.empty()) return resolve_gguf(path);
  if (models.size() == 1) return resolve_gguf(resolve_snapshot(path / models.front()));
  throw FileError(message({path.string(), ": is a cache of several models (", listed(models), "); give the directory of one"}));
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform::detail
