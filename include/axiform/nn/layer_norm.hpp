/// @file
/// `LayerNorm`: normalises each row and scales it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/bias.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/layer_norm.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Layer normalisation over the axis `Columns` (Ba et al. 2016), with learned weight and, unless it is absent, bias.
template <Axis Columns, Bias bias = Bias::present>
class LayerNorm {
 public:
  /// Weights of one and biases of zero.
  constexpr LayerNorm(Length<Columns> columns, float epsilon)
      : weight_(Shape<Columns>::of({columns}), 1.0f), bias_(bias_of(columns)), epsilon_(epsilon) {}
  /// The same where the type has the length.
  constexpr explicit LayerNorm(float epsilon = 1e-5f)
    requires StaticAxis<Columns>
      : LayerNorm(Length<Columns>{}, epsilon) {}

  /// @param x [Rows, Columns].
  /// @return  [Rows, Columns].
  template <RowsOf<Columns> X>
  Tensor<float, RowAxis<X>, Columns> operator()(X const& x, Context& context) const {
    if constexpr (has_bias) {
      return layer_norm<Columns>(x, weight_.view(), bias_.view(), epsilon_, context);
    } else {
      return layer_norm<Columns>(x, weight_.view(), epsilon_, context);
    }
  }

  std::size_t columns() const noexcept { return weight_.size(); }  ///< The length of a row.
  float epsilon() const noexcept { return epsilon_; }              ///< What is added to the variance.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("weight", self.weight_.ref());
    if constexpr (has_bias) visitor("bias", self.bias_.ref());
  }

 private:
  static constexpr bool has_bias = bias == Bias::present;
  struct NoBias {};
  using BiasValues = std::conditional_t<has_bias, Parameter<Columns>, NoBias>;

  static constexpr BiasValues bias_of([[maybe_unused]] Length<Columns> columns) {
    if constexpr (has_bias) {
      return BiasValues(Shape<Columns>::of({columns}));
    } else {
      return {};
    }
  }

  Parameter<Columns> weight_;
  [[no_unique_address]] BiasValues bias_;
  float epsilon_;
};

}  // namespace axiform::inline AXIFORM_ARCH
