/// @file
/// How probable a text is to a model: reports on every token, and perplexity.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/log_probabilities.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Calls visit(i, logits) for i in [first, ids.size()), logits being those behind ids[i - 1]. Some rows at a time: all at once would take
// 200 MB for GPT-2's 1024 positions.
template <class Model, class Visit>
void for_each_prediction(Model const& model, std::span<TokenId const> ids, std::size_t first, typename Model::Cache& cache,
                         Context& context, Visit visit) {
  constexpr std::size_t rows = 64;
  Context::Pass const pass(context);
  cache.truncate(0, 0);
  if (first > 1) model.last_logits(ids.first(first - 1), SequenceOffsets<axes::Tokens>::single(first - 1), cache, context);
  for (std::size_t begin = first - 1; begin + 1 < ids.size(); begin += rows) {
    auto const part = ids.subspan(begin, std::min(rows, ids.size() - 1 - begin));
    auto const logits = model.all_logits(part, SequenceOffsets<axes::Tokens>::single(part.size()), cache, context);
    for (std::size_t i = 0; i < part.size(); ++i) visit(begin + i + 1, logits.row(i));
  }
}

}  // namespace internal

/// What the model says of each token of a text but the first, given those before it.
///
///     for (TokenReport const& report : report_tokens(gpt2, ids, 5, context)) std::cout << report.id << " " << report.log_probability <<
/// "\n";
///
/// @param token_ids    At least 1, at most the model's positions.
/// @param alternatives How many of the most probable tokens are listed at each place.
/// @return             ids.size() - 1 reports.
/// @throws ArgumentError when there are too few or too many ids, or one is not in the vocabulary.
template <RewindableLanguageModel Model>
std::vector<TokenReport> report_tokens(Model const& model, TokenIds const& token_ids, std::size_t alternatives, Context& context) {
  std::span<TokenId const> const ids = token_ids;
  if (ids.empty() || ids.size() > model.positions())
    throw ArgumentError("report_tokens: found " + std::to_string(ids.size()) + " tokens, expected 1 to the model's " +
                        std::to_string(model.positions()) + " positions");
  check_ids(ids, model.vocabulary(), "token id");
  auto cache = model.make_cache(1, ids.size());
  std::vector<TokenReport> reports;
  internal::for_each_prediction(model, ids, 1, cache, context,
                                [&](std::size_t i, auto logits) { reports.push_back(report_token(logits, ids[i], alternatives)); });
  return reports;
}

/// The perplexity of a text of any length: e to the mean of -log p(token | those before it).
///
/// A text longer than the window is taken in windows that begin `stride` tokens apart. Each predicts only what no window before it
/// has, so that every token but the first is predicted once, with at least window - stride tokens before it; where the stride is the whole
/// window, its first token has nothing before it and is not predicted.
///
///     double const surprise = perplexity(gpt2, ids, {}, context).perplexity;
///
/// @param token_ids At least 2.
/// @throws ArgumentError when there are too few ids, one is not in the vocabulary, or the windows do not fit the model.
template <RewindableLanguageModel Model>
Perplexity perplexity(Model const& model, TokenIds const& token_ids, PerplexityOptions const& options, Context& context) {
  std::span<TokenId const> const ids = token_ids;
  std::size_t const window = options.window.value_or(model.positions());
  if (ids.size() < 2) throw ArgumentError("perplexity: found " + std::to_string(ids.size()) + " tokens, expected at least 2");
  check_ids(ids, model.vocabulary(), "token id");
  if (window < 2 || window > model.positions())
    throw ArgumentError("window: found " + std::to_string(window) + ", expected 2 to the model's " + std::to_string(model.positions()) +
                        " positions");
  std::size_t const stride = options.stride.value_or(std::min<std::size_t>(512, window));
  if (stride == 0 || stride > window)
    throw ArgumentError("stride: found " + std::to_string(stride) + ", expected 1 to the window's " + std::to_string(window) + " tokens");
  auto cache = model.make_cache(1, std::min(window, ids.size()));
  Perplexity result{0, 0, {}, {}};
  double sum = 0, weights = 0;
  std::size_t done = 0;  // tokens that windows have covered
  for (std::size_t begin = 0; done < ids.size() && !options.stop.stop_requested(); begin += stride) {
    std::size_t const end = std::min(begin + window, ids.size());
    auto const part = ids.subspan(begin, end - begin);
    double window_sum = 0, predicted = 0;
    internal::for_each_prediction(model, part, std::max<std::size_t>(done - begin, 1), cache, context, [&](std::size_t i, auto logits) {
      double const log_probability = logits[static_cast<std::size_t>(part[i])] - log_sum_exp(logits);
      result.log_probabilities.push_back(log_probability);
      result.most_probable.push_back(static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin()));
      window_sum += log_probability;
      ++predicted;
    });
    // The guide weighs a window's mean by the tokens that it covers less one, also where all of them are predicted.
    double const weight = static_cast<double>(end - done) - 1;
    if (predicted > 0) sum += window_sum / predicted * weight;
    weights += weight;
    done = end;
    if (options.progress) options.progress({.done = done, .total = ids.size()});
  }
  result.mean_log_probability = weights > 0 ? sum / weights : std::numeric_limits<double>::quiet_NaN();
  result.perplexity = std::exp(-result.mean_log_probability);
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
