/// @file
/// What tasks check before they run a model.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/models/known.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/tokenizer.hpp>

namespace axiform::detail {

/// @throws CheckpointError when config.json names a model with another head than one of `heads`; without a name, loading will tell.
void expect_head(ModelDirectory const& directory, std::initializer_list<ModelHead> heads, char const* task);

/// Tokens that a model reads at once, special ones included: its positions, or what its tokenizer says, if less.
std::size_t longest_text(Tokenizer const& tokenizer, std::size_t positions);
/// The same of a directory of sentence-transformers: where it says itself how long texts are, the tokenizer's word does not count.
std::size_t longest_text(Tokenizer const& tokenizer, std::size_t positions, std::optional<std::size_t> max_sequence_length);

/// How messages name one of many texts.
std::string text_name(std::size_t index, std::size_t count);

/// @throws ArgumentError when the encoding has no token, or more than `longest`.
void check_length(Encoding const& encoding, std::size_t longest, char const* task, std::size_t index = 0, std::size_t count = 1);

/// `do_lower_case` beside the tokenizer's own settings: nothing is to be done where the tokenizer lower-cases.
/// @throws CheckpointError, naming the file `settings`, when the tokenizer does not and it is required.
void check_lower_case(Tokenizer const& tokenizer, LowerCase lower_case, std::filesystem::path const& settings);

/// "a", "b" or "c": what messages expect.
std::string one_of(std::vector<std::string> const& names);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE void expect_head(ModelDirectory const& directory, std::initializer_list<ModelHead> heads, char const* task) {
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  ModelHead const found = model_head(config, file);
  if (found == ModelHead::none || std::ranges::find(heads, found) != heads.end()) return;
  auto const name = get_or<std::vector<std::string>>(config, "architectures", {}, file).front();
  throw CheckpointError(file + ": architectures: found " + in_quotes(name) + ", expected a model for " + task);
}

AXIFORM_INLINE std::size_t longest_text(Tokenizer const& tokenizer, std::size_t positions) {
  return std::min(tokenizer.model_max_length().value_or(positions), positions);
}

AXIFORM_INLINE std::size_t longest_text(Tokenizer const& tokenizer, std::size_t positions, std::optional<std::size_t> max_sequence_length) {
  return max_sequence_length ? std::min(*max_sequence_length, positions) : longest_text(tokenizer, positions);
}

AXIFORM_INLINE std::string text_name(std::size_t index, std::size_t count) {
  return count == 1 ? std::string() : "text " + std::to_string(index) + ": ";
}

AXIFORM_INLINE void check_length(Encoding const& encoding, std::size_t longest, char const* task, std::size_t index, std::size_t count) {
  if (encoding.size() == 0)
    throw ArgumentError(std::string(task) + ": " + text_name(index, count) + "found no token, expected at least one");
  if (encoding.size() > longest)
    throw ArgumentError(std::string(task) + ": " + text_name(index, count) + "found " + std::to_string(encoding.size()) +
                        " tokens, expected at most the model's " + std::to_string(longest));
}

AXIFORM_INLINE void check_lower_case(Tokenizer const& tokenizer, LowerCase lower_case, std::filesystem::path const& settings) {
  if (lower_case == LowerCase::as_tokenizer) return;
  if (tokenizer.encode("THE QUICK BROWN FOX JUMPS OVER A LAZY DOG").ids !=
      tokenizer.encode("the quick brown fox jumps over a lazy dog").ids)
    throw CheckpointError(settings.string() + ": do_lower_case: found true for a tokenizer that keeps capitals, which is not supported");
}

AXIFORM_INLINE std::string one_of(std::vector<std::string> const& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) result += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + in_quotes(names[i]);
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::detail
