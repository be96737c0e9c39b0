/// @file
/// What a checkpoint of an encoder-decoder says of the tasks that it was trained for: how it writes, and what stands before the texts that it reads.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <optional>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/tasks/generation_config.hpp>
#endif

namespace axiform {

/// How a checkpoint does a task.
struct TextTaskSettings {
  GenerateOptions options;  ///< How it writes.
  std::string prefix = {};  ///< What stands before each text, such as "summarize: ".
};

/// The tasks of a checkpoint.
struct TextTaskConfig {
  TextTaskSettings common;  ///< Of tasks that are not named.
  /// Those that config.json's `task_specific_params` name, such as "summarization" and "translation_en_to_de" of a T5, in its order.
  std::vector<std::pair<std::string, TextTaskSettings>> tasks = {};
  /// Those whose params are malformed or not supported, with the error: it concerns nobody who does not ask for the task.
  std::vector<std::pair<std::string, std::exception_ptr>> unreadable_tasks = {};
  std::string source_language =
      {};  ///< What a model of one direction translates from (tokenizer_config.json's `source_lang`), if it says so.
  std::string target_language = {};  ///< And to (`target_lang`).

  /// The settings of a task; the common ones where it is not named.
  /// @throws FormatError or CheckpointError, as reading its params did, where they are malformed or not supported.
  TextTaskSettings const& of(std::string_view task) const;
};

/// Reads them as transformers' `text2text-generation`, `summarization` and `translation` pipelines (4.57) say that they do: 256 new tokens by 4 beams,
/// unless generation_config.json, or config.json where there is no such file, says otherwise, and of a task the params that are its own.
/// @throws FileError or FormatError when a file is missing or malformed; CheckpointError for a setting that would change the text and is not supported.
/// What is wrong with a task's own params, `TextTaskConfig::of` throws when that task is asked for.
TextTaskConfig read_text_task_config(ModelDirectory const& directory);

namespace detail {

/// Lengths that a model with so many positions can write: checkpoints ask for some that are as good as none.
void fit_lengths(GenerateOptions& options, std::size_t positions);

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE TextTaskSettings const& TextTaskConfig::of(std::string_view task) const {
  for (auto const& [name, settings] : tasks)
    if (name == task) return settings;
  for (auto const& [name, error] : unreadable_tasks)
    if (name == task) std::rethrow_exception(error);
  return common;
}

AXIFORM_INLINE TextTaskConfig read_text_task_config(ModelDirectory const& directory) {
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  TextTaskConfig result;
  GenerateOptions& options = result.common.options;
  options = read_generation_config(directory, {.max_new_tokens = 256, .decoding = Decoding::beam_search, .num_beams = 4});
  // A generation_config.json may have been written by hand, or by who took both for granted.
  bool const says_start =
      directory.has("generation_config.json") && directory.json("generation_config.json").contains("decoder_start_token_id");
  if (auto const start = get_optional<TokenId>(config, "decoder_start_token_id", file); start && !says_start) options.decoder_start = start;
  if (options.end_of_text.empty())
    options.end_of_text = detail::generation_ids(Json{{"eos_token_id", detail::end_of_text_ids(directory)}}, "eos_token_id", file);
  result.common.prefix = get_or<std::string>(config, "prefix", "", file);
  if (Json const* const tasks = find_member(config, "task_specific_params", file); tasks && !tasks->is_null())
    for (auto const& [name, params] : require_object(config, "task_specific_params", file).items()) {
      std::string const where = file + ": task_specific_params: " + name;
      try {
        result.tasks.push_back(
            {name, {read_generation_config(params, options, where), get_or<std::string>(params, "prefix", result.common.prefix, where)}});
      } catch (Error const&) {
        result.unreadable_tasks.push_back({name, std::current_exception()});
      }
    }
  if (directory.has("tokenizer_config.json")) {
    Json const& tokenizer = directory.json("tokenizer_config.json");
    std::string const tokenizer_file = (directory / "tokenizer_config.json").string();
    result.source_language = get_or<std::string>(tokenizer, "source_lang", "", tokenizer_file);
    result.target_language = get_or<std::string>(tokenizer, "target_lang", "", tokenizer_file);
  }
  return result;
}

AXIFORM_INLINE void detail::fit_lengths(GenerateOptions& options, std::size_t positions) {
  if (options.max_new_tokens) {
    options.max_new_tokens = std::min(*options.max_new_tokens, std::max<std::size_t>(positions, 2) - 1);
  } else {
    options.max_length = std::min(options.max_length, positions);
  }
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform
