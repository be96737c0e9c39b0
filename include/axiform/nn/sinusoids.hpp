/// @file
/// `Sinusoids`: positions as sines and cosines, which are not learned.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/nn/embedding.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Rows that a table of sines and cosines may have: it is computed as a whole, and no tensor of a checkpoint says how many there are.
inline constexpr std::size_t largest_sinusoids = 1 << 17;

/// In which columns the sines stand, and in which the cosines.
enum class SinusoidLayout {
  interleaved,  ///< Sines in the even columns, cosines in the odd ones (Vaswani et al. 2017, section 3.5).
  halves        ///< All sines, of an odd number of columns one more, then all cosines (transformers' Marian, Pegasus and Whisper).
};

/// A column of sines, or of cosines, of position / 10000^(2 i / columns), i counting the sines, or the cosines.
struct SinusoidColumn {
  bool is_sine;    ///< Which of the two.
  double divisor;  ///< 10000^(2 i / columns).

  /// One of `columns` columns.
  static SinusoidColumn of(std::size_t column, std::size_t columns, SinusoidLayout layout) {
    std::size_t const sines = (columns + 1) / 2;
    bool const interleaved = layout == SinusoidLayout::interleaved;
    std::size_t const i = interleaved ? column / 2 : column % sines;
    return {interleaved ? column % 2 == 0 : column < sines, std::pow(10000.0, static_cast<double>(2 * i) / static_cast<double>(columns))};
  }
  /// What it holds for a position.
  double at(std::size_t position) const {
    double const angle = static_cast<double>(position) / divisor;
    return is_sine ? std::sin(angle) : std::cos(angle);
  }
};

/// What a column holds for a position.
inline double sinusoid(std::size_t position, std::size_t column, std::size_t columns, SinusoidLayout layout) {
  return SinusoidColumn::of(column, columns, layout).at(position);
}

/// A table with a row of sines and cosines for each position from 0 on, computed in double and rounded. It is used as the `Embedding` of
/// positions is, and has no parameters.
///
///     Sinusoids<Const<512>> const positions(1024, {}, SinusoidLayout::interleaved);
///     positions.add_positions(sequences, x.view());                    // whole sequences
///     positions.add_positions(sequences, x.view(), cache.lengths());   // tokens behind those of a cache
template <Axis Columns>
class Sinusoids {
 public:
  /// The rows of positions 0 to `rows` - 1.
  constexpr Sinusoids(std::size_t rows, Length<Columns> columns, SinusoidLayout layout) : columns_(columns), rows_(rows) {
    if (std::is_constant_evaluated()) return;  // no pass runs there
    std::vector<SinusoidColumn> all;           // a power for each column, not for each element: half of the time
    for (std::size_t column = 0; column < columns_; ++column) all.push_back(SinusoidColumn::of(column, columns_, layout));
    table_.reserve(rows_ * columns_);
    for (std::size_t position = 0; position < rows_; ++position)
      for (SinusoidColumn const& column : all) table_.push_back(static_cast<float>(column.at(position)));
  }

  constexpr std::size_t rows() const noexcept { return rows_; }        ///< Positions that have a row.
  constexpr std::size_t columns() const noexcept { return columns_; }  ///< The length of a row.

  /// Adds row 0, 1, 2, … to the rows of each sequence, or past, past + 1, … where `past` says how many tokens came before.
  /// @throws ArgumentError when a position has no row; ShapeError when the target is not [rows of the sequences, Columns], or `past` has too
  ///         few sequences.
  template <Axis A>
  void add_positions(SequenceOffsets<A> const& sequences, TensorView<float, A, Columns> target,
                     std::span<std::size_t const> past = {}) const {
    internal::check_target(target, sequences.total(), columns());
    internal::for_each_position(sequences, past, 0, [&](std::size_t row, std::size_t position) {
      if (position >= rows())
        throw ArgumentError("sinusoids: found position " + std::to_string(position) + ", expected one of " + std::to_string(rows()));
      kernels::add_row(table_.data() + position * columns_, target.row(row).data(), columns_);
    });
  }
  // No `visit`: there is nothing to load, and what visits a model takes the table for a setting.

 private:
  std::size_t columns_;
  std::size_t rows_;
  std::vector<float> table_;  // [rows, Columns]
};

}  // namespace axiform::inline AXIFORM_ARCH
