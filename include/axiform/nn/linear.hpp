/// @file
/// `Linear`: y = x * Wᵀ + b. `Projection`: the same without b.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/linear.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// An affine map from `In` to `Out`.
///
///     Linear<Const<768>, Const<3072>> up;                         // lengths in the type
///     Linear<axes::Hidden, axes::Inner> up({hidden}, {inner});    // lengths of a checkpoint
///     auto y = up(x, context, gelu, add_residual(x0));            // [Rows, Out]
template <Axis In, Axis Out>
class Linear {
 public:
  /// Zero weights, to be loaded or initialised.
  Linear(Length<In> in, Length<Out> out) : weight_(in, out), bias_(Shape<Out>::of({out})) {}
  /// The same where the type has both lengths.
  Linear()
    requires(StaticAxis<In> && StaticAxis<Out>)
      : Linear(Length<In>{}, Length<Out>{}) {}

  /// @param x         [Rows, In]; a length that the type knows may stand for a free one.
  /// @param epilogues `gelu`, `activate(kind)`, `add_residual(tensor)`; the activation comes before the residual.
  /// @return          [Rows, Out].
  /// @throws ShapeError when free lengths differ.
  template <RowsOf<In> X, EpilogueOf<RowAxis<X>, Out>... Epilogues>
  Tensor<float, RowAxis<X>, Out> operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    return linear<In, Out>(x, weight_, bias_.data(), context, epilogues...);
  }

  std::size_t inputs() const noexcept { return weight_.inputs(); }    ///< The length of In.
  std::size_t outputs() const noexcept { return weight_.outputs(); }  ///< The length of Out.

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(Length<In> in, Length<Out> out) { return (in + 1) * out; }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("weight", self.part_weight(0, self.outputs()));
    visitor("bias", self.part_bias(0, self.outputs()));
  }

  /// Some of the outputs, as checkpoints name them that keep a fused map in parts (query, key, value).
  template <class Self>
  class Part {
   public:
    /// Outputs [first_output, first_output + outputs) of `linear`.
    Part(Self& linear, std::size_t first_output, std::size_t outputs) noexcept : self(linear), first(first_output), count(outputs) {}

    /// Names the part's weight and bias, as `Linear::visit`.
    static constexpr void visit(auto& part, auto&& visitor) {
      visitor("weight", part.self.part_weight(part.first, part.count));
      visitor("bias", part.self.part_bias(part.first, part.count));
    }

   private:
    Self& self;
    std::size_t first, count;
  };
  /// Outputs [first, first + count), to be visited.
  Part<Linear> part(std::size_t first, std::size_t count) noexcept { return {*this, first, count}; }
  /// The same, read-only.
  Part<Linear const> part(std::size_t first, std::size_t count) const noexcept { return {*this, first, count}; }

 private:
  template <class>
  friend class Part;

  ParameterRef part_weight(std::size_t first, std::size_t count) { return {weight_, first, count}; }
  ConstParameterRef part_weight(std::size_t first, std::size_t count) const { return {weight_, first, count}; }
  ParameterRef part_bias(std::size_t first, std::size_t count) { return {{count}, bias_.data() + first}; }
  ConstParameterRef part_bias(std::size_t first, std::size_t count) const { return {{count}, bias_.data() + first}; }

  PackedMatrix weight_;
  Parameter<Out> bias_;
};

/// A linear map from `In` to `Out`, without a bias.
template <Axis In, Axis Out>
class Projection {
 public:
  /// Zero weights, to be loaded or initialised.
  Projection(Length<In> in, Length<Out> out) : weight_(in, out) {}
  /// The same where the type has both lengths.
  Projection()
    requires(StaticAxis<In> && StaticAxis<Out>)
      : Projection(Length<In>{}, Length<Out>{}) {}

  /// @param x [Rows, In]; `epilogues` as for `Linear`.
  /// @return  [Rows, Out].
  /// @throws ShapeError when free lengths differ.
  template <RowsOf<In> X, EpilogueOf<RowAxis<X>, Out>... Epilogues>
  Tensor<float, RowAxis<X>, Out> operator()(X const& x, Context& context, Epilogues const&... epilogues) const {
    return linear<In, Out>(x, weight_, nullptr, context, epilogues...);
  }

  std::size_t inputs() const noexcept { return weight_.inputs(); }    ///< The length of In.
  std::size_t outputs() const noexcept { return weight_.outputs(); }  ///< The length of Out.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", ref(self.weight_)); }

 private:
  static ParameterRef ref(PackedMatrix& weight) { return {weight, 0, weight.outputs()}; }
  static ConstParameterRef ref(PackedMatrix const& weight) { return {weight, 0, weight.outputs()}; }

  PackedMatrix weight_;
};

}  // namespace axiform::inline AXIFORM_ARCH
