/// @file
/// What `M3Embedding` gives for texts, and the scores of it: dense, sparse and multi-vector, and any weighted mean of the three (Chen et al. 2024, BGE-M3).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/tasks/multi_vectors.hpp>
#include <axiform/tasks/similarity.hpp>
#include <axiform/tasks/sparse_vectors.hpp>

namespace axiform {

/// Three views of the same texts, from one pass.
struct M3Embeddings {
  Tensor<float, axes::Sequences, axes::Hidden> dense{std::size_t{0}, std::size_t{0}};  ///< [Sequences, Hidden], of unit length.
  std::vector<SparseVector> sparse;                                                    ///< The weights of each text's tokens.
  MultiVectors vectors;                                                                ///< Those of each text's tokens, of unit length.
};

/// How much each of the three scores counts. FlagEmbedding's authors use 0.4, 0.2 and 0.4 where they use all three.
struct M3Weights {
  float dense = 1;    ///< Of the cosine of the dense vectors.
  float sparse = 1;   ///< Of the product of the tokens' weights.
  float vectors = 1;  ///< Of the mean of the greatest products of the tokens' vectors.
};

/// The scores of queries and documents, each [queries, documents].
struct M3Scores {
  Tensor<float, axes::Queries, axes::Keys> dense{std::size_t{0}, std::size_t{0}};    ///< The products of the dense vectors.
  Tensor<float, axes::Queries, axes::Keys> sparse{std::size_t{0}, std::size_t{0}};   ///< `sparse_dot`.
  Tensor<float, axes::Queries, axes::Keys> vectors{std::size_t{0}, std::size_t{0}};  ///< `max_sim`, the mean.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// The scores of every query with every document; of a part that was left out of either they are empty.
M3Scores m3_scores(M3Embeddings const& queries, M3Embeddings const& documents, Context& context);

/// The mean of scores by these weights: (dense * w + sparse * w + vectors * w) / the sum of the weights. A part of weight 0 may be missing.
/// @return [queries, documents].
/// @throws ArgumentError when a weight is below 0, all are 0, or there are no scores of a part that has a weight.
Tensor<float, axes::Queries, axes::Keys> combine(M3Scores const& scores, M3Weights const& weights);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE M3Scores m3_scores(M3Embeddings const& queries, M3Embeddings const& documents, Context& context) {
  M3Scores scores;
  if (queries.dense.rows() != 0 && documents.dense.rows() != 0) scores.dense = dot(queries.dense, documents.dense);
  if (!queries.sparse.empty() && !documents.sparse.empty()) scores.sparse = sparse_scores(queries.sparse, documents.sparse, context);
  if (queries.vectors.count() != 0 && documents.vectors.count() != 0)
    scores.vectors = max_sim(queries.vectors, documents.vectors, MaxSim::mean, context);
  return scores;
}

AXIFORM_INLINE Tensor<float, axes::Queries, axes::Keys> combine(M3Scores const& scores, M3Weights const& weights) {
  struct Part {
    char const* name;
    Tensor<float, axes::Queries, axes::Keys> const& scores;
    float weight;
  };
  Part const parts[] = {
      {"dense", scores.dense, weights.dense}, {"sparse", scores.sparse, weights.sparse}, {"vectors", scores.vectors, weights.vectors}};
  double total = 0;
  Part const* first = nullptr;
  for (Part const& part : parts) {
    if (!(part.weight >= 0))
      throw ArgumentError("combine: " + std::string(part.name) + ": found a weight of " + std::to_string(part.weight) +
                          ", expected 0 or more");
    if (part.weight == 0) continue;
    if (part.scores.size() == 0)
      throw ArgumentError("combine: " + std::string(part.name) + ": found no scores, expected some for a weight above 0");
    if (first == nullptr) first = &part;
    if (part.scores.lengths() != first->scores.lengths())
      throw ShapeError("combine: found scores " + first->scores.shape().to_string() + " and " + part.scores.shape().to_string());
    total += static_cast<double>(part.weight);
  }
  if (first == nullptr) throw ArgumentError("combine: found no weight above 0, expected at least one");
  Tensor<float, axes::Queries, axes::Keys> result(first->scores.shape());
  for (std::size_t i = 0; i < result.size(); ++i) {
    double sum = 0;
    for (Part const& part : parts)
      if (part.weight != 0) sum += static_cast<double>(part.weight) * static_cast<double>(part.scores.data()[i]);
    result.data()[i] = static_cast<float>(sum / total);
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
