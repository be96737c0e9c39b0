/// @file
/// `Linear`: y = x * Wᵀ + b, or without b.
#pragma once

#include <cstddef>
#include <type_traits>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/bias.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/linear.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// An affine map from `In` to `Out`; a linear one where `bias` is absent.
///
///     Linear<Const<768>, Const<3072>> up;                         // lengths in the type
///     Linear<axes::Hidden, axes::Inner> up({hidden}, {inner});    // lengths of a checkpoint
///     auto y = up(x, context, gelu, add_residual(x0));            // [Rows, Out]
template <Axis In, Axis Out, Bias bias = Bias::present>
class Linear {
 public:
  /// Zero weights, to be loaded or initialised.
  constexpr Linear(Length<In> in, Length<Out> out) : weight_(in, out), bias_(bias_of(out)) {}
  /// The same where the type has both lengths.
  constexpr Linear()
    requires(StaticAxis<In> && StaticAxis<Out>)
      : Linear(Length<In>{}, Length<Out>{}) {}

  /// @param x         [Rows, In]; a length that the type knows may stand for a free one.
  /// @param epilogues `gelu`, `activate(kind)`, `add_residual(tensor)`; the activation comes before the residual.
  /// @return          [Rows, Out].
  /// @throws ShapeError when free lengths differ.
  template <RowsOf<In> X, EpilogueOf<RowAxis<X>, Out>... Epilogues>
  Tensor<float, RowAxis<X>, Out> operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    return linear<In, Out>(x, weight_, bias_data(), context, epilogues...);
  }
  /// The same of rows that `rounded` has left. @throws As `rounded`.
  template <Axis Rows, EpilogueOf<Rows, Out>... Epilogues>
  Tensor<float, Rows, Out> operator()(Bfloat16Rows<Rows, In> const& x, Context& context, Epilogues const&... epilogues) const {
    return linear<In, Out>(x, weight_, bias_data(), context, epilogues...);
  }
  /// For what reads rounded rows alone. @throws As `operator()`, and ArgumentError where `can_round_results(format())` does not hold.
  template <RowsOf<In> X>
  Bfloat16Rows<RowAxis<X>, Out> rounded(X const& x, Context& context, ActivationEpilogue activation = {}) const {
    return rounded_linear<In, Out>(x, weight_, bias_data(), context, activation);
  }

  constexpr std::size_t inputs() const noexcept { return weight_.inputs(); }    ///< The length of In.
  constexpr std::size_t outputs() const noexcept { return weight_.outputs(); }  ///< The length of Out.
  WeightFormat format() const noexcept { return weight_.format(); }             ///< What the weights are kept in.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visit_part(self, 0, self.outputs(), visitor); }

  /// Some of the outputs, as checkpoints name them that keep a fused map in parts (query, key, value). A part of a map with a bias may have none
  /// itself: its values stay zero.
  template <class Self, Bias part_bias>
  class Part {
   public:
    /// Outputs [first_output, first_output + outputs) of `linear`.
    constexpr Part(Self& linear, std::size_t first_output, std::size_t outputs) noexcept
        : self(linear), first(first_output), count(outputs) {}

    /// Names the part's weight and bias, as `Linear::visit`.
    static constexpr void visit(auto& part, auto&& visitor) { visit_part<part_bias>(part.self, part.first, part.count, visitor); }

   private:
    Self& self;
    std::size_t first, count;
  };
  /// Outputs [first, first + count), to be visited.
  template <Bias part_bias = bias>
  constexpr Part<Linear, part_bias> part(std::size_t first, std::size_t count) noexcept {
    return {*this, first, count};
  }
  /// The same, read-only.
  template <Bias part_bias = bias>
  constexpr Part<Linear const, part_bias> part(std::size_t first, std::size_t count) const noexcept {
    return {*this, first, count};
  }

 private:
  template <class, Bias>
  friend class Part;

  static constexpr bool has_bias = bias == Bias::present;
  struct NoBias {};
  using BiasValues = std::conditional_t<has_bias, Parameter<Out>, NoBias>;

  static constexpr BiasValues bias_of([[maybe_unused]] Length<Out> out) {
    if constexpr (has_bias) {
      return BiasValues(Shape<Out>::of({out}));
    } else {
      return {};
    }
  }

  float const* bias_data() const noexcept {
    if constexpr (has_bias) {
      return bias_.data();
    } else {
      return nullptr;
    }
  }

  template <Bias part_bias = bias>
  static constexpr void visit_part(auto& self, std::size_t first, std::size_t count, auto&& visitor) {
    static_assert(has_bias || part_bias == Bias::absent, "a map without a bias has no part with one");
    visitor("weight", self.part_weight(first, count));
    if constexpr (part_bias == Bias::present) visitor("bias", self.part_bias(first, count));
  }

  constexpr ParameterRef part_weight(std::size_t first, std::size_t count) { return {weight_, first, count}; }
  constexpr ConstParameterRef part_weight(std::size_t first, std::size_t count) const { return {weight_, first, count}; }
  constexpr ParameterRef part_bias(std::size_t first, std::size_t count) { return bias_.part(first, count); }
  constexpr ConstParameterRef part_bias(std::size_t first, std::size_t count) const { return bias_.part(first, count); }

  PackedMatrix weight_;
  [[no_unique_address]] BiasValues bias_;
};

}  // namespace axiform::inline AXIFORM_ARCH
