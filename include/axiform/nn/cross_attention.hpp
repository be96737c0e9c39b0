/// @file
/// `CrossAttention`: the tokens of a decoder attend to those of an encoder.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Multi-head attention from one side to another (Vaswani et al. 2017, section 3.2.3).
template <DimensionsLike D>
class CrossAttention {
 public:
  using HiddenAxis = typename D::Hidden;  ///< The width of the hidden states.
  using Width = typename D::Width;        ///< All heads side by side.

  /// Zero weights, to be loaded or initialised.
  explicit CrossAttention(D const& d)
      : query_(d.hidden, d.width()), key_value_(d.hidden, Length<Const<2>>{} * d.width()), output_(d.width(), d.hidden), heads_(d.heads) {}

  /// @param x                [Rows, Hidden]: those that attend.
  /// @param memory           [SourceRows, Hidden]: those attended to, the encoder's output.
  /// @param sequences,source Where each sequence begins on either side; sequence s of one attends to sequence s of the other. A sequence
  ///                         whose source is empty gets the output's bias alone.
  /// @return                 [Rows, Hidden], with the epilogues applied.
  /// @throws ShapeError when the numbers of sequences differ, or sequences do not fill their rows.
  template <RowsOf<typename D::Hidden> X, RowsOf<typename D::Hidden> Memory, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Memory const& memory,
                                                   SequenceOffsets<RowAxis<Memory>> const& source, Context& context,
                                                   Epilogues const&... epilogues) const {
    auto const query = query_(x, context);
    auto const key_value = key_value_(memory, context);
    auto const half = [&](std::size_t index) { return internal::fused_part<Width>(key_value, index, query.columns()); };
    auto const attended =
        attention(as_view(query), half(0), half(1), heads_, sequences, source, AttentionKind::cross, AttentionMask::none, context);
    return output_(attended, context, epilogues...);
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d) {
    return 3 * Linear<HiddenAxis, Width>::parameter_count(d.hidden, d.width()) +
           Linear<Width, HiddenAxis>::parameter_count(d.width(), d.hidden);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    std::size_t const width = self.query_.outputs();
    visitor("query", self.query_);
    visitor("key", self.key_value_.part(0, width));
    visitor("value", self.key_value_.part(width, width));
    visitor("output", self.output_);
  }

 private:
  Linear<HiddenAxis, Width> query_;
  Linear<HiddenAxis, Product<Const<2>, Width>> key_value_;
  Linear<Width, HiddenAxis> output_;
  Length<typename D::Heads> heads_;
};

}  // namespace axiform::inline AXIFORM_ARCH
