/// @file
/// `LayerNorm`: normalises each row and scales it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/layer_norm.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Layer normalisation over the axis `Columns` (Ba et al. 2016), with learned weight and bias.
template <Axis Columns>
class LayerNorm {
 public:
  /// Weights of one and biases of zero.
  constexpr LayerNorm(Length<Columns> columns, float epsilon)
      : weight_(Shape<Columns>::of({columns}), 1.0f), bias_(Shape<Columns>::of({columns})), epsilon_(epsilon) {}
  /// The same where the type has the length.
  constexpr explicit LayerNorm(float epsilon = 1e-5f)
    requires StaticAxis<Columns>
      : LayerNorm(Length<Columns>{}, epsilon) {}

  /// @param x [Rows, Columns].
  /// @return  [Rows, Columns].
  template <RowsOf<Columns> X>
  Tensor<float, RowAxis<X>, Columns> operator()(X const& x, Context& context) const {
    return layer_norm<Columns>(x, weight_.view(), bias_.view(), epsilon_, context);
  }

  std::size_t columns() const noexcept { return weight_.size(); }  ///< The length of a row.
  float epsilon() const noexcept { return epsilon_; }              ///< What is added to the variance.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("weight", self.weight_.ref());
    visitor("bias", self.bias_.ref());
  }

 private:
  Parameter<Columns> weight_;
  Parameter<Columns> bias_;
  float epsilon_;
};

}  // namespace axiform::inline AXIFORM_ARCH
