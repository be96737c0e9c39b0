/// @file
/// `Sampler`: from the scores of one row to a token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/score_rows.hpp>

namespace axiform {

/// The index of the greatest logit, the smallest among equals.
/// @throws ArgumentError when no logit is a number.
TokenId most_probable(std::span<float const> logits);

/// Draws tokens from logits after temperature, top-k, top-p, min-p and typical-p, in this order (Hugging Face's TemperatureLogitsWarper,
/// TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper, TypicalLogitsWarper). Keeps its working memory from call to call.
///
///     Sampler sampler;
///     sampler.distribution(logits, {.temperature = 0.8, .top_k = 40});
///     TokenId const id = sampler.draw(0.25);
class Sampler {
 public:
  /// One token that may be drawn.
  struct Candidate {
    TokenId id;          ///< The token.
    double probability;  ///< Among those that may be drawn.
    double score;        ///< Its logit / temperature.
  };

  /// The tokens that may be drawn with their probabilities, in the order of their ids.
  /// @param least Tokens that every step leaves at least, if there are so many.
  /// @throws ArgumentError when an option cannot be used, or a logit is not a number.
  std::span<Candidate const> distribution(std::span<float const> logits, SamplingOptions const& options, std::size_t least = 1) & {
    options.check();
    least = std::max<std::size_t>(least, 1);
    keep_top_k(logits, options.top_k == 0 ? 0 : std::max(options.top_k, least));
    for (Candidate& candidate : candidates_) candidate.score /= options.temperature;
    to_probabilities();
    if (options.top_p < 1) keep_top_p(options.top_p, least);
    if (options.min_p > 0) keep_min_p(options.min_p, least);
    if (options.typical_p < 1) keep_typical_p(options.typical_p, least);
    return candidates_;
  }
  /// What `distribution` returned last.
  std::span<Candidate const> candidates() const& noexcept { return candidates_; }
  void candidates() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// The token at `uniform` in [0, 1) of the cumulated probabilities, in the order of ids.
  /// @throws ArgumentError when `distribution` has not been called.
  TokenId draw(double uniform) const;
  /// The same after `distribution(logits, options)`.
  TokenId draw(std::span<float const> logits, SamplingOptions const& options, double uniform);

 private:
  // Fills candidates_ with ids and logits. Tokens that cannot come are left out.
  void keep_top_k(std::span<float const> logits, std::size_t top_k);

  // The softmax of the scores.
  void to_probabilities();

  // The most probable tokens stay until their probabilities reach top_p, and the `least` most probable in any case. Of equal tokens those with
  // the greater id stay.
  void keep_top_p(double top_p, std::size_t least);

  // Tokens go that are less probable than min_p times the most probable one.
  void keep_min_p(double min_p, std::size_t least);

  // Tokens stay whose information is nearest to the entropy, until their probabilities reach typical_p (Meister et al. 2022, "Locally typical
  // sampling"), and those as near as the last of them.
  void keep_typical_p(double typical_p, std::size_t least);

  // Calls visit(rank, index) for candidates from the least key on, until it returns false. A heap, for most often few are asked for: of all
  // 50 257 tokens of GPT-2 a sort took 8 ms.
  template <class Key, class Visit>
  void visit_by(Key key, Visit visit) {
    order_.resize(candidates_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = {key(candidates_[i]), order_.size() - i};
    std::ranges::make_heap(order_, std::greater());
    for (std::size_t rank = 0; !order_.empty(); ++rank) {
      if (!visit(rank, candidates_.size() - order_.front().second)) return;
      std::ranges::pop_heap(order_, std::greater());
      order_.pop_back();
    }
  }

  template <class Key>
  void keep_first(std::size_t count, Key key) {
    if (count < 2) return;  // the first is never removed
    visit_by(key, [&](std::size_t rank, std::size_t i) {
      if (rank < count) removed_[i] = 0;
      return rank + 1 < count;
    });
  }

  void remove();

  Greatest<float> greatest_;
  std::vector<Candidate> candidates_;
  std::vector<std::pair<double, std::size_t>> order_;
  std::vector<char> removed_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE TokenId Sampler::draw(double uniform) const {
  if (candidates_.empty()) throw ArgumentError("sampler: found no distribution to draw from; call `distribution` first");
  double cumulated = 0;
  for (Candidate const& candidate : candidates_) {
    cumulated += candidate.probability;
    if (uniform < cumulated) return candidate.id;
  }
  auto const possible = std::find_if(candidates_.rbegin(), candidates_.rend(), [](Candidate const& c) { return c.probability > 0; });
  return possible->id;  // rounding left the sum below `uniform`
}

AXIFORM_INLINE TokenId Sampler::draw(std::span<float const> logits, SamplingOptions const& options, double uniform) {
  distribution(logits, options);
  return draw(uniform);
}

AXIFORM_INLINE void Sampler::keep_top_k(std::span<float const> logits, std::size_t top_k) {
  float least = std::numeric_limits<float>::lowest();
  if (top_k != 0 && top_k < logits.size()) {
    greatest_.restart(top_k);
    for (float const logit : logits) greatest_.offer(logit);
    least = std::max(least, greatest_.least());
  }
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) throw ArgumentError("logits: found NaN for token " + std::to_string(i));
    if (logits[i] >= least) candidates_.push_back({static_cast<TokenId>(i), 0, logits[i]});
  }
}

AXIFORM_INLINE void Sampler::to_probabilities() {
  double greatest = -std::numeric_limits<double>::infinity();
  for (Candidate const& candidate : candidates_) greatest = std::max(greatest, candidate.score);
  if (std::isinf(greatest)) throw ArgumentError("logits: found no finite logit");
  double sum = 0;
  for (Candidate& candidate : candidates_) sum += candidate.probability = std::exp(candidate.score - greatest);
  for (Candidate& candidate : candidates_) candidate.probability /= sum;
}

AXIFORM_INLINE void Sampler::keep_top_p(double top_p, std::size_t least) {
  removed_.assign(candidates_.size(), 1);
  double cumulated = 0;
  visit_by([](Candidate const& candidate) { return -candidate.probability; },
           [&](std::size_t rank, std::size_t i) {
             if (rank >= least && cumulated >= top_p) return false;
             cumulated += candidates_[i].probability;
             removed_[i] = 0;
             return true;
           });
  remove();
}

AXIFORM_INLINE void Sampler::keep_min_p(double min_p, std::size_t least) {
  double greatest = 0;
  for (Candidate const& candidate : candidates_) greatest = std::max(greatest, candidate.probability);
  removed_.resize(candidates_.size());
  for (std::size_t i = 0; i < candidates_.size(); ++i) removed_[i] = candidates_[i].probability < min_p * greatest;
  keep_first(least, [](Candidate const& candidate) { return -candidate.probability; });
  remove();
}

AXIFORM_INLINE void Sampler::keep_typical_p(double typical_p, std::size_t least) {
  double entropy = 0;
  for (Candidate const& candidate : candidates_)
    if (candidate.probability > 0) entropy -= candidate.probability * std::log(candidate.probability);
  auto const distance = [entropy](Candidate const& candidate) { return std::abs(-std::log(candidate.probability) - entropy); };
  double cumulated = 0, farthest = 0;
  visit_by(distance, [&](std::size_t, std::size_t i) {
    cumulated += candidates_[i].probability;
    farthest = distance(candidates_[i]);
    return cumulated < typical_p;
  });
  removed_.resize(candidates_.size());
  for (std::size_t i = 0; i < candidates_.size(); ++i) removed_[i] = distance(candidates_[i]) > farthest;
  keep_first(least, distance);
  remove();
}

AXIFORM_INLINE void Sampler::remove() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i)
    if (!removed_[i]) candidates_[kept++] = candidates_[i];
  candidates_.resize(kept);
  to_probabilities();
}

#endif  // AXIFORM_DEFINES(generate)

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE TokenId most_probable(std::span<float const> logits) {
  constexpr std::size_t part = 1024;  // it is looked for in the first that has it alone
  std::size_t first = 0;
  float greatest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); i += part)
    if (float const of_part = detail::greatest_of(logits.subspan(i, std::min(part, logits.size() - i))); of_part > greatest)
      first = i, greatest = of_part;
  auto const best = std::find(logits.begin() + static_cast<std::ptrdiff_t>(first), logits.end(), greatest);
  if (best == logits.end()) throw ArgumentError("logits: found no number among " + std::to_string(logits.size()) + " logits");
  return static_cast<TokenId>(best - logits.begin());
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
