/// @file
/// `pool_sequences`: the hidden states of each sequence as one vector.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/pooling.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// target = the rows [skipped, count) of one sequence, pooled. Nothing that counts gives zeros, but for the first token, which is then the
// sequence's own (as sentence-transformers has it).
void pool_rows(float const* rows, std::size_t stride, std::size_t count, std::size_t columns, Pooling pooling, std::size_t skipped,
               float* target);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE void pool_rows(float const* rows, std::size_t stride, std::size_t count, std::size_t columns, Pooling pooling,
                              std::size_t skipped, float* target) {
  if (pooling == Pooling::first_token && skipped >= count) skipped = 0;
  skipped = std::min(skipped, count);
  std::size_t const left = count - skipped;
  float const* const first = rows + skipped * stride;
  switch (pooling) {
    case Pooling::mean:
      return kernels::mean_of_rows(first, stride, left, columns, target);
    case Pooling::maximum:
      return kernels::maximum_of_rows(first, stride, left, columns, target);
    case Pooling::first_token:
      return kernels::sum_of_rows(first, stride, std::min<std::size_t>(left, 1), columns, target);
    case Pooling::last_token:
      return kernels::sum_of_rows(first + (left == 0 ? 0 : left - 1) * stride, stride, std::min<std::size_t>(left, 1), columns, target);
    case Pooling::weighted_mean:
      return kernels::rising_mean_of_rows(first, stride, left, columns, skipped + 1, target);
    case Pooling::mean_sqrt_length:
      kernels::sum_of_rows(first, stride, left, columns, target);
      if (left != 0) kernels::scale_row(target, columns, static_cast<float>(1.0 / std::sqrt(static_cast<double>(left))));
      return;
  }
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace internal

/// One vector for each sequence of a batch: the results of all poolings, side by side.
///
/// @param hidden_states [Tokens, Columns], packed.
/// @param skipped       Tokens at the beginning of each sequence that do not count: [CLS] and the prompt.
/// @return              [Sequences, poolings * Columns], in the context's memory. An empty sequence gets zeros.
/// @throws ShapeError when the sequences do not fill the rows.
template <RowsOf<axes::Hidden> X>
Tensor<float, axes::Sequences, axes::Hidden> pool_sequences(X const& hidden_states, SequenceOffsets<axes::Tokens> const& sequences,
                                                            std::span<Pooling const> poolings, std::size_t skipped, Context& context) {
  auto const states = as_view(hidden_states);
  sequences.check_rows(states.rows(), "pool_sequences");
  std::size_t const columns = states.columns();
  auto result = make_tensor<float>(context, Shape<axes::Sequences, axes::Hidden>::of({sequences.count(), poolings.size() * columns}));
  for_row_ranges(context.executor(), sequences.count(), columns, [&](std::size_t first, std::size_t last) {
    for (std::size_t s = first; s < last; ++s)
      for (std::size_t i = 0; i < poolings.size(); ++i)
        internal::pool_rows(states.data() + sequences.offset(s) * states.row_stride(), states.row_stride(), sequences.length(s), columns,
                            poolings[i], skipped, result.data() + s * result.row_stride() + i * columns);
  });
  return result;
}

/// The same with one pooling over all tokens, then normalised.
///
/// @param hidden_states [Tokens, Columns], packed.
/// @return              [Sequences, Columns], in the context's memory. An empty sequence gets zeros.
/// @throws ShapeError when the sequences do not fill the rows.
template <RowsOf<axes::Hidden> X>
Tensor<float, axes::Sequences, axes::Hidden> pool_sequences(X const& hidden_states, SequenceOffsets<axes::Tokens> const& sequences,
                                                            Pooling pooling, Normalization normalization, Context& context) {
  auto result = pool_sequences(hidden_states, sequences, std::span(&pooling, 1), 0, context);
  if (normalization == Normalization::unit_length)
    for (std::size_t s = 0; s < result.rows(); ++s) kernels::normalize_row(result.row(s).data(), result.columns());
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
