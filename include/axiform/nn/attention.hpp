/// @file
/// `SelfAttention` and `CausalSelfAttention`: tokens that attend to tokens of their own sequence.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/observe.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

/// What both kinds of self-attention hold: query, key and value as one product, and the output's.
template <DimensionsLike D>
class FusedSelfAttention {
 public:
  using HiddenAxis = typename D::Hidden;
  using Width = typename D::Width;

  explicit FusedSelfAttention(D const& d)
      : projection_(d.hidden, Length<Const<3>>{} * d.width()), output_(d.width(), d.hidden), heads_(d.heads), head_size_(d.head_size) {}

  static constexpr std::size_t parameter_count(D const& d) {
    return 3 * Linear<HiddenAxis, Width>::parameter_count(d.hidden, d.width()) +
           Linear<Width, HiddenAxis>::parameter_count(d.width(), d.hidden);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    std::size_t const width = self.heads_ * self.head_size_;
    visitor("query", self.projection_.part(0, width));
    visitor("key", self.projection_.part(width, width));
    visitor("value", self.projection_.part(2 * width, width));
    visitor("output", self.output_);
  }

 protected:
  // `attend(query, key, value)` on the three parts of the projection of x, then the output's product.
  template <class X, class Attend, class... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> project(X const& x, Context& context, Attend const& attend, Epilogues const&... epilogues) const {
    auto const fused = projection_(x, context);
    auto const part = [&](std::size_t index) { return fused_part<Width>(fused, index, heads_ * head_size_); };
    auto const query = part(0), key = part(1), value = part(2);
    observe_operation(context, LayerOperation::query, query);
    observe_operation(context, LayerOperation::key, key);
    observe_operation(context, LayerOperation::value, value);
    auto const attended = attend(query, key, value);
    observe_operation(context, LayerOperation::attended, attended);
    return output_(attended, context, epilogues...);
  }

  // Whole sequences, nothing before them.
  template <class X, class... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> attend_within(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, AttentionMask mask,
                                                      Context& context, Epilogues const&... epilogues) const {
    auto const attend = [&](auto query, auto key, auto value) {
      return attention(query, key, value, heads_, sequences, sequences, AttentionKind::self, mask, context);
    };
    return project(x, context, attend, epilogues...);
  }

  Linear<HiddenAxis, Product<Const<3>, Width>> projection_;
  Linear<Width, HiddenAxis> output_;
  Length<typename D::Heads> heads_;
  Length<typename D::HeadSize> head_size_;
};

}  // namespace internal

/// Multi-head self-attention in both directions (Vaswani et al. 2017, section 3.2).
template <DimensionsLike D>
class SelfAttention : public internal::FusedSelfAttention<D> {
 public:
  using internal::FusedSelfAttention<D>::FusedSelfAttention;

  /// @param x         [Rows, Hidden], packed.
  /// @param sequences Where each sequence begins: a token attends to all tokens of its own sequence.
  /// @return          [Rows, Hidden], with the epilogues applied: `attention(x, sequences, context, add_residual(x))`.
  /// @throws ShapeError when the sequences do not fill the rows.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Context& context,
                                                           Epilogues const&... epilogues) const {
    return this->attend_within(x, sequences, AttentionMask::none, context, epilogues...);
  }
};

/// Multi-head self-attention in which a token attends to itself and to what came before it, with or without a cache of the past.
template <DimensionsLike D>
class CausalSelfAttention : public internal::FusedSelfAttention<D> {
 public:
  using internal::FusedSelfAttention<D>::FusedSelfAttention;

  /// Whole sequences, nothing before them.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Context& context,
                                                           Epilogues const&... epilogues) const {
    return this->attend_within(x, sequences, AttentionMask::causal, context, epilogues...);
  }

  /// New tokens behind those in the cache. Their keys and values are appended to layer `layer` of the cache; the cache's lengths
  /// grow when the model calls `KeyValueCache::advance` after its last layer.
  ///
  /// @param x         [Rows, Hidden]: the new tokens of each of the cache's first `sequences.count()` sequences.
  /// @return          [Rows, Hidden], the same bits as without a cache.
  /// @throws ShapeError when the cache has too few sequences, too little room or other heads; ArgumentError when it lacks the layer.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, KeyValueCache& cache,
                                                           std::size_t layer, Context& context, Epilogues const&... epilogues) const {
    auto const attend = [&](auto query, auto key, auto value) {
      return cached_attention(query, key, value, this->heads_, sequences, cache.layer(layer), context);
    };
    return this->project(x, context, attend, epilogues...);
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
