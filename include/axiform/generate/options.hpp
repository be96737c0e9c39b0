/// @file
/// What generation can be asked for: one struct, which reads well with designated initialisers.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/beam_step.hpp>

namespace axiform {

/// How the next token is chosen.
enum class Decoding {
  sample,       ///< Drawn from the distribution.
  greedy,       ///< The most probable; the smallest id among equals.
  beam_search,  ///< The `num_beams` most probable texts are followed side by side, and the best of them returned.
  beam_sample   ///< The same, but which continuations are followed is drawn (without replacement).
};

/// When beam search has enough (Hugging Face's `early_stopping`). A finished text is better when its score is greater.
enum class EarlyStopping {
  when_unlikely,  ///< `False`: when the best text that still grows is, at its present length, worse than every finished one.
  when_full,      ///< `True`: as soon as there are `num_beams` finished texts.
  never           ///< `"never"`: when no text that still grows can become better, at whatever length.
};

/// Whether processed scores are made the logarithms of probabilities again (Hugging Face's `renormalize_logits`).
enum class ProcessedScores {
  as_they_are,  ///< What processors forbid is missing: a beam's score is that of its text among all texts.
  renormalized  ///< The probabilities of what is left sum to one: a beam's score is that of its text among those that are possible.
};

/// What is done to the scores before a token is drawn, in this order (as Hugging Face's logits warpers). Greedy decoding and beam search
/// do not heed it.
struct SamplingOptions {
  double temperature = 1.0;  ///< Logits are divided by it; > 0.
  std::size_t top_k = 50;    ///< Only the k greatest logits stay, and those equal to the k-th; 0 keeps all.
  double top_p = 1.0;        ///< Then only the most probable tokens whose probabilities reach this sum; in (0, 1], 1 keeps all.
  double min_p = 0.0;        ///< Then only tokens at least this many times as probable as the most probable; in [0, 1], 0 keeps all.
  double typical_p = 1.0;    ///< Then only the most typical tokens (Meister et al. 2022) whose probabilities reach this sum; in (0, 1].

  /// @throws ArgumentError when a value is not one that can be used.
  void check() const;
};

/// A token that generation has just chosen.
struct GeneratedToken {
  std::size_t sequence;  ///< Which of the sequences, from 0; of a batch, sequence r of prompt p is p * num_return_sequences + r.
  TokenId id;            ///< The token.
};

/// The distribution that a report on a token is about.
enum class ReportedDistribution {
  model,     ///< What the model says: the softmax of its logits.
  processed  ///< What the token was chosen from: after the processors and, where tokens are drawn, after temperature, top-k and so on.
};

/// What is told of each generated token besides its id.
struct ReportOptions {
  std::size_t alternatives = 0;                                     ///< How many of the most probable tokens are listed.
  ReportedDistribution distribution = ReportedDistribution::model;  ///< Which probabilities; beams have `model` only.
};

/// How prompt lookup (Saxena 2023, "Prompt Lookup Decoding") proposes tokens.
struct PromptLookup {
  /// Tokens that are proposed at once at most; at least 1 (transformers' `prompt_lookup_num_tokens`). Sequences that run together share the
  /// rows of a pass, `tokens` and one: each gets the fewer proposals the more they are, and none when they fill it by themselves.
  std::size_t tokens = 8;
  /// Tokens of the longest n-gram that is looked for; at least 1 (`max_matching_ngram_size`). Behind a shorter one proportionally fewer
  /// tokens are proposed: by default two for each token that agrees.
  std::size_t ngram = 4;
};

/// Options of `generate`. The defaults are the notebook's pipeline: sampling, top-k 50, temperature 1, 50 tokens in all.
///
///     generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 3, .seed = 42}, context);
///     generate(gpt2, prompt, {.max_new_tokens = 20, .decoding = Decoding::greedy, .no_repeat_ngram_size = 2}, context);
///     generate(gpt2, prompt, {.num_return_sequences = 2, .decoding = Decoding::beam_search, .num_beams = 4}, context);
///
/// Scores are processed in the order of the members from `encoder_repetition_penalty` to `processed_scores`.
struct GenerateOptions {
  static constexpr std::size_t most_tokens = 1 << 24;  ///< A longer text is taken for a mistake: room is made for all of it.
  static constexpr std::size_t most_sequences = 4096;  ///< More at once are taken for a mistake: each has a key-value cache.

  std::size_t max_length = 50;                                ///< Tokens in all, the prompt included.
  std::optional<std::size_t> max_new_tokens = {};             ///< Tokens behind the prompt; overrides `max_length`.
  std::optional<std::chrono::duration<double>> max_time = {};  ///< When it has passed, the token that is being made is the last.
  std::size_t num_return_sequences = 1;                       ///< Sequences generated from each prompt.

  Decoding decoding = Decoding::sample;                         ///< How tokens are chosen.
  std::size_t num_beams = 1;                                    ///< Texts that beam search follows; 1 without beam search.
  double length_penalty = 1.0;                                  ///< A beam's score is its log-probability / (generated tokens)^this.
  EarlyStopping early_stopping = EarlyStopping::when_unlikely;  ///< When beam search ends.

  /// Scores of tokens that are in the source are multiplied by it, divided when below 0: above 1 the text keeps to its source. A model without
  /// sources has the prompt for one.
  double encoder_repetition_penalty = 1.0;
  double repetition_penalty = 1.0;       ///< Scores of tokens that are there, prompt included, are divided by it; multiplied when below 0.
  std::size_t no_repeat_ngram_size = 0;  ///< No sequence of this many tokens appears twice; 0 allows it.
  /// No sequence of this many tokens is one of the source, or of the prompt where there is no source; 0 allows it.
  std::size_t encoder_no_repeat_ngram_size = 0;
  /// Sequences of tokens that are not generated. One that is an end-of-text alone is not heeded.
  std::vector<std::vector<TokenId>> bad_words = {};
  std::size_t min_length = 0;                        ///< No end-of-text before so many tokens in all.
  std::optional<std::size_t> min_new_tokens = {};    ///< No end-of-text before so many new tokens; overrides `min_length`.
  std::optional<TokenId> forced_bos = {};            ///< The second token, where the prompt has only one.
  std::vector<TokenId> forced_eos = {};              ///< One of these becomes the last token when the full length is reached.
  SamplingOptions sampling = {};                     ///< How tokens are drawn.
  /// Which scores beams add up. A token that is chosen without beams is the same in either case.
  ProcessedScores processed_scores = ProcessedScores::as_they_are;

  /// Equal seeds give equal tokens, on any system. The token at position t (from 0, the prompt counted) of sequence r of a prompt draws
  /// from Philox(seed)(r, t): it does not depend on the other prompts of a batch, and a text that is continued is the text made at once
  /// (but for the penalties of the source, where a model without sources takes the whole prompt for it).
  std::uint64_t seed = 0;
  /// The token with which a sequence-to-sequence model begins to write (`decoder_start_token_id`): its prompt. Other models do not heed it.
  std::optional<TokenId> decoder_start = {};
  std::vector<TokenId> end_of_text = {};       ///< A sequence ends with the first of these that it generates.
  std::vector<std::string> stop_strings = {};  ///< A sequence ends with the token that completes one of these; needs `decode`.
  /// The text of tokens, for `stop_strings`. A task on texts sets it.
  std::function<std::string(std::span<TokenId const>)> decode = {};
  /// Asked for each sequence after each token, with its number and all its tokens: true ends it.
  std::function<bool(std::size_t, std::span<TokenId const>)> stop_when = {};
  std::function<void(GeneratedToken)> on_token = {};  ///< Called for every token as it is chosen; not with beams.
  /// Told of every step of beam search: which texts it looked at, and which of them it follows. Nothing is kept for it unless it is there.
  std::function<void(BeamStep const&)> on_beams = {};
  std::optional<ReportOptions> report = {};           ///< What is told of each token; nothing is computed for it unless it is asked for.
  std::size_t batch_size = 32;  ///< Sequences that run together at most. It changes speed and memory, never a token.
  /// Proposes tokens from the text itself: what followed its last n-gram where that was before, in the prompt or in what has been
  /// generated. One pass of the model checks them all, and they are taken as far as they are the tokens that are chosen without them. It
  /// changes speed, never a token or a report: one to several tokens a pass where a text repeats what it has (corrections, extracts, code,
  /// chats), and somewhat slower passes where it does not. `GeneratedSequence` tells how many were proposed and taken. A
  /// sequence then grows by several tokens before the next one of its batch is heard of, or a stop ends both. Not with beams.
  std::optional<PromptLookup> prompt_lookup = {};
  ProgressCallback progress = {};  ///< Is told after each batch how many prompts are done.
  std::stop_token stop = {};    ///< When stop is requested, what is there is returned.

  /// Whether beams are followed.
  bool has_beams() const noexcept { return decoding == Decoding::beam_search || decoding == Decoding::beam_sample; }
  /// Sequences that run for each prompt: beams, or those that are returned.
  std::size_t sequences_each() const noexcept { return has_beams() ? num_beams : num_return_sequences; }

  /// @throws ArgumentError when an option is absurd, options contradict each other, or a token is not in a vocabulary of `vocabulary`.
  void check(std::size_t vocabulary) const;

  /// The length at which a sequence with a prompt of `prompt` tokens ends, for a model of `positions` positions.
  /// @throws ArgumentError when the options contradict each other or the model.
  std::size_t checked_length(std::size_t prompt, std::size_t positions) const;

  /// `decoder_start`, for a sequence-to-sequence model.
  /// @throws ArgumentError when there is none, or it is not in a vocabulary of `vocabulary`.
  TokenId checked_decoder_start(std::size_t vocabulary) const;

 private:
  void check_sequences() const;
  static void check_id(char const* name, TokenId id, std::size_t vocabulary);
};

/// How the perplexity of a long text is computed: in windows, as Hugging Face's guide does ("Perplexity of fixed-length models").
struct PerplexityOptions {
  std::optional<std::size_t> window = {};  ///< Tokens that the model sees at once; its positions unless given.
  /// Tokens from one window to the next; 512 unless given, or the window where that is less. Smaller gives tokens more context, and takes
  /// longer.
  std::optional<std::size_t> stride = {};
  ProgressCallback progress = {};  ///< Is told after each window how many tokens are done.
  std::stop_token stop = {};                                       ///< When stop is requested, what is there is returned.
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE void SamplingOptions::check() const {
  auto const refuse = [](char const* name, double found, char const* expected) {
    throw ArgumentError(std::string(name) + ": found " + std::to_string(found) + ", expected a number " + expected);
  };
  if (!(temperature > 0) || std::isinf(temperature)) refuse("temperature", temperature, "above 0");
  if (!(top_p > 0 && top_p <= 1)) refuse("top_p", top_p, "in (0, 1]");
  if (!(min_p >= 0 && min_p <= 1)) refuse("min_p", min_p, "in [0, 1]");
  if (!(typical_p > 0 && typical_p <= 1)) refuse("typical_p", typical_p, "in (0, 1]");
}

AXIFORM_INLINE void GenerateOptions::check(std::size_t vocabulary) const {
  sampling.check();
  check_sequences();
  for (auto const& [name, penalty] :
       {std::pair("repetition_penalty", repetition_penalty), std::pair("encoder_repetition_penalty", encoder_repetition_penalty)})
    if (!(penalty > 0) || std::isinf(penalty))
      throw ArgumentError(std::string(name) + ": found " + std::to_string(penalty) + ", expected a number above 0");
  if (!std::isfinite(length_penalty))
    throw ArgumentError("length_penalty: found " + std::to_string(length_penalty) + ", expected a finite number");
  if (max_time && !(max_time->count() >= 0))
    throw ArgumentError("max_time: found " + std::to_string(max_time->count()) + " seconds, expected 0 or more");
  detail::check_positive(batch_size, "batch_size");
  if (prompt_lookup) {
    detail::check_positive(prompt_lookup->tokens, "prompt_lookup.tokens");
    detail::check_positive(prompt_lookup->ngram, "prompt_lookup.ngram");
    if (has_beams()) throw ArgumentError("prompt_lookup: beams have no one text to look in; sample, decode greedily, or leave it out");
  }
  for (auto const& word : bad_words) {
    if (word.empty()) throw ArgumentError("bad_words: found a word without tokens, expected at least one token");
    for (TokenId const id : word) check_id("bad_words", id, vocabulary);
  }
  if (forced_bos) check_id("forced_bos", *forced_bos, vocabulary);
  for (TokenId const id : forced_eos) check_id("forced_eos", id, vocabulary);
  for (auto const& text : stop_strings)
    if (text.empty()) throw ArgumentError("stop_strings: found an empty string, expected at least one character");
  if (!stop_strings.empty() && !decode) throw ArgumentError("stop_strings: need `decode`, which turns tokens into text");
}

AXIFORM_INLINE std::size_t GenerateOptions::checked_length(std::size_t prompt, std::size_t positions) const {
  sampling.check();
  check_sequences();
  if (prompt == 0) throw ArgumentError("prompt: found no token, expected at least one");
  if (max_new_tokens) detail::check_positive(*max_new_tokens, "max_new_tokens");
  if (!max_new_tokens && max_length <= prompt)
    throw ArgumentError("max_length: found " + std::to_string(max_length) + ", expected more than the prompt's " + std::to_string(prompt) +
                        " tokens");
  std::size_t const room = positions > prompt ? positions - prompt : 0;
  std::size_t const asked = max_new_tokens ? *max_new_tokens : max_length - prompt;
  if (asked > room)
    throw ArgumentError(std::string(max_new_tokens ? "max_new_tokens" : "max_length") + ": " + std::to_string(asked) +
                        " tokens behind a prompt of " + std::to_string(prompt) + " do not fit the model's " + std::to_string(positions) +
                        " positions");
  if (std::size_t const length = max_new_tokens ? *max_new_tokens : max_length; length > most_tokens)
    throw ArgumentError(std::string(max_new_tokens ? "max_new_tokens" : "max_length") + ": found " + std::to_string(length) +
                        ", expected at most " + std::to_string(most_tokens));
  if (min_new_tokens && *min_new_tokens > asked)
    throw ArgumentError("min_new_tokens: found " + std::to_string(*min_new_tokens) + ", expected at most the " + std::to_string(asked) +
                        " tokens that there may be");
  if (!min_new_tokens && min_length > prompt + asked)
    throw ArgumentError("min_length: found " + std::to_string(min_length) + ", expected at most the " + std::to_string(prompt + asked) +
                        " tokens that there may be");
  return prompt + asked;
}

AXIFORM_INLINE TokenId GenerateOptions::checked_decoder_start(std::size_t vocabulary) const {
  if (!decoder_start)
    throw ArgumentError(
        "decoder_start: found none, expected the token with which the decoder begins (decoder_start_token_id of the checkpoint)");
  check_id("decoder_start", *decoder_start, vocabulary);
  return *decoder_start;
}

AXIFORM_INLINE void GenerateOptions::check_sequences() const {
  auto const count = std::to_string(num_return_sequences);
  if (num_return_sequences == 0 || num_return_sequences > most_sequences)
    throw ArgumentError("num_return_sequences: found " + count + ", expected 1 to " + std::to_string(most_sequences));
  if (decoding == Decoding::greedy && num_return_sequences > 1)
    throw ArgumentError("num_return_sequences: found " + count + " with greedy decoding, which has one result; sample, or ask for 1");
  auto const beams = std::to_string(num_beams);
  if (!has_beams()) {
    if (num_beams != 1)
      throw ArgumentError("num_beams: found " + beams + " without beam search, expected 1; or choose Decoding::beam_search");
    if (on_beams) throw ArgumentError("on_beams: there are no beams to tell of; choose Decoding::beam_search or Decoding::beam_sample");
    return;
  }
  if (num_beams < 2 || num_beams > most_sequences)
    throw ArgumentError("num_beams: found " + beams + ", expected 2 to " + std::to_string(most_sequences) + " for beam search");
  if (num_return_sequences > num_beams)
    throw ArgumentError("num_return_sequences: found " + count + ", expected at most the " + beams + " beams");
  if (on_token) throw ArgumentError("on_token: beam search has no token to tell before it ends; sample, or decode greedily");
  if (report && report->distribution != ReportedDistribution::model)
    throw ArgumentError("report: beam search reports what the model says only, ReportedDistribution::model");
}

AXIFORM_INLINE void GenerateOptions::check_id(char const* name, TokenId id, std::size_t vocabulary) {
  if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
    throw ArgumentError(std::string(name) + ": found token id " + std::to_string(id) + ", expected 0 to " + std::to_string(vocabulary - 1));
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
