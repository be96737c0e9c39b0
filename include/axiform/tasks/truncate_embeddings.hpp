/// @file
/// `truncate_embeddings`: the first numbers of embeddings, for models that are trained so that these say most (Matryoshka, Kusupati et al. 2022).
///
///     auto const coarse = truncate_embeddings(embeddings, 64, Normalization::unit_length);
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>

#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/pooling.hpp>
#include <axiform/kernels/pooling.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The first `dimensions` numbers of each row, as sentence-transformers' `truncate_embeddings`, and scaled to unit length again if asked for: cosines do
/// not need it, dot products do.
///
/// @param embeddings [rows, Columns].
/// @return           [rows, dimensions].
/// @throws ArgumentError when the rows are shorter, or `dimensions` is 0.
template <FloatTensor E>
  requires(std::remove_cvref_t<E>::rank == 2)
Tensor<float, RowAxis<E>, axes::Hidden> truncate_embeddings(E const& embeddings, std::size_t dimensions, Normalization normalization) {
  auto const rows = as_view(embeddings);
  if (dimensions == 0 || dimensions > rows.columns())
    throw ArgumentError("truncate_embeddings: dimensions: found " + std::to_string(dimensions) + ", expected 1 to " +
                        std::to_string(rows.columns()));
  auto result = Tensor<float, RowAxis<E>, axes::Hidden>::uninitialised(Shape<RowAxis<E>, axes::Hidden>::of({rows.rows(), dimensions}));
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    std::ranges::copy(rows.row(i).first(dimensions), result.row(i).begin());
    if (normalization == Normalization::unit_length) kernels::normalize_row(result.row(i).data(), dimensions);
  }
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
