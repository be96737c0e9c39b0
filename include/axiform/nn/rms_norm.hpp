/// @file
/// `RmsNorm`: scales each row by its root mean square.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/rms_norm.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Root-mean-square normalisation over the axis `Columns` (Zhang and Sennrich 2019), with learned weight.
template <Axis Columns>
class RmsNorm {
 public:
  /// Weights of one.
  constexpr RmsNorm(Length<Columns> columns, float epsilon) : weight_(Shape<Columns>::of({columns}), 1.0f), epsilon_(epsilon) {}
  /// The same where the type has the length.
  constexpr explicit RmsNorm(float epsilon = 1e-5f)
    requires StaticAxis<Columns>
      : RmsNorm(Length<Columns>{}, epsilon) {}

  /// @param x [Rows, Columns].
  /// @return  [Rows, Columns].
  template <RowsOf<Columns> X>
  Tensor<float, RowAxis<X>, Columns> operator()(X const& x, Context& context) const {
    return rms_norm<Columns>(x, weight_.view(), epsilon_, context);
  }
  /// Each head of rows of heads of that length, in place.
  /// @param x [Rows, Width].
  template <Axis Rows, Axis Width>
  void normalize_heads(TensorView<float, Rows, Width> x, Context& context) const {
    rms_norm_heads(x, weight_.view(), epsilon_, context);
  }

  std::size_t columns() const noexcept { return weight_.size(); }  ///< The length of a row.
  float epsilon() const noexcept { return epsilon_; }              ///< What is added to the mean of squares.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", self.weight_.ref()); }

 private:
  Parameter<Columns> weight_;
  float epsilon_;
};

}  // namespace axiform::inline AXIFORM_ARCH
