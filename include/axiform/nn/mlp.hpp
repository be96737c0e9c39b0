/// @file
/// `Mlp`: the feed-forward block of a transformer.
#pragma once

#include <cstddef>
#include <string_view>

#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/observe.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// down(activation(up(x))), row by row (Vaswani et al. 2017, eq. 2, there with ReLU).
template <DimensionsLike D>
struct Mlp {
  Linear<typename D::Hidden, typename D::Inner> up;    ///< To the inner width.
  Linear<typename D::Inner, typename D::Hidden> down;  ///< And back.
  Activation activation;                               ///< Between the two.

  /// Zero weights, to be loaded or initialised.
  static Mlp create(D const& d, Activation activation) { return {{d.hidden, d.inner}, {d.inner, d.hidden}, activation}; }

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Hidden], with the epilogues applied: `mlp(x, context, add_residual(x))`.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  auto operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    auto const inner = up(x, context, activate(activation));
    internal::observe_operation(context, LayerOperation::inner, inner);
    return down(inner, context, epilogues...);
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d) {
    return Linear<typename D::Hidden, typename D::Inner>::parameter_count(d.hidden, d.inner) +
           Linear<typename D::Inner, typename D::Hidden>::parameter_count(d.inner, d.hidden);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("up", self.up);
    visitor("down", self.down);
    visitor("activation", self.activation);
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
