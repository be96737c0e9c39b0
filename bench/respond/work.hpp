/// @file
/// What `respond` runs: a piece of work by name, as compare/works.py lists them, MODEL/FORMAT/TASK: `bert_base/bf16/8x128`.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/models/load.hpp>

#include "../inputs.hpp"
#include "../limits.hpp"

namespace bench {

/// Both may be asked any number of times.
struct Work {
  /// Runs that many times, on new inputs each time; seconds, or what a limit is.
  std::function<std::vector<double>(std::size_t repetitions, Context&)> run;
  /// What comes of the input that all sides have, to be compared; empty where nothing is.
  std::function<std::vector<float>(Context&)> result;
};

/// A `run` of what takes seconds by itself.
template <class Once>
auto repeated(Once once) {
  return [once](std::size_t repetitions, Context& context) mutable {
    std::vector<double> taken(repetitions);
    for (double& one : taken) one = once(context);
    return taken;
  };
}

/// The parts of a name between slashes.
inline std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts(1);
  for (char const letter : name) {
    if (letter == '/')
      parts.emplace_back();
    else
      parts.back() += letter;
  }
  return parts;
}

/// "8x128" as 8 and 128.
struct BatchSize {
  std::size_t sequences, tokens;
};
inline BatchSize batch_size(std::string const& text) {
  BatchSize size{};
  if (std::sscanf(text.c_str(), "%zux%zu", &size.sequences, &size.tokens) != 2 || size.sequences == 0 || size.tokens == 0)
    throw ArgumentError("work: found \"" + text + "\", expected SEQUENCESxTOKENS");
  return size;
}

inline std::size_t number(std::string const& text) {
  std::size_t const value = std::strtoul(text.c_str(), nullptr, 10);
  if (value == 0) throw ArgumentError("work: found \"" + text + "\", expected a number above 0");
  return value;
}

inline std::vector<std::string> read_lines(std::filesystem::path const& path) {
  std::ifstream file(path);
  if (!file) throw FileError(path.string() + ": cannot be opened");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  return lines;
}

/// Numbers with space between.
inline std::vector<TokenId> read_ids(std::filesystem::path const& path) {
  std::ifstream file(path);
  std::vector<TokenId> ids;
  for (TokenId id = 0; file >> id;) ids.push_back(id);
  if (ids.empty()) throw FileError(path.string() + ": found no token ids");
  return ids;
}

/// The model of a directory or file in a format, once for all works that use it.
template <class Model>
std::shared_ptr<Model> loaded(std::filesystem::path const& path, LoadOptions const& loading, Context& context) {
  static std::map<std::string, std::weak_ptr<Model>> models;
  auto& kept = models[path.string() + ' ' + std::string(loading.weights ? name_of(*loading.weights) : "")];
  auto model = kept.lock();
  if (!model) kept = model = std::make_shared<Model>(load<Model>(path, loading, context));
  return model;
}

inline LoadOptions in_format(std::string const& name) {
  auto const format = weight_format_named(name);
  if (!format) throw ArgumentError("work: found no format \"" + name + "\"");
  return {.weights = format};
}

}  // namespace bench
