/// @file
/// `Mlp` and `GatedMlp`: feed-forward blocks of a transformer; `EitherMlp`, whose checkpoints say which of the two.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/observe.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/gate.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// down(activation(up(x))), row by row (Vaswani et al. 2017, eq. 2, there with ReLU).
template <DimensionsLike D, Bias bias = Bias::present>
struct Mlp {
  Linear<typename D::Hidden, typename D::Inner, bias> up;    ///< To the inner width.
  Linear<typename D::Inner, typename D::Hidden, bias> down;  ///< And back.
  Activation activation;                                     ///< Between the two.

  /// Zero weights, to be loaded or initialised.
  static constexpr Mlp create(D const& d, Activation activation) { return {{d.hidden, d.inner}, {d.inner, d.hidden}, activation}; }

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Hidden], with the epilogues applied: `mlp(x, context, add_residual(x))`.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  auto operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    if (context.observer() == nullptr && can_round_results(up.format()) && down.format() == up.format())
      return down(up.rounded(x, context, activate(activation)), context, epilogues...);
    auto const inner = up(x, context, activate(activation));
    internal::observe_operation(context, LayerOperation::inner, inner);
    return down(inner, context, epilogues...);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("up", self.up);
    visitor("down", self.down);
    visitor("activation", self.activation);
  }
};

/// down(activation(gate(x)) * up(x)), row by row (Shazeer 2020, eq. 6): SwiGLU with SiLU, as Llama, GEGLU with GELU, as T5 1.1 and Gemma. Gate and up
/// are one product.
template <DimensionsLike D, Bias bias = Bias::absent>
class GatedMlp {
 public:
  /// Zero weights, to be loaded or initialised.
  static constexpr GatedMlp create(D const& d, Activation activation) { return GatedMlp(d, activation); }

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Hidden], with the epilogues applied.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  auto operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    auto const inner = gate<typename D::Inner>(gate_up_(x, context), activation_, context);
    internal::observe_operation(context, LayerOperation::inner, inner);
    return down_(inner, context, epilogues...);
  }

  Activation activation() const noexcept { return activation_; }  ///< Of the gate.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    std::size_t const inner = self.down_.inputs();
    visitor("gate", self.gate_up_.part(0, inner));
    visitor("up", self.gate_up_.part(inner, inner));
    visitor("down", self.down_);
    visitor("activation", self.activation_);
  }

 private:
  constexpr GatedMlp(D const& d, Activation activation)
      : gate_up_(d.hidden, Length<Const<2>>{} * d.inner), down_(d.inner, d.hidden), activation_(activation) {}

  Linear<typename D::Hidden, Product<Const<2>, typename D::Inner>, bias> gate_up_;
  Linear<typename D::Inner, typename D::Hidden, bias> down_;
  Activation activation_;
};

/// Whether a feed-forward block has a gate, where that differs between checkpoints of one family.
enum class MlpGate {
  absent,  ///< down(activation(up(x))): T5.
  present  ///< down(activation(gate(x)) * up(x)): T5 1.1, FLAN-T5, mT5.
};

/// An `Mlp` or a `GatedMlp`, as `LayerSettings::gate` says; its members have the names that they have there.
template <DimensionsLike D, Bias bias = Bias::absent>
class EitherMlp {
 public:
  /// Zero weights, to be loaded or initialised.
  static constexpr EitherMlp create(D const& d, Activation activation, MlpGate gate) {
    EitherMlp mlp;
    if (gate == MlpGate::present) {
      mlp.gated_.emplace(GatedMlp<D, bias>::create(d, activation));
    } else {
      mlp.plain_.emplace(Mlp<D, bias>::create(d, activation));
    }
    return mlp;
  }

  /// @param x [Rows, Hidden].
  /// @return  [Rows, Hidden], with the epilogues applied; the bits of the block that it is.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  auto operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    return gated_ ? (*gated_)(x, context, epilogues...) : (*plain_)(x, context, epilogues...);
  }

  MlpGate gate() const noexcept { return gated_ ? MlpGate::present : MlpGate::absent; }  ///< Whether it has one.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    if (self.gated_) {
      self.gated_->visit(*self.gated_, visitor);
    } else {
      self.plain_->visit(*self.plain_, visitor);
    }
  }

 private:
  constexpr EitherMlp() = default;

  // One of the two.
  std::optional<Mlp<D, bias>> plain_;
  std::optional<GatedMlp<D, bias>> gated_;
};

}  // namespace axiform::inline AXIFORM_ARCH
