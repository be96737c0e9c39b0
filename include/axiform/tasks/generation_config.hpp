/// @file
/// `generation_config.json`: how a checkpoint wants to generate, as options.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(tasks)
#include <axiform/io/config.hpp>
#include <axiform/models/known.hpp>
#endif

namespace axiform {

/// The settings of a `generation_config.json`, under Hugging Face's names, on top of `defaults`. As in the text-generation pipeline, a
/// `max_length` of the file also replaces the defaults' `max_new_tokens`. Settings that change no token (`use_cache`, `output_scores`, …)
/// are passed over. `decoder_start` is the `decoder_start_token_id`, or else the `bos_token_id`.
///
/// @param file Says in messages where the config comes from.
/// @throws FormatError when a value has the wrong type; CheckpointError, by name, for a setting that would change the text and is not
/// supported.
GenerateOptions read_generation_config(Json const& config, GenerateOptions defaults, std::string const& file);

/// The settings of `directory / "generation_config.json"` on top of `defaults`. Checkpoints that are older than such files (BART, T5, OPUS-MT) have the
/// settings in their config.json, which is read where there is no such file; `defaults` alone when there is neither.
/// @throws As the function above; FormatError when the file is not JSON.
GenerateOptions read_generation_config(ModelDirectory const& directory, GenerateOptions defaults);

namespace detail {

/// config.json's `eos_token_id`; where it does not say, that of the family's config class.
std::vector<std::size_t> end_of_text_ids(ModelDirectory const& directory);

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

namespace detail {

/// One id, a list of ids, or null for none.
inline std::vector<TokenId> generation_ids(Json const& config, std::string_view key, std::string const& file) {
  Json const& member = *find_member(config, key, file);
  if (member.is_null()) return {};
  if (member.is_array()) return require<std::vector<TokenId>>(config, key, file);
  return {require<TokenId>(config, key, file)};
}

/// Prompt lookup, where the file asks for it; 0 tokens leave it out.
inline std::optional<PromptLookup> prompt_lookup_of(Json const& config, std::optional<PromptLookup> const& otherwise,
                                                    std::string const& file) {
  auto const tokens = get_optional<std::size_t>(config, "prompt_lookup_num_tokens", file);
  if (tokens == std::size_t{0}) return std::nullopt;
  if (!tokens && !otherwise) return std::nullopt;
  PromptLookup lookup = otherwise.value_or(PromptLookup{});
  if (tokens) lookup.tokens = *tokens;
  if (auto const ngram = get_optional<std::size_t>(config, "max_matching_ngram_size", file)) lookup.ngram = *ngram;
  return lookup;
}

inline EarlyStopping early_stopping_of(Json const& config, std::string const& file) {
  Json const& member = *find_member(config, "early_stopping", file);
  if (member == "never") return EarlyStopping::never;
  if (member.is_null()) return EarlyStopping::when_unlikely;
  return require<bool>(config, "early_stopping", file) ? EarlyStopping::when_full : EarlyStopping::when_unlikely;
}

/// Settings that would change the text, and are not there: by name, with the value that leaves them out (beside null).
inline void refuse_unknown_generation(Json const& config, std::string const& file) {
  struct Setting {
    std::string_view name;
    double off;
  };
  // Where no number leaves it out, it is one that nobody writes.
  static constexpr double none = -1e300;
  static constexpr std::array settings{Setting{"sequence_bias", none},
                                       Setting{"suppress_tokens", none},
                                       Setting{"begin_suppress_tokens", none},
                                       Setting{"exponential_decay_length_penalty", none},
                                       Setting{"epsilon_cutoff", 0},
                                       Setting{"eta_cutoff", 0},
                                       Setting{"top_h", none},
                                       Setting{"guidance_scale", 1},
                                       Setting{"penalty_alpha", 0},
                                       Setting{"dola_layers", none},
                                       Setting{"num_beam_groups", 1},
                                       Setting{"diversity_penalty", 0},
                                       Setting{"watermarking_config", none},
                                       Setting{"constraints", none},
                                       Setting{"force_words_ids", none},
                                       Setting{"remove_invalid_values", 0}};
  for (auto const& [name, off] : settings) {
    Json const* const member = find_member(config, name, file);
    if (!member || member->is_null()) continue;
    bool const is_off = member->is_boolean() ? !member->get<bool>() : member->is_number() && member->get<double>() == off;
    if (!is_off && !(member->is_array() && member->empty()))
      throw CheckpointError(detail::message({file, ": ", name, ": found ", describe_json(*member), ", which is not supported"}));
  }
}

}  // namespace detail

AXIFORM_INLINE GenerateOptions read_generation_config(Json const& config, GenerateOptions defaults, std::string const& file) {
  detail::refuse_unknown_generation(config, file);
  GenerateOptions options = std::move(defaults);
  auto const has = [&](std::string_view key) { return find_member(config, key, file) != nullptr; };
  auto const number = [&](std::string_view key, std::size_t& value) { value = get_or<std::size_t>(config, key, value, file); };
  auto const real = [&](std::string_view key, double& value) { value = get_or<double>(config, key, value, file); };
  if (auto const length = get_optional<std::size_t>(config, "max_length", file)) {
    options.max_length = *length;
    options.max_new_tokens.reset();
  }
  if (auto const tokens = get_optional<std::size_t>(config, "max_new_tokens", file)) options.max_new_tokens = tokens;
  number("min_length", options.min_length);
  if (auto const tokens = get_optional<std::size_t>(config, "min_new_tokens", file)) options.min_new_tokens = tokens;
  if (auto const seconds = get_optional<double>(config, "max_time", file)) options.max_time = std::chrono::duration<double>(*seconds);
  number("num_return_sequences", options.num_return_sequences);
  number("num_beams", options.num_beams);
  bool const sampled = options.decoding == Decoding::sample || options.decoding == Decoding::beam_sample;
  bool const samples = get_or<bool>(config, "do_sample", sampled, file);
  options.decoding = options.num_beams == 1 ? (samples ? Decoding::sample : Decoding::greedy)
                                            : (samples ? Decoding::beam_sample : Decoding::beam_search);
  real("length_penalty", options.length_penalty);
  if (has("early_stopping")) options.early_stopping = detail::early_stopping_of(config, file);
  real("encoder_repetition_penalty", options.encoder_repetition_penalty);
  real("repetition_penalty", options.repetition_penalty);
  number("no_repeat_ngram_size", options.no_repeat_ngram_size);
  number("encoder_no_repeat_ngram_size", options.encoder_no_repeat_ngram_size);
  if (has("bad_words_ids") && !find_member(config, "bad_words_ids", file)->is_null()) {
    options.bad_words.clear();
    for (Json const& word : require_array(config, "bad_words_ids", file))
      options.bad_words.push_back(detail::json_as<std::vector<TokenId>>(word, "bad_words_ids", file));
  }
  if (has("decoder_start_token_id")) options.decoder_start = get_optional<TokenId>(config, "decoder_start_token_id", file);
  if (!options.decoder_start) options.decoder_start = get_optional<TokenId>(config, "bos_token_id", file);
  if (has("forced_bos_token_id")) options.forced_bos = get_optional<TokenId>(config, "forced_bos_token_id", file);
  if (get_or<bool>(config, "force_bos_token_to_be_generated", false, file))  // as old files of BART have it
    options.forced_bos = get_optional<TokenId>(config, "bos_token_id", file);
  if (has("forced_eos_token_id")) options.forced_eos = detail::generation_ids(config, "forced_eos_token_id", file);
  real("temperature", options.sampling.temperature);
  number("top_k", options.sampling.top_k);
  real("top_p", options.sampling.top_p);
  real("min_p", options.sampling.min_p);
  real("typical_p", options.sampling.typical_p);
  bool const renormalized = options.processed_scores == ProcessedScores::renormalized;
  options.processed_scores =
      get_or<bool>(config, "renormalize_logits", renormalized, file) ? ProcessedScores::renormalized : ProcessedScores::as_they_are;
  options.prompt_lookup = detail::prompt_lookup_of(config, options.prompt_lookup, file);
  if (has("eos_token_id")) options.end_of_text = detail::generation_ids(config, "eos_token_id", file);
  if (Json const* const strings = find_member(config, "stop_strings", file); strings && !strings->is_null())
    options.stop_strings = strings->is_array() ? require<std::vector<std::string>>(config, "stop_strings", file)
                                               : std::vector{require<std::string>(config, "stop_strings", file)};
  return options;
}

AXIFORM_INLINE GenerateOptions read_generation_config(ModelDirectory const& directory, GenerateOptions defaults) {
  for (std::string const name : {"generation_config.json", "config.json"})
    if (directory.has(name)) return read_generation_config(directory.json(name), std::move(defaults), (directory / name).string());
  return defaults;
}

AXIFORM_INLINE std::vector<std::size_t> detail::end_of_text_ids(ModelDirectory const& directory) {
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  auto const otherwise = model_family(config, file).family->end_of_text;
  return ConfigReader{config, file}.token_ids("eos_token_id", {otherwise.begin(), otherwise.end()});
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform
