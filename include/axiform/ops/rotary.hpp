/// @file
/// Rotary positions of rows of heads.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/rotary.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

using kernels::RotaryPairs;

/// How much a pair turns from one position to the next: base^(-2 i / columns) for pair i (Su et al. 2021, section 3.2.2), rounded step by step
/// to float as transformers does.
/// @param columns Columns of a head that are turned, in pairs.
inline std::vector<float> rotary_frequencies(std::size_t columns, double base) {
  std::vector<float> frequencies(columns / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    float const exponent = static_cast<float>(2 * i) / static_cast<float>(columns);
    frequencies[i] = 1.0F / static_cast<float>(std::pow(base, static_cast<double>(exponent)));
  }
  return frequencies;
}

/// The angles of packed tokens, one row a token: cosines, then sines, [Rows, 2 * frequencies].
/// @param past Tokens that came before those of each sequence; none when empty.
/// @throws ShapeError when `past` has too few sequences.
template <Axis Rows>
Tensor<float, Rows, axes::HeadSize> rotary_angles(std::span<float const> frequencies, SequenceOffsets<Rows> const& sequences,
                                                  std::span<std::size_t const> past, Context& context) {
  if (!past.empty() && past.size() < sequences.count())
    throw ShapeError("rotary: found the past of " + std::to_string(past.size()) + " sequences, expected " +
                     std::to_string(sequences.count()));
  std::size_t const pairs = frequencies.size();
  auto angles = make_tensor<float>(context, Shape<Rows, axes::HeadSize>::of({sequences.total(), 2 * pairs}));
  for (std::size_t s = 0; s < sequences.count(); ++s)
    for (std::size_t i = 0; i < sequences.length(s); ++i) {
      auto const row = angles.row(sequences.offset(s) + i);
      auto const position = static_cast<float>((past.empty() ? 0 : past[s]) + i);
      for (std::size_t pair = 0; pair < pairs; ++pair) {
        auto const angle = static_cast<double>(position * frequencies[pair]);  // rounded, as transformers does
        row[pair] = static_cast<float>(std::cos(angle));
        row[pairs + pair] = static_cast<float>(std::sin(angle));
      }
    }
  return angles;
}

/// Turns the first columns of each head, as many as there are angles, in place.
///
/// @param x      [Rows, Width], `heads` heads side by side.
/// @param angles [Rows, HeadSize], as `rotary_angles` gives them.
/// @throws ShapeError when the rows differ, the heads do not divide the columns, or there are more angles than a head has columns.
template <Axis Rows, Axis Width, Axis AngleRows>
void rotate(TensorView<float, Rows, Width> x, std::size_t heads, View<AngleRows, axes::HeadSize> angles, RotaryPairs pairs,
            Context& context) {
  if (x.rows() != angles.rows() || heads == 0 || x.columns() % heads != 0 || angles.columns() > x.columns() / heads)
    throw ShapeError("rotary: found angles " + angles.shape().to_string() + " for " + std::to_string(heads) + " heads of " +
                     x.shape().to_string() + ", expected as many rows, and no more columns than a head has");
  for_row_ranges(context.executor(), x.rows(), 2 * x.columns(), [&](std::size_t first, std::size_t last) {
    kernels::rotate(pairs, {x.data() + first * x.row_stride(), x.row_stride(), last - first, heads, x.columns() / heads},
                    angles.data() + first * angles.row_stride(), angles.columns() / 2);
  });
}

}  // namespace axiform::inline AXIFORM_ARCH
