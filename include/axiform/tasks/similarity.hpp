/// @file
/// How close embeddings are: `cos_sim` and `dot`, every row of one matrix with every row of another.
///
///     auto const similarity = cos_sim(embeddings, embeddings);   // similarity(0, 1) is the cosine of the first two
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/pooling.hpp>
#include <axiform/kernels/row_products.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Embeddings that are compared.
struct ScoredRows {
  template <class T>
  explicit ScoredRows(T const& tensor)
      : data(as_view(tensor).data()), stride(as_view(tensor).row_stride()), rows(tensor.rows()), columns(tensor.columns()) {}

  float const* row(std::size_t index) const { return data + index * stride; }

  // The lengths of `count` rows, for cosines; for dot products nothing.
  std::vector<double> lengths(std::size_t first, std::size_t count, ScoreFunction function) const {
    std::vector<double> result(function == ScoreFunction::cosine ? count : 0);
    for (std::size_t i = 0; i < result.size(); ++i) {
      float square = 0;
      kernels::row_products(row(first + i), 0, 1, row(first + i), 0, 1, columns, &square, 0);
      result[i] = std::max(std::sqrt(static_cast<double>(square)), 1e-12);  // as torch's `normalize`: zeros stay zeros
    }
    return result;
  }

  float const* data;
  std::size_t stride, rows, columns;
};

inline void check_widths(char const* function, std::size_t a, std::size_t b) {
  if (a != b) throw ShapeError(std::string(function) + ": found rows of " + std::to_string(a) + " and of " + std::to_string(b));
}

// scores[i][j] = the score of row a_first + i of a with row b_first + j of b, divided by their lengths where there are any. It has the same
// bits in any blocks, and in either order.
void score_rows(ScoredRows const& a, std::size_t a_first, std::size_t a_count, double const* a_lengths, ScoredRows const& b,
                std::size_t b_first, std::size_t b_count, std::span<double const> b_lengths, float* scores, std::size_t stride);

template <class A, class B>
Tensor<float, axes::Queries, axes::Keys> scores(char const* name, A const& a, B const& b, ScoreFunction function) {
  check_widths(name, a.columns(), b.columns());
  ScoredRows const left(a), right(b);
  Tensor<float, axes::Queries, axes::Keys> result(left.rows, right.rows);
  if (result.size() == 0) return result;
  score_rows(left, 0, left.rows, left.lengths(0, left.rows, function).data(), right, 0, right.rows, right.lengths(0, right.rows, function),
             result.data(), result.row_stride());
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE void score_rows(ScoredRows const& a, std::size_t a_first, std::size_t a_count, double const* a_lengths, ScoredRows const& b,
                               std::size_t b_first, std::size_t b_count, std::span<double const> b_lengths, float* scores,
                               std::size_t stride) {
  kernels::row_products(a.row(a_first), a.stride, a_count, b.row(b_first), b.stride, b_count, a.columns, scores, stride);
  for (std::size_t i = 0; i < a_count; ++i)
    for (std::size_t j = 0; j < b_lengths.size(); ++j)
      scores[i * stride + j] = static_cast<float>(scores[i * stride + j] / (a_lengths[i] * b_lengths[j]));
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace internal

/// The cosine of every row of `a` with every row of `b`. A row of zeros has a cosine of 0 with everything.
///
/// @param a [Sequences, Columns], or one embedding, [Columns]; @param b likewise.
/// @return  [rows of a, rows of b].
/// @throws ShapeError when the rows differ in length.
template <TensorLike A, TensorLike B>
Tensor<float, axes::Queries, axes::Keys> cos_sim(A const& a, B const& b) {
  return internal::scores("cos_sim", a, b, ScoreFunction::cosine);
}

/// The dot product of every row of `a` with every row of `b`: of embeddings of unit length their cosine.
///
/// @param a [Sequences, Columns], or one embedding, [Columns]; @param b likewise.
/// @return  [rows of a, rows of b].
/// @throws ShapeError when the rows differ in length.
template <TensorLike A, TensorLike B>
Tensor<float, axes::Queries, axes::Keys> dot(A const& a, B const& b) {
  return internal::scores("dot", a, b, ScoreFunction::dot);
}

}  // namespace axiform::inline AXIFORM_ARCH
