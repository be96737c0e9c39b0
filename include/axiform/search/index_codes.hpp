/// @file
/// `with_codes`: an index whose embeddings are there in a byte or a bit a number besides, so that a search reads a quarter or a 32nd.
///
///     auto const index = with_codes(PassageIndex::open("docs.index"), CodePrecision::binary, ScoreFunction::cosine, context);
///     auto const hits = quantized_search(query, index.binary_embeddings(), index.embeddings(), QuantizedSearchOptions{.top_k = 5}, context);
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/pooling.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/tasks/quantized_embeddings.hpp>

#if AXIFORM_DEFINES(search)
#include <axiform/kernels/pooling.hpp>
#include <axiform/ops/rows.hpp>
#endif

namespace axiform {

/// What embeddings are kept in for a search that looks at all of them.
enum class CodePrecision {
  int8,   ///< A byte a number.
  binary  ///< A bit a number.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// The index with codes of its embeddings; the same index where it has them. `PassageIndex::save` saves them, and an update leaves them out: they are made
/// again, of all embeddings.
///
/// @param score For cosines, bytes are made of embeddings of unit length, whatever length they have.
/// @return      Without bytes where there are fewer than two passages: they would have no range.
PassageIndex with_codes(PassageIndex const& index, CodePrecision precision, ScoreFunction score, Context& context);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

AXIFORM_INLINE PassageIndex with_codes(PassageIndex const& index, CodePrecision precision, ScoreFunction score, Context& context) {
  IndexArrays arrays = index.arrays();
  auto const rows = index.embeddings();
  if (precision == CodePrecision::binary) {
    if (!arrays.bits.empty() || rows.rows() == 0) return index;
    auto const own = std::make_shared<std::pair<PassageIndex, BinaryEmbeddings<axes::Hidden>> const>(index, quantize_binary(rows, context));
    arrays.bits = own->second.bits.elements();
    return {index.manifest(), arrays, own, "index"};
  }
  if (!arrays.codes.empty() || rows.rows() < 2) return index;
  Tensor<float, axes::Sequences, axes::Hidden> unit(std::size_t{0}, rows.columns());
  if (score == ScoreFunction::cosine) {
    unit = Tensor<float, axes::Sequences, axes::Hidden>(rows.rows(), rows.columns());
    for_row_ranges(context.executor(), rows.rows(), rows.columns(), [&](std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        std::ranges::copy(rows.row(i), unit.row(i).begin());
        kernels::normalize_row(unit.row(i).data(), unit.columns());
      }
    });
  }
  auto codes = score == ScoreFunction::cosine ? quantize_int8(unit, context) : quantize_int8(rows, context);
  auto const own = std::make_shared<std::pair<PassageIndex, Int8Embeddings<axes::Hidden>> const>(index, std::move(codes));
  arrays.codes = own->second.codes.elements();
  arrays.code_ranges = own->second.ranges.elements();
  return {index.manifest(), arrays, own, "index"};
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform::inline AXIFORM_ARCH
