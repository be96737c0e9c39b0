/// @file
/// `TokenEmbedding` and `VocabularyHead`: the two ends of a language model, which share one matrix where they are tied.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The token table of a model whose checkpoint decides whether a head is tied to it: a `TiedEmbedding` where one is, which looks rows up in the
/// packed matrix, a cache line for each value; else an `Embedding`, whose rows are copied.
template <Axis Rows, Axis Columns>
class TokenEmbedding {
 public:
  /// A table of zeros, to be loaded or initialised. `head` says whether a head computes with it.
  constexpr TokenEmbedding(Length<Rows> rows, Length<Columns> columns, HeadWeights head) {
    if (head == HeadWeights::tied) {
      tied_.emplace(rows, columns);
    } else {
      rows_.emplace(rows, columns);
    }
  }

  /// Ids that have a row.
  std::size_t rows() const noexcept {
    return ask([](auto const& table) { return table.rows(); });
  }
  /// The length of a row.
  std::size_t columns() const noexcept {
    return ask([](auto const& table) { return table.columns(); });
  }

  /// Writes the row of each id to `target`, [ids, Columns].
  /// @throws ArgumentError when an id has no row; `what` says what ids are. ShapeError when the target is not [ids, Columns].
  template <Axis A>
  void write_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    ask([&](auto const& table) { table.write_rows(ids, target, what); });
  }
  /// Adds the row of each id to `target`. @throws As `write_rows`.
  template <Axis A>
  void add_rows(std::span<TokenId const> ids, TensorView<float, A, Columns> target, char const* what) const {
    ask([&](auto const& table) { table.add_rows(ids, target, what); });
  }

  /// The table as a head's matrix.
  /// @throws ArgumentError when no head is tied to it.
  TiedEmbedding<Rows, Columns> const& tied() const {
    if (tied_) return *tied_;
    throw ArgumentError("head: found a token table that was made for look-up alone, expected one that is tied to the head");
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    if (self.tied_) {
      self.tied_->visit(*self.tied_, visitor);
    } else {
      self.rows_->visit(*self.rows_, visitor);
    }
  }

 private:
  decltype(auto) ask(auto const& question) const { return tied_ ? question(*tied_) : question(*rows_); }

  // One of the two.
  std::optional<TiedEmbedding<Rows, Columns>> tied_;
  std::optional<Embedding<Rows, Columns>> rows_;
};

/// The last map of a language model, from hidden states to a number for each entry of the vocabulary. Its matrix is the token table where the
/// two are tied (Press and Wolf 2017), else one of its own.
template <Axis In, Axis Entries>
class VocabularyHead {
 public:
  /// Zero weights, to be loaded or initialised; a tied head has no matrix.
  constexpr VocabularyHead(Length<In> in, Length<Entries> entries, HeadWeights weights, Bias bias) : inputs_(in), outputs_(entries) {
    if (weights == HeadWeights::own) own_.emplace(in, entries);
    if (bias == Bias::present) bias_.emplace(Shape<Entries>::of({entries}));
  }

  /// @param x     [Rows, In].
  /// @param table The model's token table, which a head with a matrix of its own does not read.
  /// @return      [Rows, Entries].
  /// @throws ShapeError when free lengths differ; ArgumentError when the head is tied and the table is not.
  template <RowsOf<In> X>
  Tensor<float, RowAxis<X>, Entries> operator()(X const& x, TokenEmbedding<Entries, In> const& table, Context& context) const {
    return linear<In, Entries>(x, own_ ? *own_ : table.tied().matrix(), bias_ ? bias_->data() : nullptr, context);
  }

  std::size_t inputs() const noexcept { return inputs_; }                                       ///< The length of In.
  std::size_t outputs() const noexcept { return outputs_; }                                     ///< The length of Entries.
  HeadWeights weights() const noexcept { return own_ ? HeadWeights::own : HeadWeights::tied; }  ///< Whose matrix it is.
  Bias bias() const noexcept { return bias_ ? Bias::present : Bias::absent; }                   ///< Whether there is one.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    if (self.own_) visitor("weight", parameter_ref(*self.own_));
    if (self.bias_) visitor("bias", self.bias_->ref());
  }

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  std::optional<PackedMatrix> own_;
  std::optional<Parameter<Entries>> bias_;
};

}  // namespace axiform::inline AXIFORM_ARCH
