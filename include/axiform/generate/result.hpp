/// @file
/// What generation returns.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <axiform/core/token_id.hpp>

namespace axiform {

/// Why a sequence is not longer.
enum class FinishReason {
  length,       ///< It has the full length.
  end_of_text,  ///< Its last token is an end-of-text.
  stop_string,  ///< Its last token completed a stop string.
  stop_when,    ///< The caller's criterion ended it.
  time,         ///< The time was up.
  stopped       ///< A stop was requested.
};

/// A token that could have been chosen.
struct TokenAlternative {
  TokenId id;          ///< The token.
  double probability;  ///< In [0, 1].
};

/// What is told of a token beside its id.
struct TokenReport {
  TokenId id;                                  ///< The token that is there.
  double log_probability;                      ///< Of the token: the natural logarithm of its probability.
  double entropy;                              ///< Of the distribution, in nats: 0 when the token was certain.
  std::vector<TokenAlternative> alternatives;  ///< The most probable tokens, most probable first; the token itself may be among them.
};

/// One text.
struct GeneratedSequence {
  std::vector<TokenId> ids;         ///< The prompt and what was generated.
  std::size_t prompt_length = 0;    ///< Tokens of the prompt.
  FinishReason finish = FinishReason::length;  ///< Why it is not longer.
  /// Of beams: the sum of the processed log-probabilities / (generated tokens)^length_penalty, by which they are ordered. Otherwise 0.
  double beam_score = 0;
  std::vector<TokenReport> reports;  ///< One for each generated token, where `GenerateOptions::report` asks for it.
  std::size_t proposed = 0;          ///< Tokens that prompt lookup proposed, where `GenerateOptions::prompt_lookup` asks for it.
  std::size_t accepted = 0;          ///< Those of them that are in the text: passes of the model that were not needed.

  /// The tokens behind the prompt.
  std::span<TokenId const> new_ids() const& noexcept { return std::span(ids).subspan(prompt_length); }
  void new_ids() const&& = delete;  ///< The span would dangle: give the owner a name.
};

/// How probable a text is.
struct Perplexity {
  double perplexity;                      ///< e^(-mean_log_probability): the model was as unsure as between so many tokens.
  double mean_log_probability;            ///< The mean over windows, each weighed by its tokens less one, as the guide does.
  std::vector<double> log_probabilities;  ///< Of each token that was predicted, natural logarithm. The first token never is.
  std::vector<TokenId> most_probable;     ///< What the model would have put in the place of each, the greatest logit's.
};

}  // namespace axiform
