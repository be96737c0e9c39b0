/// @file
/// What generation can be asked for.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform {

/// How the next token is chosen.
enum class Decoding {
  sample,  ///< Drawn from the distribution.
  greedy   ///< The most probable; the smallest id among equals.
};

/// What is done to the logits before a token is drawn, in this order (as Hugging Face's logits processors).
struct SamplingOptions {
  double temperature = 1.0;  ///< Logits are divided by it; > 0.
  std::size_t top_k = 50;    ///< Only the k greatest logits stay, and those equal to the k-th; 0 keeps all.
  double top_p = 1.0;        ///< Then only the most probable tokens whose probabilities reach this sum; in (0, 1].

  /// @throws ArgumentError when a value is not one that can be used.
  void check() const {
    if (!(temperature > 0) || std::isinf(temperature))
      throw ArgumentError("temperature: found " + std::to_string(temperature) + ", expected a number above 0");
    if (!(top_p > 0 && top_p <= 1)) throw ArgumentError("top_p: found " + std::to_string(top_p) + ", expected a number in (0, 1]");
  }
};

/// A token that generation has just chosen.
struct GeneratedToken {
  std::size_t sequence;  ///< Which of the sequences, from 0.
  TokenId id;            ///< The token.
};

/// Options of `generate`. The defaults are the notebook's pipeline: sampling, top-k 50, temperature 1, 50 tokens in all.
struct GenerateOptions {
  static constexpr std::size_t most_sequences = 4096;  ///< More at once are taken for a mistake: each has a key-value cache.

  std::size_t max_length = 50;                 ///< Tokens in all, the prompt included.
  std::optional<std::size_t> max_new_tokens = {};  ///< Tokens behind the prompt; overrides `max_length`.
  std::size_t num_return_sequences = 1;        ///< Sequences generated from the one prompt.
  Decoding decoding = Decoding::sample;  ///< Draw, or take the most probable.
  SamplingOptions sampling = {};  ///< How tokens are drawn; greedy decoding does not heed it.
  std::uint64_t seed = 0;                      ///< Equal seeds give equal tokens; sequence s and step t draw from Philox(seed)(s, t).
  std::vector<TokenId> end_of_text = {};       ///< A sequence ends with the first of these that it generates.
  std::function<void(GeneratedToken)> on_token = {};  ///< Called for every token as it is chosen.
  std::stop_token stop = {};                   ///< When stop is requested, what is there is returned.

  /// The length at which a sequence with a prompt of `prompt` tokens ends, for a model of `positions` positions.
  /// @throws ArgumentError when the options contradict each other or the model.
  std::size_t checked_length(std::size_t prompt, std::size_t positions) const {
    sampling.check();
    if (prompt == 0) throw ArgumentError("prompt: found no token, expected at least one");
    if (num_return_sequences == 0 || num_return_sequences > most_sequences)
      throw ArgumentError("num_return_sequences: found " + std::to_string(num_return_sequences) + ", expected 1 to " +
                          std::to_string(most_sequences));
    if (decoding == Decoding::greedy && num_return_sequences > 1)
      throw ArgumentError("num_return_sequences: found " + std::to_string(num_return_sequences) +
                          " with greedy decoding, which has one result; sample, or ask for 1");
    if (max_new_tokens && *max_new_tokens == 0) throw ArgumentError("max_new_tokens: found 0, expected at least 1");
    if (!max_new_tokens && max_length <= prompt)
      throw ArgumentError("max_length: found " + std::to_string(max_length) + ", expected more than the prompt's " +
                          std::to_string(prompt) + " tokens");
    std::size_t const room = positions > prompt ? positions - prompt : 0;
    std::size_t const asked = max_new_tokens ? *max_new_tokens : max_length - prompt;
    if (asked > room)
      throw ArgumentError(std::string(max_new_tokens ? "max_new_tokens" : "max_length") + ": " + std::to_string(asked) +
                          " tokens behind a prompt of " + std::to_string(prompt) + " do not fit the model's " + std::to_string(positions) +
                          " positions");
    return prompt + asked;
  }
};

}  // namespace axiform
