/// @file
/// `Sampler`: from the logits of one row to a token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>

namespace axiform {

/// The index of the greatest logit, the smallest among equals.
/// @throws ArgumentError when no logit is a number.
inline TokenId most_probable(std::span<float const> logits) {
  std::size_t best = logits.size();
  float greatest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > greatest || (best == logits.size() && logits[i] == greatest)) best = i, greatest = logits[i];
  if (best == logits.size()) throw ArgumentError("logits: found no number among " + std::to_string(logits.size()) + " logits");
  return static_cast<TokenId>(best);
}

/// Draws tokens from logits after temperature, top-k and top-p, in this order (Hugging Face's TemperatureLogitsWarper,
/// TopKLogitsWarper, TopPLogitsWarper). Keeps its working memory from call to call.
class Sampler {
 public:
  /// One token that may be drawn.
  struct Candidate {
    TokenId id;          ///< The token.
    double probability;  ///< After temperature, top-k and top-p.
  };

  /// The tokens that may be drawn with their probabilities, in the order of their ids.
  /// @throws ArgumentError when an option cannot be used, or a logit is not a number.
  std::span<Candidate const> distribution(std::span<float const> logits, SamplingOptions const& options) {
    options.check();
    keep_top_k(logits, options.top_k);
    to_probabilities(options.temperature);
    if (options.top_p < 1) keep_top_p(options.top_p);
    return candidates_;
  }

  /// The token at `uniform` in [0, 1) of the cumulated probabilities, in the order of ids.
  TokenId draw(std::span<float const> logits, SamplingOptions const& options, double uniform) {
    auto const candidates = distribution(logits, options);
    double cumulated = 0;
    for (Candidate const& candidate : candidates) {
      cumulated += candidate.probability;
      if (uniform < cumulated) return candidate.id;
    }
    auto const possible = std::find_if(candidates.rbegin(), candidates.rend(), [](Candidate const& c) { return c.probability > 0; });
    return possible->id;  // rounding left the sum below `uniform`
  }

 private:
  // Fills candidates_ with ids and, for now, logits.
  void keep_top_k(std::span<float const> logits, std::size_t top_k) {
    float least = -std::numeric_limits<float>::infinity();
    if (top_k != 0 && top_k < logits.size()) {
      values_.assign(logits.begin(), logits.end());
      auto const kth = values_.begin() + static_cast<std::ptrdiff_t>(top_k - 1);
      std::nth_element(values_.begin(), kth, values_.end(), std::greater<>{});
      least = *kth;
    }
    candidates_.clear();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (std::isnan(logits[i])) throw ArgumentError("logits: found NaN for token " + std::to_string(i));
      if (logits[i] >= least) candidates_.push_back({static_cast<TokenId>(i), logits[i]});
    }
  }

  void to_probabilities(double temperature) {
    double greatest = -std::numeric_limits<double>::infinity();
    for (Candidate const& candidate : candidates_) greatest = std::max(greatest, candidate.probability);
    if (std::isinf(greatest)) throw ArgumentError("logits: found no finite logit");
    double sum = 0;
    for (Candidate& candidate : candidates_) sum += candidate.probability = std::exp((candidate.probability - greatest) / temperature);
    for (Candidate& candidate : candidates_) candidate.probability /= sum;
  }

  // From the least probable on, tokens go whose cumulated probability does not exceed 1 - top_p; the most probable always stays.
  void keep_top_p(double top_p) {
    order_.resize(candidates_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return candidates_[a].probability < candidates_[b].probability; });
    double cumulated = 0, kept = 0;
    for (std::size_t rank = 0; rank < order_.size(); ++rank) {
      double& probability = candidates_[order_[rank]].probability;
      cumulated += probability;
      if (cumulated <= 1 - top_p && rank + 1 < order_.size()) {
        probability = -1;
      } else {
        kept += probability;
      }
    }
    std::erase_if(candidates_, [](Candidate const& candidate) { return candidate.probability < 0; });
    for (Candidate& candidate : candidates_) candidate.probability /= kept;
  }

  std::vector<float> values_;
  std::vector<Candidate> candidates_;
  std::vector<std::size_t> order_;
};

}  // namespace axiform
