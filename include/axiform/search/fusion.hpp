/// @file
/// `reciprocal_rank_fusion`: one ranking of several, whose scores do not compare.
///
///     std::vector const rankings{semantic_search(query, embeddings, {.top_k = 50}, context), bm25.search(question, {.top_k = 50})};
///     for (SearchHit const& hit : reciprocal_rank_fusion(rankings, {.top_k = 5})) std::cout << passages[hit.index] << "\n";
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/tasks/semantic_search.hpp>

#if AXIFORM_DEFINES(search)
#include <cmath>
#include <string>
#include <unordered_map>

#include <axiform/core/checks.hpp>
#include <axiform/core/error.hpp>
#include <axiform/search/best_hits.hpp>
#endif

namespace axiform {

/// How rankings become one.
struct FusionOptions {
  std::size_t top_k = 10;  ///< Hits at most.
  double k = 60;           ///< How little the first ranks stand out: the authors' number.
};

/// The sum over all rankings of 1 / (k + rank), ranks from 1 (G. Cormack, C. Clarke, S. Büttcher 2009).
///
/// @param rankings Each best first. What is in none is not found; who is twice in one counts at its best place.
/// @return         The `top_k` best, best first, equals by index.
/// @throws ArgumentError when `top_k` is 0, or `k` is negative or no number.
std::vector<SearchHit> reciprocal_rank_fusion(std::span<std::vector<SearchHit> const> rankings, FusionOptions const& options = {});

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

AXIFORM_INLINE std::vector<SearchHit> reciprocal_rank_fusion(std::span<std::vector<SearchHit> const> rankings,
                                                             FusionOptions const& options) {
  detail::check_positive(options.top_k, "top_k");
  if (!(options.k >= 0) || std::isinf(options.k))
    throw ArgumentError("k: found " + std::to_string(options.k) + ", expected a number from 0");
  struct Sum {
    double score = 0;
    std::size_t last = 0;  // ranking that it was found in, from 1
  };
  std::unordered_map<std::size_t, Sum> sums;
  for (std::size_t i = 0; i < rankings.size(); ++i)
    for (std::size_t place = 0; place < rankings[i].size(); ++place) {
      Sum& sum = sums[rankings[i][place].index];
      if (sum.last == i + 1) continue;
      sum.score += 1 / (options.k + static_cast<double>(place + 1));
      sum.last = i + 1;
    }
  std::vector<SearchHit> hits;
  hits.reserve(sums.size());
  for (auto const& [index, sum] : sums) hits.push_back({.index = index, .score = static_cast<float>(sum.score)});
  detail::keep_best(hits, options.top_k);
  return hits;
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
