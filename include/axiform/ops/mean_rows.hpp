/// @file
/// The mean of the rows of each sequence.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The mean of each sequence's rows, summed in their order.
///
/// @param x [Rows, Columns], packed.
/// @return  [Sequences, Columns], in the context's memory; zeros for an empty sequence.
/// @throws ShapeError when the sequences do not fill the rows.
template <FloatTensor X>
Tensor<float, axes::Sequences, LastAxis<X>> mean_rows(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Context& context) {
  auto const view = as_view(x);
  sequences.check_rows(view.rows(), "mean_rows");
  auto result = make_tensor<float>(context, Shape<axes::Sequences, LastAxis<X>>::of({sequences.count(), view.columns()}));
  for_row_ranges(context.executor(), sequences.count(), view.columns(), [&](std::size_t first, std::size_t last) {
    for (std::size_t s = first; s < last; ++s)
      kernels::mean_of_rows(view.data() + sequences.offset(s) * view.row_stride(), view.row_stride(), sequences.length(s), view.columns(),
                            result.data() + s * result.row_stride());
  });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
