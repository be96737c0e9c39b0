/// @file
/// Texts as weights of words: the few numbers that are not 0 of a vector as long as the vocabulary. `SparseEmbedding` and `M3Embedding` make them.
///
///     SparseVector const query = …, document = …;
///     float const score = sparse_dot(query, document);   // the products of the weights of tokens that both have
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/sparse_config.hpp>
#include <axiform/tasks/semantic_search.hpp>

#if AXIFORM_DEFINES(tasks)
#include <cmath>
#include <iterator>

#include <axiform/core/checks.hpp>
#include <axiform/core/error.hpp>
#endif

namespace axiform {

/// A token, and how much it counts.
struct TokenWeight {
  TokenId id = 0;    ///< In the vocabulary.
  float weight = 0;  ///< Above 0.

  bool operator==(TokenWeight const&) const = default;  ///< The same token and weight.
};

/// The tokens of a text that count, each once, in the order of their ids.
using SparseVector = std::vector<TokenWeight>;

/// The sum of the products of the weights of tokens that both have, in double precision (FlagEmbedding's `compute_lexical_matching_score`).
float sparse_dot(SparseVector const& a, SparseVector const& b);

/// What is searched for.
struct SparseSearchOptions {
  std::size_t top_k = 10;          ///< Hits for each query at most.
  std::stop_token stop = {};       ///< Ends the search with a `StoppedError`.
  ProgressCallback progress = {};  ///< Is told how many queries are done.
};

namespace detail {

/// The weights of words whose greatest logits these are; the heaviest `most`, among equals the first.
SparseVector sparse_of_logits(std::span<float const> logits, SparseActivation activation, std::optional<std::size_t> most);

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE float sparse_dot(SparseVector const& a, SparseVector const& b) {
  double sum = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (x->id == y->id) {
      sum += static_cast<double>(x->weight) * static_cast<double>(y->weight);
      ++x, ++y;
    } else if (x->id < y->id) {
      ++x;
    } else {
      ++y;
    }
  }
  return static_cast<float>(sum);
}

namespace detail {

AXIFORM_INLINE SparseVector sparse_of_logits(std::span<float const> logits, SparseActivation activation, std::optional<std::size_t> most) {
  SparseVector result;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > 0)) continue;
    double const once = std::log1p(static_cast<double>(logits[id]));
    result.push_back({static_cast<TokenId>(id), static_cast<float>(activation == SparseActivation::log1p ? once : std::log1p(once))});
  }
  if (most && *most < result.size()) {
    std::ranges::sort(
        result, [](TokenWeight const& a, TokenWeight const& b) { return a.weight > b.weight || (a.weight == b.weight && a.id < b.id); });
    result.resize(*most);
    std::ranges::sort(result, {}, &TokenWeight::id);
  }
  return result;
}

}  // namespace detail

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// `sparse_dot` of every query with every document. @return [queries, documents].
Tensor<float, axes::Queries, axes::Keys> sparse_scores(std::span<SparseVector const> queries, std::span<SparseVector const> documents,
                                                       Context& context);

/// The documents whose product with each query is greatest: all of them are compared.
///
/// @return For each query its `top_k` best hits, or as many as there are documents: best first, equals by index. Scores are those of `sparse_dot`.
/// @throws ArgumentError when `top_k` is 0; StoppedError when told to stop.
std::vector<std::vector<SearchHit>> sparse_search(std::span<SparseVector const> queries, std::span<SparseVector const> documents,
                                                  SparseSearchOptions const& options, Context& context);

namespace internal {

// The greatest weight that is offered for each token, where it is above 0.
class GreatestWeights {
 public:
  void offer(TokenId id, float weight) {
    if (weight > 0) weights_.push_back({id, weight});
  }
  SparseVector take();

 private:
  SparseVector weights_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE SparseVector GreatestWeights::take() {
  std::ranges::sort(weights_,
                    [](TokenWeight const& a, TokenWeight const& b) { return a.id < b.id || (a.id == b.id && a.weight > b.weight); });
  auto const repeated = std::ranges::unique(weights_, {}, &TokenWeight::id);  // the first of each is the greatest
  weights_.erase(repeated.begin(), repeated.end());
  return std::move(weights_);
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace internal

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE Tensor<float, axes::Queries, axes::Keys> sparse_scores(std::span<SparseVector const> queries,
                                                                      std::span<SparseVector const> documents, Context& context) {
  Tensor<float, axes::Queries, axes::Keys> result(queries.size(), documents.size());
  context.executor().parallel_for(queries.size(), [&](std::size_t query) {
    for (std::size_t d = 0; d < documents.size(); ++d)
      result.data()[query * documents.size() + d] = sparse_dot(queries[query], documents[d]);
  });
  return result;
}

AXIFORM_INLINE std::vector<std::vector<SearchHit>> sparse_search(std::span<SparseVector const> queries,
                                                                 std::span<SparseVector const> documents,
                                                                 SparseSearchOptions const& options, Context& context) {
  axiform::detail::check_positive(options.top_k, "top_k");
  std::vector<std::vector<SearchHit>> result;
  for (std::size_t query = 0; query < queries.size(); ++query) {
    auto found = internal::best_in_parts<SearchHit>(
        1, documents.size(), internal::corpus_block, options.top_k, context.executor(), options.stop,
        [&](std::vector<internal::BestOf<SearchHit>>& best, std::size_t begin, std::size_t size) {
          for (std::size_t d = begin; d < begin + size; ++d)
            best[0].offer({.index = d, .score = sparse_dot(queries[query], documents[d])}, options.top_k);
        });
    if (options.stop.stop_requested())
      throw StoppedError("search: stopped at query " + std::to_string(query) + " of " + std::to_string(queries.size()));
    result.push_back(std::move(found.front()));
    if (options.progress) options.progress({.done = query + 1, .total = queries.size()});
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
