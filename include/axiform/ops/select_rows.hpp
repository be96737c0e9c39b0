/// @file
/// One row of each sequence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Which row of a sequence.
enum class SequenceRow {
  first,         ///< The first; an empty sequence is an error.
  last_or_zeros  ///< The last; zeros for an empty sequence.
};

/// The first or the last row of each sequence.
///
/// @param x [Rows, Columns], packed.
/// @return  [Sequences, Columns], in the context's memory.
/// @throws ShapeError when the sequences do not fill the rows; ArgumentError when a sequence has no first row.
template <FloatTensor X>
Tensor<float, axes::Sequences, LastAxis<X>> select_rows(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, SequenceRow which,
                                                        Context& context) {
  auto const view = as_view(x);
  sequences.check_rows(view.rows(), "select_rows");
  auto result = make_tensor<float>(context, Shape<axes::Sequences, LastAxis<X>>::of({sequences.count(), view.columns()}));
  for (std::size_t s = 0; s < sequences.count(); ++s) {
    auto const target = result.row(s);
    if (sequences.length(s) == 0) {
      if (which == SequenceRow::first) throw ArgumentError("sequence " + std::to_string(s) + ": is empty, expected at least one token");
      std::ranges::fill(target, 0.0f);
    } else {
      std::ranges::copy(view.row(which == SequenceRow::first ? sequences.offset(s) : sequences.offset(s + 1) - 1), target.begin());
    }
  }
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
