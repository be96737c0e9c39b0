/// @file
/// `MultiVectors`: texts as the vectors of their tokens, and how close such texts are (`max_sim`, Khattab and Zaharia 2020): for each vector of a query
/// the closest of a document's.
///
///     MultiVectors const documents = model.embed_documents(passages, {}, context);
///     MultiVectors const queries = model.embed_queries({"How tall is the tower?"}, {}, context);
///     for (SearchHit const& hit : multi_vector_search(queries, documents, {.top_k = 3}, context).front())
///       std::cout << hit.score << "  " << passages[hit.index] << "\n";
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/tasks/semantic_search.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <iterator>
#include <limits>

#include <axiform/core/checks.hpp>
#include <axiform/core/error.hpp>
#include <axiform/kernels/row_products.hpp>
#endif

namespace axiform {

/// The vectors of many texts' tokens, one text after another.
struct MultiVectors {
  Tensor<float, axes::Tokens, axes::Hidden> vectors{std::size_t{0}, std::size_t{0}};  ///< [Tokens, Hidden], of all texts.
  SequenceOffsets<axes::Tokens> texts;                                                ///< Where each text begins.

  std::size_t count() const noexcept { return texts.count(); }           ///< Texts.
  std::size_t dimensions() const noexcept { return vectors.columns(); }  ///< Numbers of a vector.
  /// The vectors of one text, valid as long as this object. @throws ArgumentError when there is no such text.
  View<axes::Tokens, axes::Hidden> text(std::size_t index) const& {
    std::size_t const length = texts.length(index);
    return {vectors.data() + texts.offset(index) * vectors.row_stride(), Shape<axes::Tokens, axes::Hidden>(length, vectors.columns())};
  }
  void text(std::size_t index) const&& = delete;  ///< The view would dangle: give the owner a name.
};

/// What becomes of the greatest products of a query's vectors.
enum class MaxSim {
  sum,  ///< They are added up (ColBERT).
  mean  ///< Their mean, for scores that do not grow with the query (BGE-M3).
};

/// What is searched for.
struct MultiVectorSearchOptions {
  std::size_t top_k = 10;          ///< Hits for each query at most.
  MaxSim score = MaxSim::sum;      ///< What closeness is.
  std::stop_token stop = {};       ///< Ends the search with a `StoppedError`.
  ProgressCallback progress = {};  ///< Is told how many queries are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// How close every query is to every document: the sum, or the mean, of the greatest product of each of the query's vectors with the document's.
///
/// @return [queries, documents]. A query without vectors is at 0 to everything, and a document without vectors at minus infinity to any other query.
///         The same bits whatever is scored with it, on any number of threads.
/// @throws ShapeError when the vectors differ in length.
Tensor<float, axes::Queries, axes::Keys> max_sim(MultiVectors const& queries, MultiVectors const& documents, MaxSim score,
                                                 Context& context);
/// The same with the sum.
inline Tensor<float, axes::Queries, axes::Keys> max_sim(MultiVectors const& queries, MultiVectors const& documents, Context& context) {
  return max_sim(queries, documents, MaxSim::sum, context);
}

/// The documents that are closest to each query: all of them are compared.
///
/// @return For each query its `top_k` best hits, or as many as there are documents: best first, equals by index. Scores are those of `max_sim`.
/// @throws ShapeError when the vectors differ in length; ArgumentError when `top_k` is 0; StoppedError when told to stop.
std::vector<std::vector<SearchHit>> multi_vector_search(MultiVectors const& queries, MultiVectors const& documents,
                                                        MultiVectorSearchOptions const& options, Context& context);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

namespace internal {

// The score of one query and one document; `products` and `greatest` are memory from call to call.
struct MaxSimScorer {
  MultiVectors const& queries;
  MultiVectors const& documents;
  MaxSim score;
  std::vector<float> products = {}, greatest = {};

  float operator()(std::size_t query, std::size_t document) {
    std::size_t const rows = queries.texts.length(query), columns = documents.texts.length(document), width = queries.dimensions();
    if (rows == 0) return 0;
    if (columns == 0) return -std::numeric_limits<float>::infinity();
    products.resize(std::max(products.size(), rows * columns));
    greatest.resize(std::max(greatest.size(), rows));
    kernels::row_products(queries.vectors.data() + queries.texts.offset(query) * width, width, rows,
                          documents.vectors.data() + documents.texts.offset(document) * width, width, columns, width, products.data(),
                          columns);
    kernels::greatest_of_rows(products.data(), columns, rows, columns, greatest.data());
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i) sum += static_cast<double>(greatest[i]);
    return static_cast<float>(score == MaxSim::sum ? sum : sum / static_cast<double>(rows));
  }
};

inline void check_multi_vectors(char const* function, MultiVectors const& queries, MultiVectors const& documents) {
  for (MultiVectors const* const each : {&queries, &documents})
    if (each->texts.total() != each->vectors.rows())
      throw ShapeError(std::string(function) + ": found " + std::to_string(each->vectors.rows()) + " vectors, expected the " +
                       std::to_string(each->texts.total()) + " of its texts");
  if (queries.count() != 0 && documents.count() != 0) check_widths(function, queries.dimensions(), documents.dimensions());
}

}  // namespace internal

AXIFORM_INLINE Tensor<float, axes::Queries, axes::Keys> max_sim(MultiVectors const& queries, MultiVectors const& documents, MaxSim score,
                                                                Context& context) {
  internal::check_multi_vectors("max_sim", queries, documents);
  Tensor<float, axes::Queries, axes::Keys> result(queries.count(), documents.count());
  std::size_t const parts = std::min(context.executor().concurrency(), documents.count());
  context.executor().parallel_for(parts, [&](std::size_t part) {
    internal::MaxSimScorer scorer{queries, documents, score};
    for (std::size_t d = documents.count() * part / parts; d < documents.count() * (part + 1) / parts; ++d)
      for (std::size_t q = 0; q < queries.count(); ++q) result.data()[q * documents.count() + d] = scorer(q, d);
  });
  return result;
}

AXIFORM_INLINE std::vector<std::vector<SearchHit>> multi_vector_search(MultiVectors const& queries, MultiVectors const& documents,
                                                                       MultiVectorSearchOptions const& options, Context& context) {
  axiform::detail::check_positive(options.top_k, "top_k");
  internal::check_multi_vectors("multi_vector_search", queries, documents);
  constexpr std::size_t documents_at_a_time = 8, queries_at_a_time = 32;
  std::vector<std::vector<SearchHit>> result;
  for (std::size_t first = 0; first < queries.count(); first += queries_at_a_time) {
    std::size_t const count = std::min(queries_at_a_time, queries.count() - first);
    auto found =
        internal::best_in_parts<SearchHit>(count, documents.count(), documents_at_a_time, options.top_k, context.executor(), options.stop,
                                           [&](std::vector<internal::BestOf<SearchHit>>& best, std::size_t begin, std::size_t size) {
                                             internal::MaxSimScorer scorer{queries, documents, options.score};
                                             for (std::size_t d = begin; d < begin + size; ++d)
                                               for (std::size_t q = 0; q < count; ++q)
                                                 best[q].offer({.index = d, .score = scorer(first + q, d)}, options.top_k);
                                           });
    if (options.stop.stop_requested())
      throw StoppedError("search: stopped at query " + std::to_string(first) + " of " + std::to_string(queries.count()));
    std::ranges::move(found, std::back_inserter(result));
    if (options.progress) options.progress({.done = first + count, .total = queries.count()});
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
