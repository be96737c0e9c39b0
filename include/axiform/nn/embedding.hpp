/// @file
/// `Embedding`: a table with a row for each id. `TiedEmbedding`: one that is a language model's head as well.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/linear.hpp>
#include <axiform/ops/packed_matrix.hpp>
#include <axiform/ops/weight_table.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

/// @throws ShapeError when what is written to is not [rows, columns].
template <Axis A, Axis Columns>
void check_target(TensorView<float, A, Columns> target, std::size_t rows, std::size_t columns) {
  if (target.rows() != rows || target.columns() != columns)
    throw ShapeError("embedding: found a target " + target.shape().to_string() + ", expected [" + std::to_string(rows) + ", " +
                     std::to_string(columns) + "]");
}

/// Calls `use(row, position)` for each row of the sequences, whose tokens stand behind their past; the first position is `first`.
/// @throws ShapeError when `past` has too few sequences.
template <Axis A, class Use>
void for_each_position(SequenceOffsets<A> const& sequences, std::span<std::size_t const> past, std::size_t first, Use const& use) {
  if (!past.empty() && past.size() < sequences.count())
    throw ShapeError("positions: found the past of " + std::to_string(past.size()) + " sequences, expected " +
                     std::to_string(sequences.count()));
  for (std::size_t s = 0; s < sequences.count(); ++s)
    for (std::size_t i = 0; i < sequences.length(s); ++i) use(sequences.offset(s) + i, first + (past.empty() ? 0 : past[s]) + i);
}

}  // namespace internal

/// A table of learned rows, [Rows, Columns], in any format: rows are widened when they are looked up. Its methods throw ShapeError when the target is
/// not [ids, Columns].
template <Axis Rows, Axis Columns>
class Embedding {
 public:
  /// A table of zeros, to be loaded or initialised.
  constexpr Embedding(Length<Rows> rows, Length<Columns> columns) : table_(rows, columns) {}

  std::size_t rows() const noexcept { return table_.rows(); }        ///< Ids that have a row.
  std::size_t columns() const noexcept { return table_.columns(); }  ///< The length of a row.

  /// Writes the row of each id to `target`.
  /// @throws ArgumentError when an id has no row; `what` says what ids are.
  template <Axis A>
  void write_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    internal::check_target(target, ids.size(), columns());
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.read_row(static_cast<std::size_t>(ids[i]), target.row(i).data());
  }
  /// Adds the row of each id to `target`. @throws As `write_rows`.
  template <Axis A>
  void add_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    internal::check_target(target, ids.size(), columns());
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.add_row(static_cast<std::size_t>(ids[i]), target.row(i).data());
  }
  /// Adds one row of the table to each row of `target`.
  /// @throws ArgumentError when the table has no such row.
  template <Axis A>
  void add_row(std::size_t index, TensorView<float, A, Columns> target) const {
    internal::check_target(target, target.rows(), columns());
    check_row(index);
    for (std::size_t i = 0; i < target.rows(); ++i) table_.add_row(index, target.row(i).data());
  }
  /// Adds row 0, 1, 2, … to the rows of each sequence, or past, past + 1, … where `past` says how many tokens came before.
  /// @param first The row of position 0 (BART: 2).
  /// @throws ArgumentError when the table has too few rows; ShapeError when `past` has too few sequences.
  template <Axis A>
  void add_positions(SequenceOffsets<A> const& sequences, TensorView<float, A, Columns> target, std::span<std::size_t const> past = {},
                     std::size_t first = 0) const {
    internal::check_target(target, sequences.total(), columns());
    internal::for_each_position(sequences, past, first, [&](std::size_t target_row, std::size_t position) {
      check_row(position);
      table_.add_row(position, target.row(target_row).data());
    });
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", parameter_ref(self.table_)); }

 private:
  void check_row(std::size_t index) const {
    if (index >= rows()) throw ArgumentError("row " + std::to_string(index) + " of an embedding of " + std::to_string(rows()) + " rows");
  }

  WeightTable table_;
};

/// A table of learned rows that is also the matrix of a product, kept once, packed for the product.
template <Axis Rows, Axis Columns>
class TiedEmbedding {
 public:
  /// A table of zeros, to be loaded or initialised.
  constexpr TiedEmbedding(Length<Rows> rows, Length<Columns> columns) : table_(columns, rows) {}

  std::size_t rows() const noexcept { return table_.outputs(); }    ///< Ids that have a row.
  std::size_t columns() const noexcept { return table_.inputs(); }  ///< The length of a row.

  /// Writes the row of each id to `target`, [ids, Columns].
  /// @throws ArgumentError when an id has no row; `what` says what ids are.
  template <Axis A>
  void write_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    internal::check_target(target, ids.size(), columns());
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.read_output(static_cast<std::size_t>(ids[i]), target.row(i).data());
  }
  /// Adds the row of each id to `target`. @throws As `write_rows`.
  template <Axis A>
  void add_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    internal::check_target(target, ids.size(), columns());
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.add_output(static_cast<std::size_t>(ids[i]), target.row(i).data());
  }
  /// x * tableᵀ.
  /// @param x [XRows, Columns].
  /// @return  [XRows, Rows].
  template <RowsOf<Columns> X>
  Tensor<float, RowAxis<X>, Rows> product(X const& x, Context& context) const {
    return linear<Columns, Rows>(x, table_, nullptr, context);
  }
  PackedMatrix const& matrix() const noexcept { return table_; }  ///< The table as the product takes it.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", parameter_ref(self.table_)); }

 private:
  PackedMatrix table_;
};

}  // namespace axiform::inline AXIFORM_ARCH
