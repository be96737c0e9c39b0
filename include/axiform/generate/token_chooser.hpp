/// @file
/// `TokenChooser`: from the logits of one row to the next token, as options say.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <axiform/core/random.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/log_probabilities.hpp>
#include <axiform/generate/logits_processors.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/sampler.hpp>

namespace axiform {

/// Processes a row of logits and chooses from it, greedily or by drawing. One serves the sequences of a prompt, one after another. Refers
/// to the options and the source, which must outlive it.
///
///     TokenChooser chooser(options, prompt, prompt.size(), max_length);
///     chooser.read(logits.row(0), ids);
///     ids.push_back(chooser.choose(0, ids.size()));
class TokenChooser {
 public:
  /// Parameters as those of `LogitsProcessors`.
  TokenChooser(GenerateOptions const& options, std::span<TokenId const> source, std::size_t prompt_length, std::size_t max_length);

  /// Takes the logits of the next token.
  /// @param logits [VocabularyEntries], overwritten; it must live until the next call.
  /// @param ids    The tokens so far, prompt included.
  /// @throws ArgumentError when a logit is not a number, or no token is possible.
  void read(std::span<float> logits, std::span<TokenId const> ids);
  /// A token from the row that was read. The same row may be asked again, for another sequence.
  TokenId choose(std::uint64_t sequence, std::uint64_t position) const;
  /// What the row says of a token, where the options ask for it.
  std::optional<TokenReport> report(TokenId id) const;
  /// What may be drawn from the row that was read, with probabilities. @pre The options ask for sampling.
  std::span<Sampler::Candidate const> candidates() const& noexcept { return sampler_.candidates(); }
  void candidates() const&& = delete;  ///< The span would dangle: give the owner a name.

 private:
  TokenReport report_drawn(TokenId id) const;

  GenerateOptions const& options_;
  LogitsProcessors process_;
  Sampler sampler_;
  std::vector<float> unprocessed_;
  std::span<float const> logits_;
  TokenId greedy_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE TokenChooser::TokenChooser(GenerateOptions const& options, std::span<TokenId const> source, std::size_t prompt_length,
                                          std::size_t max_length)
    : options_(options), process_(options, source, prompt_length, max_length) {}

AXIFORM_INLINE void TokenChooser::read(std::span<float> logits, std::span<TokenId const> ids) {
  logits_ = logits;
  if (options_.report && options_.report->distribution == ReportedDistribution::model && !process_.empty()) {
    unprocessed_.assign(logits.begin(), logits.end());
    logits_ = unprocessed_;
  }
  process_(ids, logits);
  if (options_.decoding == Decoding::greedy) {
    greedy_ = most_probable(logits);
    if (logits[static_cast<std::size_t>(greedy_)] == impossible) throw ArgumentError("logits: found no possible token");
  } else {
    sampler_.distribution(logits, options_.sampling);
  }
}

AXIFORM_INLINE TokenId TokenChooser::choose(std::uint64_t sequence, std::uint64_t position) const {
  if (options_.decoding == Decoding::greedy) return greedy_;
  auto const words = Philox(options_.seed)(sequence, position);
  return sampler_.draw(uniform_from(words[0], words[1]));
}

AXIFORM_INLINE std::optional<TokenReport> TokenChooser::report(TokenId id) const {
  if (!options_.report) return std::nullopt;
  if (options_.report->distribution == ReportedDistribution::model || options_.decoding == Decoding::greedy)
    return report_token(logits_, id, options_.report->alternatives);
  return report_drawn(id);
}

AXIFORM_INLINE TokenReport TokenChooser::report_drawn(TokenId id) const {
  TokenReport report{id, -std::numeric_limits<double>::infinity(), 0, {}};
  for (auto const& [candidate, probability, score] : sampler_.candidates()) {
    if (probability <= 0) continue;
    report.entropy -= probability * std::log(probability);
    if (candidate == id) report.log_probability = std::log(probability);
    report.alternatives.push_back({candidate, probability});
  }
  detail::stable_sort(report.alternatives, [](auto const& a, auto const& b) { return a.probability > b.probability; });
  report.alternatives.resize(std::min(report.alternatives.size(), options_.report->alternatives));
  return report;
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
