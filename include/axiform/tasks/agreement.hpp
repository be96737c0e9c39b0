/// @file
/// How far what a model gives in a smaller format of weights is from what it gives in floats.
///
///     auto const exact = SentenceEmbedding<>::from_directory(directory, context).embed(texts, context);
///     auto const small = SentenceEmbedding<>::from_directory(directory, {.weights = WeightFormat::q8_0}, context).embed(texts, context);
///     std::cout << compare_embeddings(small, exact, 10, context).least_cosine << "\n";
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/similarity.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// How close embeddings are to a reference.
struct EmbeddingAgreement {
  double mean_cosine = 1;      ///< Of each embedding with the reference's of the same text.
  double least_cosine = 1;     ///< The worst of them; NaN when one is.
  double neighbours_kept = 1;  ///< Of the nearest texts that the reference finds for each text, the share that is found here too.
  std::size_t neighbours = 0;  ///< How many of each text were looked at.
};

namespace internal {

using ComparedRows = View<axes::Queries, axes::Hidden>;

EmbeddingAgreement compare_rows(ComparedRows found, ComparedRows reference, std::size_t neighbours, Context& context);

}  // namespace internal

/// Compares embeddings of texts with those of a reference, row by row.
/// @param neighbours How many of each text's nearest are compared; of n texts at most (n - 1) / 2: of all n - 1 others none could be missed.
/// @throws ShapeError when the two differ in their rows or columns; ArgumentError when there are none.
template <TensorLike A, TensorLike B>
EmbeddingAgreement compare_embeddings(A const& found, B const& reference, std::size_t neighbours, Context& context) {
  auto const rows_of = [](auto const& tensor) {
    auto const view = as_view(tensor);
    return internal::ComparedRows(view.data(), Shape<axes::Queries, axes::Hidden>(view.rows(), view.columns()), view.row_stride());
  };
  return internal::compare_rows(rows_of(found), rows_of(reference), neighbours, context);
}

/// Of the tokens that a reference holds for most probable, the share that is so here too (`Perplexity::most_probable` of one text).
/// @throws ShapeError when they are not equally many; ArgumentError when there are none.
double agreement_of_tokens(std::span<TokenId const> found, std::span<TokenId const> reference);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

namespace internal {

// Of each row the indices of the `count` other rows that are nearest, in order of index.
inline std::vector<std::vector<std::size_t>> nearest_others(ComparedRows rows, std::size_t count, Context& context) {
  std::vector<std::vector<std::size_t>> result;
  for (std::vector<SearchHit> const& hits :
       semantic_search(rows, rows, {.top_k = count + 1}, context)) {  // itself, or an equal one, among them
    auto& others = result.emplace_back();
    for (SearchHit const& hit : hits)
      if (hit.index != result.size() - 1 && others.size() < count) others.push_back(hit.index);
    std::ranges::sort(others);
  }
  return result;
}

AXIFORM_INLINE EmbeddingAgreement compare_rows(ComparedRows found, ComparedRows reference, std::size_t neighbours, Context& context) {
  std::size_t const texts = reference.rows();
  if (found.rows() != texts || found.columns() != reference.columns())
    throw ShapeError("compare_embeddings: found " + found.shape().to_string() + ", expected the reference's " +
                     reference.shape().to_string());
  if (texts == 0) throw ArgumentError("compare_embeddings: found no embeddings, expected at least one");
  EmbeddingAgreement result{.neighbours = std::min(neighbours, (texts - 1) / 2)};
  double sum = 0;
  for (std::size_t i = 0; i < texts; ++i) {
    auto const row = [&](ComparedRows rows) {
      return ComparedRows(rows.row(i).data(), Shape<axes::Queries, axes::Hidden>(std::size_t{1}, rows.columns()));
    };
    double const cosine = cos_sim(row(found), row(reference))(0, 0);
    sum += cosine;
    if (std::isnan(cosine) || cosine < result.least_cosine || i == 0) result.least_cosine = cosine;
  }
  result.mean_cosine = sum / static_cast<double>(texts);
  if (result.neighbours == 0) return result;
  auto const here = nearest_others(found, result.neighbours, context), there = nearest_others(reference, result.neighbours, context);
  std::vector<std::size_t> shared;
  for (std::size_t i = 0; i < texts; ++i) std::ranges::set_intersection(here[i], there[i], std::back_inserter(shared));
  result.neighbours_kept = static_cast<double>(shared.size()) / static_cast<double>(texts * result.neighbours);
  return result;
}

}  // namespace internal

AXIFORM_INLINE double agreement_of_tokens(std::span<TokenId const> found, std::span<TokenId const> reference) {
  if (found.size() != reference.size())
    throw ShapeError("agreement_of_tokens: found " + std::to_string(found.size()) + " tokens, expected the reference's " +
                     std::to_string(reference.size()));
  if (reference.empty()) throw ArgumentError("agreement_of_tokens: found no tokens, expected at least one");
  std::size_t equal = 0;
  for (std::size_t i = 0; i < found.size(); ++i) equal += found[i] == reference[i];
  return static_cast<double>(equal) / static_cast<double>(found.size());
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
