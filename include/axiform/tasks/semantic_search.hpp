/// @file
/// `semantic_search`: which texts of a corpus are closest to a query; `paraphrase_mining`: which are closest to each other.
///
///     auto const corpus = model.embed(passages, {.role = TextRole::passage}, context);
///     auto const query = model.embed("How tall is the tower?", {.role = TextRole::query}, context);
///     for (SearchHit const& hit : semantic_search(query, corpus, {.top_k = 3}, context)) std::cout << passages[hit.index] << "\n";
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/tasks/similarity.hpp>

namespace axiform {

/// A row of a corpus, and how close it is to a query.
struct SearchHit {
  std::size_t index = 0;  ///< Of the row.
  float score = 0;        ///< The greater, the closer.
};

/// What is searched for.
struct SearchOptions {
  std::size_t top_k = 10;                       ///< Hits for each query at most.
  ScoreFunction score = ScoreFunction::cosine;  ///< What closeness is.
  std::stop_token stop = {};                    ///< Ends the search with a `StoppedError`.
  ProgressCallback progress = {};               ///< Is told how many queries are done.
};

/// Two rows that are close to each other.
struct ParaphrasePair {
  std::size_t first = 0;   ///< The smaller index.
  std::size_t second = 0;  ///< The greater.
  float score = 0;         ///< The greater, the closer.
};

/// What is mined.
struct MiningOptions {
  std::size_t top_k = 100;                                    ///< Partners of each row that are considered, its closest.
  std::size_t max_pairs = 500000;                             ///< Pairs at most, the closest.
  float min_score = -std::numeric_limits<float>::infinity();  ///< Pairs below it are left out.
  ScoreFunction score = ScoreFunction::cosine;                ///< What closeness is.
  std::stop_token stop = {};                                  ///< Ends the search with a `StoppedError`.
  ProgressCallback progress = {};                             ///< Is told how many rows are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// What is no number is behind everything.
inline float rank_of(float score) { return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score; }

// The order of results: by score, among equals by index. It is total, so that results do not depend on how work is shared out.
inline bool is_better(SearchHit const& a, SearchHit const& b) {
  return std::tuple(-rank_of(a.score), a.index) < std::tuple(-rank_of(b.score), b.index);
}
inline bool is_better(ParaphrasePair const& a, ParaphrasePair const& b) {
  return std::tuple(-a.score, a.first, a.second) < std::tuple(-b.score, b.first, b.second);
}

// The best of what is offered: hits of any kind that `is_better` orders.
template <class Hit>
class BestOf {
 public:
  void offer(Hit const& hit, std::size_t limit) {
    if (hits_.size() < limit) {
      hits_.push_back(hit);
    } else if (is_better(hit, hits_.front())) {
      std::ranges::pop_heap(hits_, is_worst_first);
      hits_.back() = hit;
    } else {
      return;
    }
    std::ranges::push_heap(hits_, is_worst_first);
  }
  std::vector<Hit> const& hits() const { return hits_; }

 private:
  static bool is_worst_first(Hit const& a, Hit const& b) { return is_better(a, b); }  // the front of the heap is the worst
  std::vector<Hit> hits_;
};

// Rows of queries that are searched for together, and of the corpus that stay in cache meanwhile.
inline constexpr std::size_t search_chunk = 256, query_block = 32, corpus_block = 128;

// The best `limit` hits of each query, best first. Threads take parts of the corpus; the best of their bests are the best. `search_block(best, begin, size)`
// offers what the rows [begin, begin + size), `block` at most, are to each query. When told to stop, the result is that of some rows.
template <class Hit>
std::vector<std::vector<Hit>> best_in_parts(std::size_t queries, std::size_t rows, std::size_t block, std::size_t limit, Executor& executor,
                                            std::stop_token const& stop,
                                            FunctionRef<void(std::vector<BestOf<Hit>>&, std::size_t, std::size_t)> search_block) {
  std::size_t const parts = std::clamp<std::size_t>(rows / block, 1, executor.concurrency());
  std::vector<std::vector<BestOf<Hit>>> best(parts, std::vector<BestOf<Hit>>(queries));
  executor.parallel_for(parts, [&](std::size_t part) {
    std::size_t const end = rows * (part + 1) / parts;
    for (std::size_t begin = rows * part / parts; begin < end && !stop.stop_requested(); begin += block)
      search_block(best[part], begin, std::min(block, end - begin));
  });
  std::vector<std::vector<Hit>> result(queries);
  for (std::size_t q = 0; q < queries; ++q) {
    for (auto const& part : best) result[q].insert(result[q].end(), part[q].hits().begin(), part[q].hits().end());
    std::ranges::sort(result[q], [](Hit const& a, Hit const& b) { return is_better(a, b); });
    result[q].resize(std::min(result[q].size(), limit));
  }
  return result;
}

// Whether a row of a corpus may be found by itself.
enum class SelfMatch { kept, left_out };

// The best hits, best first, of the queries [first, first + count).
std::vector<std::vector<SearchHit>> search_rows(ScoredRows const& queries, std::size_t first, std::size_t count, ScoredRows const& corpus,
                                                ScoreFunction function, std::size_t top_k, SelfMatch self, Executor& executor,
                                                std::stop_token const& stop);

// The best pairs so far, each once.
class BestPairs {
 public:
  explicit BestPairs(MiningOptions const& options)
      : options_(options), room_(options.max_pairs < std::numeric_limits<std::size_t>::max() / 4 ? 2 * options.max_pairs + 65536 : 0) {}

  void offer(std::size_t a, std::size_t b, float score) {
    if (!(score >= options_.min_score)) return;  // nor what is no number
    ParaphrasePair const pair{.first = std::min(a, b), .second = std::max(a, b), .score = score};
    if (is_full_ && !is_better(pair, worst_)) return;
    pairs_.push_back(pair);
    if (room_ != 0 && pairs_.size() >= room_) keep_best();
  }
  std::vector<ParaphrasePair> take() {
    keep_best();
    return std::move(pairs_);
  }

 private:
  // A pair is found from either side, with the same score.
  void keep_best() {
    std::ranges::sort(pairs_, [](ParaphrasePair const& a, ParaphrasePair const& b) { return is_better(a, b); });
    auto const repeated = std::ranges::unique(
        pairs_, [](ParaphrasePair const& a, ParaphrasePair const& b) { return a.first == b.first && a.second == b.second; });
    pairs_.erase(repeated.begin(), repeated.end());
    is_full_ = pairs_.size() >= options_.max_pairs;
    if (is_full_) pairs_.resize(options_.max_pairs), worst_ = pairs_.back();
  }

  MiningOptions const& options_;
  std::size_t room_;  // at which the pairs are thinned out; 0 for never
  std::vector<ParaphrasePair> pairs_;
  bool is_full_ = false;
  ParaphrasePair worst_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE std::vector<std::vector<SearchHit>> search_rows(ScoredRows const& queries, std::size_t first, std::size_t count,
                                                               ScoredRows const& corpus, ScoreFunction function, std::size_t top_k,
                                                               SelfMatch self, Executor& executor, std::stop_token const& stop) {
  auto const query_lengths = queries.lengths(first, count, function);
  auto result = best_in_parts<SearchHit>(count, corpus.rows, corpus_block, top_k, executor, stop,
                                         [&](std::vector<BestOf<SearchHit>>& own, std::size_t begin, std::size_t size) {
                                           std::array<float, query_block * corpus_block> scores;
                                           auto const lengths = corpus.lengths(begin, size, function);  // while the rows are in cache
                                           for (std::size_t q = 0; q < count; q += query_block) {
                                             std::size_t const rows = std::min(query_block, count - q);
                                             score_rows(queries, first + q, rows, query_lengths.data() + (lengths.empty() ? 0 : q), corpus,
                                                        begin, size, lengths, scores.data(), corpus_block);
                                             for (std::size_t i = 0; i < rows; ++i)
                                               for (std::size_t j = 0; j < size; ++j)
                                                 if (self == SelfMatch::kept || first + q + i != begin + j)
                                                   own[q + i].offer({.index = begin + j, .score = scores[i * corpus_block + j]}, top_k);
                                           }
                                         });
  if (stop.stop_requested())
    throw StoppedError("search: stopped at query " + std::to_string(first) + " of " + std::to_string(queries.rows));
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace internal

/// The rows of a corpus that are closest to each query (as sentence_transformers.util.semantic_search).
///
/// @param queries [Queries, Columns].
/// @param corpus  [Sequences, Columns].
/// @return        For each query its `top_k` best hits, or as many as the corpus has rows: best first, equals by index. Scores are those of
///                `cos_sim` or `dot`, bit by bit; what is no number comes last.
/// @throws ShapeError when the rows differ in length; ArgumentError when `top_k` is 0; StoppedError when told to stop.
template <TensorLike Q, TensorLike C>
  requires(std::remove_cvref_t<Q>::rank == 2)
std::vector<std::vector<SearchHit>> semantic_search(Q const& queries, C const& corpus, SearchOptions const& options, Context& context) {
  axiform::detail::check_positive(options.top_k, "top_k");
  internal::check_widths("semantic_search", queries.columns(), corpus.columns());
  internal::ScoredRows const asked(queries), searched(corpus);
  std::vector<std::vector<SearchHit>> result;
  result.reserve(asked.rows);
  for (std::size_t first = 0; first < asked.rows; first += internal::search_chunk) {
    std::size_t const count = std::min(internal::search_chunk, asked.rows - first);
    auto found = internal::search_rows(asked, first, count, searched, options.score, options.top_k, internal::SelfMatch::kept,
                                       context.executor(), options.stop);
    std::ranges::move(found, std::back_inserter(result));
    if (options.progress) options.progress({.done = first + count, .total = asked.rows});
  }
  return result;
}

/// The same for one query. @param query [Columns].
template <TensorLike Q, TensorLike C>
  requires(std::remove_cvref_t<Q>::rank == 1)
std::vector<SearchHit> semantic_search(Q const& query, C const& corpus, SearchOptions const& options, Context& context) {
  auto const row = as_view(query);
  View<axes::Queries, axes::Keys> const rows(row.data(), Shape<axes::Queries, axes::Keys>(std::size_t{1}, row.columns()));
  return std::move(semantic_search(rows, corpus, options, context).front());
}

/// The pairs of rows that are closest to each other (as sentence_transformers.util.paraphrase_mining_embeddings).
///
/// @param embeddings [Sequences, Columns].
/// @return           Pairs, each once: best first, equals by index. A pair counts when either row is among the other's `top_k` closest.
/// @throws ArgumentError when `top_k` or `max_pairs` is 0; StoppedError when told to stop.
template <TensorLike E>
std::vector<ParaphrasePair> paraphrase_mining(E const& embeddings, MiningOptions const& options, Context& context) {
  axiform::detail::check_positive(options.top_k, "top_k");
  axiform::detail::check_positive(options.max_pairs, "max_pairs");
  internal::ScoredRows const rows(embeddings);
  internal::BestPairs best(options);
  for (std::size_t first = 0; first < rows.rows; first += internal::search_chunk) {
    std::size_t const count = std::min(internal::search_chunk, rows.rows - first);
    auto const found = internal::search_rows(rows, first, count, rows, options.score, options.top_k, internal::SelfMatch::left_out,
                                             context.executor(), options.stop);
    for (std::size_t i = 0; i < count; ++i)
      for (SearchHit const& hit : found[i]) best.offer(first + i, hit.index, hit.score);
    if (options.progress) options.progress({.done = first + count, .total = rows.rows});
  }
  return best.take();
}

}  // namespace axiform::inline AXIFORM_ARCH
