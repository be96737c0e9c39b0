/// @file
/// `quantized_search`: semantic search in embeddings of a byte or a bit a number. The best by their codes are candidates; their scores are computed again
/// from floats, so that hits have the scores of `semantic_search`.
///
///     auto const signs = quantize_binary(embeddings, context);
///     auto const hits = quantized_search(queries, signs, embeddings, {.top_k = 10, .rescore_multiplier = 8}, context);
///     std::cout << search_recall(hits, semantic_search(queries, embeddings, {.top_k = 10}, context));   // 1 when none was missed
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
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
#include <axiform/kernels/codes.hpp>
#include <axiform/tasks/quantized_embeddings.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/similarity.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#endif

namespace axiform {

/// What is searched for.
struct QuantizedSearchOptions {
  std::size_t top_k = 10;                       ///< Hits for each query at most.
  std::size_t rescore_multiplier = 4;           ///< Candidates whose scores are computed from floats, for each hit.
  ScoreFunction score = ScoreFunction::cosine;  ///< What closeness is, where there are rows of floats.
  std::stop_token stop = {};                    ///< Ends the search with a `StoppedError`.
  ProgressCallback progress = {};               ///< Is told how many queries are done.
};

/// Which share of the expected hits was found, from 0 to 1: the recall of a search, beside one that looks at everything. Scores do not count.
/// @throws ShapeError when the numbers of queries differ.
double search_recall(std::vector<std::vector<SearchHit>> const& found, std::vector<std::vector<SearchHit>> const& expected);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// A row that may be among the best, by its code.
struct Candidate {
  std::size_t index;
  std::int32_t score;
};
inline bool is_better(Candidate const& a, Candidate const& b) { return std::tuple(-a.score, a.index) < std::tuple(-b.score, b.index); }

// Codes of a byte.
struct ByteCodes {
  template <Int8Rows C>
  explicit ByteCodes(C const& corpus)
      : codes(corpus.codes.data()),
        stride(corpus.codes.row_stride()),
        rows(corpus.codes.rows()),
        columns(corpus.codes.columns()),
        lowest(corpus.ranges.data()) {
    check_ranges("quantized_search", corpus.ranges.rows(), corpus.ranges.columns(), columns);
    check_code_length("quantized_search", columns);
    steps = steps_of(lowest, lowest + corpus.ranges.row_stride(), columns);
  }

  std::int8_t const* codes;
  std::size_t stride, rows, columns;
  float const* lowest;
  std::vector<float> steps;
};

// Codes of a bit.
struct BitCodes {
  template <BinaryRows C>
  explicit BitCodes(C const& corpus)
      : bits(corpus.bits.data()), stride(corpus.bits.row_stride()), rows(corpus.bits.rows()), columns(corpus.dimensions) {
    check_code_width("quantized_search: bytes of bits", corpus.bits.columns(), (columns + 7) / 8);
  }

  std::uint8_t const* bits;
  std::size_t stride, rows, columns;
};

// The candidates of the queries [first, first + count), the best first.
//
// In bytes the ranges of the columns are folded into the query: the product of a query with what a code stands for is a constant and the sum of
// query * step * code, so query * step is quantised, by the greatest of its numbers. In bits, rows with the same signs are close.
using Candidates = std::vector<std::vector<Candidate>>;
Candidates find_candidates(ScoredRows const& queries, std::size_t first, std::size_t count, ByteCodes const& corpus, std::size_t limit,
                           Executor& executor, std::stop_token const& stop);
Candidates find_candidates(ScoredRows const& queries, std::size_t first, std::size_t count, BitCodes const& corpus, std::size_t limit,
                           Executor& executor, std::stop_token const& stop);

// The product of a query with what a row's codes stand for.
float score_of_codes(float const* query, ByteCodes const& corpus, std::size_t row);
float score_of_codes(float const* query, BitCodes const& corpus, std::size_t row);

// The best of a query's candidates by their true scores.
std::vector<SearchHit> best_of(std::vector<Candidate> const& candidates, std::size_t top_k, FunctionRef<float(std::size_t)> score);

// How many candidates `top_k` hits want, of so many rows.
std::size_t candidates_wanted(QuantizedSearchOptions const& options, std::size_t rows);

template <class Codes, class Score>
std::vector<std::vector<SearchHit>> search_codes(ScoredRows const& queries, Codes const& corpus, QuantizedSearchOptions const& options,
                                                 Context& context, Score const& score) {
  axiform::detail::check_positive(options.top_k, "top_k");
  axiform::detail::check_positive(options.rescore_multiplier, "rescore_multiplier");
  check_widths("quantized_search", queries.columns, corpus.columns);
  std::size_t const limit = candidates_wanted(options, corpus.rows);
  std::vector<std::vector<SearchHit>> result(queries.rows);
  for (std::size_t first = 0; first < queries.rows; first += search_chunk) {
    std::size_t const count = std::min(search_chunk, queries.rows - first);
    auto const candidates = find_candidates(queries, first, count, corpus, limit, context.executor(), options.stop);
    context.executor().parallel_for(count, [&](std::size_t i) {
      std::size_t const query = first + i;
      result[query] = best_of(candidates[i], options.top_k, [&](std::size_t row) { return score(query, row); });
    });
    if (options.progress) options.progress({.done = first + count, .total = queries.rows});
  }
  return result;
}

}  // namespace internal

/// The products of every row of codes of `a` with every row of `b`, exactly.
///
/// @param a [rows, Columns]; @param b likewise, both std::int8_t.
/// @return  [rows of a, rows of b].
/// @throws ShapeError when the rows differ in length, or are longer than 65 536, beyond which a product may not fit.
template <TensorLike A, TensorLike B>
  requires(detail::HasElements<A, std::int8_t>&& detail::HasElements<B, std::int8_t>)
Tensor<std::int32_t, axes::Queries, axes::Keys> int8_dot(A const& a, B const& b) {
  auto const left = as_view(a), right = as_view(b);
  internal::check_widths("int8_dot", left.columns(), right.columns());
  internal::check_code_length("int8_dot", left.columns());
  Tensor<std::int32_t, axes::Queries, axes::Keys> result(left.rows(), right.rows());
  kernels::byte_products(left.data(), left.row_stride(), left.rows(), right.data(), right.row_stride(), right.rows(), left.columns(),
                         result.data(), result.row_stride());
  return result;
}

/// The number of bits in which every row of `a` differs from every row of `b`.
///
/// @param a [rows, bytes]; @param b likewise, both std::uint8_t.
/// @return  [rows of a, rows of b].
/// @throws ShapeError when the rows differ in length.
template <TensorLike A, TensorLike B>
  requires(detail::HasElements<A, std::uint8_t>&& detail::HasElements<B, std::uint8_t>)
Tensor<std::int32_t, axes::Queries, axes::Keys> hamming_distances(A const& a, B const& b) {
  auto const left = as_view(a), right = as_view(b);
  internal::check_widths("hamming_distances", left.columns(), right.columns());
  Tensor<std::int32_t, axes::Queries, axes::Keys> result(left.rows(), right.rows());
  kernels::bit_distances(left.data(), left.row_stride(), left.rows(), right.data(), right.row_stride(), right.rows(), left.columns(),
                         result.data(), result.row_stride());
  return result;
}

/// The rows of a corpus that are closest to each query. Candidates are the `top_k * rescore_multiplier` rows whose codes have the greatest product with
/// the query, or, in bits, the fewest signs that differ; the hits are the best of them by the scores of `rows`.
///
/// Codes know nothing of a row's length: for cosines, quantise embeddings of unit length.
///
/// @param queries [Queries, Columns], floats.
/// @param corpus  `Int8Embeddings`, `BinaryEmbeddings`, or views of such.
/// @param rows    [Sequences, Columns], the floats that the codes were made of; only those of candidates are read.
/// @return        For each query its hits, best first, equals by index, with the scores of `semantic_search`, bit by bit. They do not depend on threads.
/// @throws ShapeError when the sizes do not fit; ArgumentError when `top_k` or `rescore_multiplier` is 0; StoppedError when told to stop.
template <FloatTensor Q, class C, FloatTensor R>
  requires(std::remove_cvref_t<Q>::rank == 2 && (Int8Rows<C> || BinaryRows<C>))
std::vector<std::vector<SearchHit>> quantized_search(Q const& queries, C const& corpus, R const& rows,
                                                     QuantizedSearchOptions const& options, Context& context) {
  using Codes = std::conditional_t<Int8Rows<C>, internal::ByteCodes, internal::BitCodes>;
  internal::ScoredRows const asked(queries), floats(rows);
  Codes const codes(corpus);
  internal::check_widths("quantized_search", codes.columns, floats.columns);
  if (floats.rows != codes.rows)
    throw ShapeError("quantized_search: found " + std::to_string(codes.rows) + " rows of codes and " + std::to_string(floats.rows) +
                     " of floats, expected as many");
  auto const lengths = asked.lengths(0, asked.rows, options.score);
  return internal::search_codes(asked, codes, options, context, [&](std::size_t query, std::size_t row) {
    float score = 0;
    internal::score_rows(asked, query, 1, lengths.empty() ? nullptr : &lengths[query], floats, row, 1,
                         floats.lengths(row, 1, options.score), &score, 1);
    return score;
  });
}

/// The same where the floats are not kept: scores are the products of the query and what the codes stand for, in bits 1 or 0, as sentence-transformers'
/// `semantic_search_usearch` and `semantic_search_faiss` score again. `options.score` is not heeded.
template <FloatTensor Q, class C>
  requires(std::remove_cvref_t<Q>::rank == 2 && (Int8Rows<C> || BinaryRows<C>))
std::vector<std::vector<SearchHit>> quantized_search(Q const& queries, C const& corpus, QuantizedSearchOptions const& options,
                                                     Context& context) {
  using Codes = std::conditional_t<Int8Rows<C>, internal::ByteCodes, internal::BitCodes>;
  internal::ScoredRows const asked(queries);
  Codes const codes(corpus);
  return internal::search_codes(asked, codes, options, context,
                                [&](std::size_t query, std::size_t row) { return internal::score_of_codes(asked.row(query), codes, row); });
}

/// The same for one query, [Columns], with or without the rows of floats before the options.
template <FloatTensor Q, class C, class... More>
  requires(std::remove_cvref_t<Q>::rank == 1 && (Int8Rows<C> || BinaryRows<C>))
std::vector<SearchHit> quantized_search(Q const& query, C const& corpus, More&&... more) {
  auto const row = as_view(query);
  View<axes::Queries, axes::Keys> const rows(row.data(), Shape<axes::Queries, axes::Keys>(std::size_t{1}, row.columns()));
  return std::move(quantized_search(rows, corpus, std::forward<More>(more)...).front());
}

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

namespace axiform {

AXIFORM_INLINE double search_recall(std::vector<std::vector<SearchHit>> const& found, std::vector<std::vector<SearchHit>> const& expected) {
  if (found.size() != expected.size())
    throw ShapeError("search_recall: found hits of " + std::to_string(found.size()) + " queries and of " + std::to_string(expected.size()));
  std::size_t total = 0, hit = 0;
  for (std::size_t query = 0; query < expected.size(); ++query) {
    total += expected[query].size();
    for (SearchHit const& wanted : expected[query])
      if (std::ranges::find(found[query], wanted.index, &SearchHit::index) != found[query].end()) ++hit;
  }
  return total == 0 ? 1.0 : static_cast<double>(hit) / static_cast<double>(total);
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH::internal {

// What is common to both kinds of codes: scores of a block of the corpus, for blocks of queries.
AXIFORM_INLINE Candidates find_by_scores(std::size_t first, std::size_t count, std::size_t queries, std::size_t rows, std::size_t limit,
                                         Executor& executor, std::stop_token const& stop,
                                         FunctionRef<void(std::size_t, std::size_t, std::size_t, std::size_t, std::int32_t*)> score) {
  auto result = best_in_parts<Candidate>(count, rows, corpus_block, limit, executor, stop,
                                         [&](std::vector<BestOf<Candidate>>& own, std::size_t begin, std::size_t size) {
                                           std::array<std::int32_t, query_block * corpus_block> scores;
                                           for (std::size_t q = 0; q < count; q += query_block) {
                                             std::size_t const block = std::min(query_block, count - q);
                                             score(q, block, begin, size, scores.data());
                                             for (std::size_t i = 0; i < block; ++i) {
                                               // Rows come in their order: an equal score is no better than those that are there.
                                               BestOf<Candidate>& best = own[q + i];
                                               std::int32_t const* const row = scores.data() + i * corpus_block;
                                               for (std::size_t j = 0; j < size; ++j)
                                                 if (best.hits().size() < limit || row[j] > best.hits().front().score)
                                                   best.offer({begin + j, row[j]}, limit);
                                             }
                                           }
                                         });
  if (stop.stop_requested()) throw StoppedError("search: stopped at query " + std::to_string(first) + " of " + std::to_string(queries));
  return result;
}

AXIFORM_INLINE Candidates find_candidates(ScoredRows const& queries, std::size_t first, std::size_t count, ByteCodes const& corpus,
                                          std::size_t limit, Executor& executor, std::stop_token const& stop) {
  std::size_t const columns = corpus.columns;
  std::vector<std::int8_t> codes(count * columns);
  std::vector<float> weights(columns);
  for (std::size_t i = 0; i < count; ++i) {
    float const* const query = queries.row(first + i);
    float greatest = 0;
    for (std::size_t k = 0; k < columns; ++k) {
      weights[k] = query[k] * corpus.steps[k];
      if (!std::isfinite(weights[k])) weights[k] = 0;
      greatest = std::max(greatest, std::abs(weights[k]));
    }
    if (greatest == 0) continue;
    for (std::size_t k = 0; k < columns; ++k)
      codes[i * columns + k] = static_cast<std::int8_t>(std::lround(weights[k] / greatest * 127.0f));
  }
  return find_by_scores(first, count, queries.rows, corpus.rows, limit, executor, stop,
                        [&](std::size_t q, std::size_t block, std::size_t begin, std::size_t size, std::int32_t* scores) {
                          kernels::byte_products(codes.data() + q * columns, columns, block, corpus.codes + begin * corpus.stride,
                                                 corpus.stride, size, columns, scores, corpus_block);
                        });
}

AXIFORM_INLINE Candidates find_candidates(ScoredRows const& queries, std::size_t first, std::size_t count, BitCodes const& corpus,
                                          std::size_t limit, Executor& executor, std::stop_token const& stop) {
  std::size_t const bytes = (corpus.columns + 7) / 8;
  std::vector<std::uint8_t> bits(count * bytes);
  for (std::size_t i = 0; i < count; ++i) kernels::pack_signs(queries.row(first + i), corpus.columns, bits.data() + i * bytes);
  return find_by_scores(first, count, queries.rows, corpus.rows, limit, executor, stop,
                        [&](std::size_t q, std::size_t block, std::size_t begin, std::size_t size, std::int32_t* scores) {
                          kernels::bit_distances(bits.data() + q * bytes, bytes, block, corpus.bits + begin * corpus.stride, corpus.stride,
                                                 size, bytes, scores, corpus_block);
                          for (std::size_t i = 0; i < block; ++i)
                            for (std::size_t j = 0; j < size; ++j) scores[i * corpus_block + j] = -scores[i * corpus_block + j];
                        });
}

AXIFORM_INLINE float score_of_codes(float const* query, ByteCodes const& corpus, std::size_t row) {
  double sum = 0;
  std::int8_t const* const codes = corpus.codes + row * corpus.stride;
  for (std::size_t k = 0; k < corpus.columns; ++k)
    sum +=
        static_cast<double>(query[k]) * ((codes[k] + 128) * static_cast<double>(corpus.steps[k]) + static_cast<double>(corpus.lowest[k]));
  return static_cast<float>(sum);
}

AXIFORM_INLINE float score_of_codes(float const* query, BitCodes const& corpus, std::size_t row) {
  double sum = 0;
  std::uint8_t const* const bits = corpus.bits + row * corpus.stride;
  for (std::size_t k = 0; k < corpus.columns; ++k)
    if ((bits[k / 8] << (k % 8) & 128) != 0) sum += static_cast<double>(query[k]);
  return static_cast<float>(sum);
}

AXIFORM_INLINE std::vector<SearchHit> best_of(std::vector<Candidate> const& candidates, std::size_t top_k,
                                              FunctionRef<float(std::size_t)> score) {
  std::vector<SearchHit> hits;
  hits.reserve(candidates.size());
  for (Candidate const& candidate : candidates) hits.push_back({.index = candidate.index, .score = score(candidate.index)});
  std::ranges::sort(hits, [](SearchHit const& a, SearchHit const& b) { return is_better(a, b); });
  hits.resize(std::min(hits.size(), top_k));
  return hits;
}

AXIFORM_INLINE std::size_t candidates_wanted(QuantizedSearchOptions const& options, std::size_t rows) {
  bool const all = options.top_k > std::numeric_limits<std::size_t>::max() / options.rescore_multiplier;
  return std::min(rows, all ? rows : options.top_k * options.rescore_multiplier);
}

}  // namespace axiform::inline AXIFORM_ARCH::internal

#endif  // AXIFORM_DEFINES(tasks)
