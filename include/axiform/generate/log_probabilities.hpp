/// @file
/// Log-probabilities, entropy and alternatives from a row of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/score_rows.hpp>

namespace axiform {

namespace detail {

// What the softmax of a row has in common: e^(score - shift) / sum.
struct SoftmaxTerms {
  double shift;      // the greatest score
  double sum;        // of e^(score - shift)
  double weighted;   // of (score - shift) e^(score - shift)

  double log_sum_exp() const { return shift + std::log(sum); }
  double entropy() const { return std::log(sum) - weighted / sum; }
};

/// @throws ArgumentError when a score is not a number.
inline void check_numbers(std::span<float const> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (std::isnan(scores[i])) throw ArgumentError("logits: found NaN for token " + std::to_string(i));
}

/// The greatest score. @throws ArgumentError when none is finite.
inline float finite_greatest(std::span<float const> scores) {
  float const greatest = greatest_of(scores);
  if (std::isinf(greatest)) {
    check_numbers(scores);
    throw ArgumentError("logits: found no finite logit");
  }
  return greatest;
}

inline SoftmaxTerms softmax_terms(std::span<float const> scores) {
  check_numbers(scores);
  float const greatest = finite_greatest(scores);
  SoftmaxTerms terms{greatest, 0, 0};
  for (float const score : scores) {
    if (std::isinf(score)) continue;
    double const shifted = static_cast<double>(score) - greatest;
    double const term = std::exp(shifted);
    terms.sum += term;
    terms.weighted += shifted * term;
  }
  return terms;
}

struct ScoredToken {
  float score;
  TokenId id;
  bool operator>(ScoredToken const& other) const noexcept { return score > other.score; }
};

}  // namespace detail

/// The logarithm of the sum of e^score. @throws ArgumentError when a score is not a number, or none is finite.
inline double log_sum_exp(std::span<float const> scores) {
  float const greatest = detail::finite_greatest(scores);
  double const sum = detail::sum_of_exponentials(scores, greatest);
  if (std::isnan(sum)) detail::check_numbers(scores);
  return greatest + std::log(sum);
}

/// Turns logits into log-probabilities, in place. @throws As `log_sum_exp`.
void to_log_probabilities(std::span<float> scores);

/// What the softmax of `scores` says of token `id`, and the `alternatives` most probable tokens (the smallest ids among equals).
/// @param scores [VocabularyEntries], logits or log-probabilities.
/// @throws ArgumentError as `log_sum_exp`, and when there is no such token.
TokenReport report_token(std::span<float const> scores, TokenId id, std::size_t alternatives);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE void to_log_probabilities(std::span<float> scores) { detail::subtract(scores, log_sum_exp(scores)); }

AXIFORM_INLINE TokenReport report_token(std::span<float const> scores, TokenId id, std::size_t alternatives) {
  if (id < 0 || static_cast<std::size_t>(id) >= scores.size())
    throw ArgumentError("token id " + std::to_string(id) + ": expected 0 to " + std::to_string(scores.size() - 1));
  auto const terms = detail::softmax_terms(scores);
  double const log_sum = terms.log_sum_exp();
  TokenReport report{id, scores[static_cast<std::size_t>(id)] - log_sum, terms.entropy(), {}};
  Greatest<detail::ScoredToken> greatest(std::min(alternatives, scores.size()));
  if (alternatives != 0)
    for (std::size_t i = 0; i < scores.size(); ++i) greatest.offer({scores[i], static_cast<TokenId>(i)});
  auto tokens = greatest.take();
  detail::stable_sort(tokens, [](auto const& a, auto const& b) { return a.score > b.score || (a.score == b.score && a.id < b.id); });
  for (auto const& token : tokens)
    if (token.score > -std::numeric_limits<float>::infinity()) report.alternatives.push_back({token.id, std::exp(token.score - log_sum)});
  return report;
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
