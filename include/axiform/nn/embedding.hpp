/// @file
/// `Embedding`: a table with a row for each id. `TiedEmbedding`: one that is a language model's head as well.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/embedding.hpp>
#include <axiform/ops/linear.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A table of learned rows, [Rows, Columns]. What it writes to or adds to is [ids, Columns], without gaps.
template <Axis Rows, Axis Columns>
class Embedding {
 public:
  /// A table of zeros, to be loaded or initialised.
  Embedding(Length<Rows> rows, Length<Columns> columns) : table_(Shape<Rows, Columns>::of({rows, columns})) {}

  std::size_t rows() const noexcept { return table_.view().rows(); }        ///< Ids that have a row.
  std::size_t columns() const noexcept { return table_.view().columns(); }  ///< The length of a row.

  /// Writes the row of each id to `target`.
  /// @throws ArgumentError when an id has no row; `what` says what ids are.
  void write_rows(std::span<TokenId const> ids, float* target, char const* what) const {
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) std::copy_n(row(static_cast<std::size_t>(ids[i])), columns(), target + i * columns());
  }
  /// Adds the row of each id to `target`. @throws As `write_rows`.
  void add_rows(std::span<TokenId const> ids, float* target, char const* what) const {
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) kernels::add_row(row(static_cast<std::size_t>(ids[i])), target + i * columns(), columns());
  }
  /// Adds one row to each of `count` rows.
  void add_row(std::size_t index, float* target, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) kernels::add_row(row(index), target + i * columns(), columns());
  }
  /// Adds row 0, 1, 2, … to the rows of each sequence, or past, past + 1, … where `past` says how many tokens came before.
  template <Axis A>
  void add_positions(SequenceOffsets<A> const& sequences, float* target, std::span<std::size_t const> past = {}) const {
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      std::size_t const first = past.empty() ? 0 : past[s];
      for (std::size_t i = 0; i < sequences.length(s); ++i)
        kernels::add_row(row(first + i), target + (sequences.offset(s) + i) * columns(), columns());
    }
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", self.table_.ref()); }

 private:
  float const* row(std::size_t index) const noexcept { return table_.data() + index * columns(); }

  Parameter<Rows, Columns> table_;
};

/// A table of learned rows that is also the matrix of a product, kept once, packed for the product.
template <Axis Rows, Axis Columns>
class TiedEmbedding {
 public:
  /// A table of zeros, to be loaded or initialised.
  TiedEmbedding(Length<Rows> rows, Length<Columns> columns) : table_(columns, rows) {}

  std::size_t rows() const noexcept { return table_.outputs(); }    ///< Ids that have a row.
  std::size_t columns() const noexcept { return table_.inputs(); }  ///< The length of a row.

  /// Writes the row of each id to `target`, [ids, Columns].
  /// @throws ArgumentError when an id has no row; `what` says what ids are.
  void write_rows(std::span<TokenId const> ids, float* target, char const* what) const {
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.read_output(static_cast<std::size_t>(ids[i]), target + i * columns());
  }
  /// Adds the row of each id to `target`. @throws As `write_rows`.
  void add_rows(std::span<TokenId const> ids, float* target, char const* what) const {
    check_ids(ids, rows(), what);
    for (std::size_t i = 0; i < ids.size(); ++i) table_.add_output(static_cast<std::size_t>(ids[i]), target + i * columns());
  }
  /// x * tableᵀ.
  /// @param x [XRows, Columns].
  /// @return  [XRows, Rows].
  template <RowsOf<Columns> X>
  Tensor<float, RowAxis<X>, Rows> product(X const& x, Context& context) const {
    return linear<Columns, Rows>(x, table_, nullptr, context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", ref(self.table_)); }

 private:
  static ParameterRef ref(PackedMatrix& table) { return {table, 0, table.outputs()}; }
  static ConstParameterRef ref(PackedMatrix const& table) { return {table, 0, table.outputs()}; }

  PackedMatrix table_;
};

}  // namespace axiform::inline AXIFORM_ARCH
