/// @file
/// How a checkpoint is told from which language into which it translates.
#pragma once

#include <axiform/core/config.hpp>
#include <axiform/tasks/text_task_config.hpp>
#include <axiform/text/sequence_to_sequence_tokenizers.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform::detail {

/// A translation between two languages: tokenizers that put their codes where the model expects them, the prefix that says which they are, and the
/// token that the decoder begins with or writes first.
struct TranslationRoute {
  SequenceToSequenceTokenizers tokenizers;
  TextTaskSettings settings;
  bool names_target = false;  // Whether `decoder_start` and `forced_bos` say what the target is, and must stay as they are.
};

/// @throws ArgumentError when the checkpoint does not translate between these languages, or has to be told which and was not.
TranslationRoute find_route(SequenceToSequenceTokenizers const& tokenizers, TextTaskConfig const& config, LanguagePair const& languages);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

inline std::string in_words(LanguagePair const& languages) {
  std::string result;
  if (!languages.source.empty()) result += "from " + in_quotes(languages.source);
  if (!languages.target.empty()) result += (result.empty() ? "to " : " to ") + in_quotes(languages.target);
  return result.empty() ? "no languages" : result;
}

[[noreturn]] inline void refuse_languages(LanguagePair const& found, std::string const& expected) {
  throw ArgumentError("translation: found " + in_words(found) + ", expected " + expected);
}

/// The pair of a task's name, "translation_en_to_de"; nothing when it is another task's.
inline LanguagePair languages_of_task(std::string_view task) {
  constexpr std::string_view begin = "translation_", between = "_to_";
  auto const place = task.find(between);
  if (!task.starts_with(begin) || place == task.npos || place < begin.size()) return {};
  return {std::string(task.substr(begin.size(), place - begin.size())), std::string(task.substr(place + between.size()))};
}

/// Whether a language that was asked for, if any was, is this one.
inline bool agrees(std::string const& asked, std::string const& own) { return asked.empty() || asked == own; }

/// Of a checkpoint whose tasks say between which languages it translates (T5).
inline TranslationRoute route_by_task(SequenceToSequenceTokenizers const& tokenizers, TextTaskConfig const& config,
                                      LanguagePair const& languages) {
  std::string expected, found;
  std::size_t fitting = 0;
  auto const look_at = [&](std::string const& name) {
    LanguagePair const pair = languages_of_task(name);
    if (pair.source.empty()) return;
    expected += (expected.empty() ? "" : "; or ") + in_words(pair);
    if (agrees(languages.source, pair.source) && agrees(languages.target, pair.target)) found = name, ++fitting;
  };
  for (auto const& task : config.tasks) look_at(task.first);
  for (auto const& task : config.unreadable_tasks) look_at(task.first);
  if (fitting != 1) refuse_languages(languages, expected);
  return {tokenizers, config.of(found)};
}

/// Of a checkpoint with codes of languages (mBART, NLLB, M2M100; Marian's models into several).
inline TranslationRoute route_by_codes(SequenceToSequenceTokenizers const& tokenizers, TextTaskConfig const& config,
                                       LanguagePair const& languages) {
  TranslationRoute route{tokenizers.between(languages), config.of("translation")};
  auto const code = route.tokenizers.target_language();
  std::vector<std::string> const& codes = tokenizers.languages();
  bool const is_marian = !codes.empty() && tokenizers.source().token_to_id(">>" + codes.front() + "<<").has_value();
  if (is_marian) {  // The text is told the target, by its tokenizer or by who wrote it; nobody the source.
    std::string const& own = config.source_language;
    if (!agrees(languages.source, own))
      refuse_languages(languages, own.empty() ? "no source language: the model does not say from which it translates"
                                              : "from " + in_quotes(own) + ", the model's own");
    return route;
  }
  if (!code) {
    std::string expected;
    for (std::size_t i = 0; i < std::min<std::size_t>(codes.size(), 8); ++i) expected += (i ? ", " : "") + in_quotes(codes[i]);
    throw ArgumentError("translation: found no target language, expected one of " + expected + (codes.size() > 8 ? ", …" : ""));
  }
  // mBART begins with the language: its decoder_start_token_id is one, or is not there. The others begin with another token, and the language is what
  // they write first.
  auto& options = route.settings.options;
  auto const begins_with_language = [&] {
    if (!options.decoder_start || options.decoder_start == route.tokenizers.source().special_tokens().bos) return true;
    auto const size = route.tokenizers.target().vocabulary_size();
    return static_cast<std::size_t>(*options.decoder_start) < size &&
           std::ranges::find(codes, route.tokenizers.target().id_to_token(*options.decoder_start)) != codes.end();
  };
  if (begins_with_language()) {
    options.decoder_start = code;
  } else {
    options.forced_bos = code;
  }
  route.names_target = true;
  return route;
}

AXIFORM_INLINE TranslationRoute find_route(SequenceToSequenceTokenizers const& tokenizers, TextTaskConfig const& config,
                                           LanguagePair const& languages) {
  if (!tokenizers.languages().empty()) return route_by_codes(tokenizers, config, languages);
  auto const translates = [](auto const& task) { return !languages_of_task(task.first).source.empty(); };
  if (std::ranges::any_of(config.tasks, translates) || std::ranges::any_of(config.unreadable_tasks, translates))
    return route_by_task(tokenizers, config, languages);
  if (!agrees(languages.source, config.source_language) || !agrees(languages.target, config.target_language)) {
    LanguagePair const own{config.source_language, config.target_language};
    refuse_languages(languages, own.source.empty() && own.target.empty() ? "none: the model does not say between which it translates"
                                                                         : in_words(own) + ", the model's own");
  }
  return {tokenizers, config.of("translation")};
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::detail
