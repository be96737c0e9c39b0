/// @file
/// `softmax` and `log_softmax` along a named axis.
#pragma once

#include <utility>

#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// e^x / sum of e^x along the named axes (together, where there are several), as torch's: NaN where all elements are -infinity.
/// @throws ArgumentError when there is no element.
template <class... Named, RealTensor X>
  requires(sizeof...(Named) > 0)
auto softmax(X const& x) {
  auto powers = exp(x - max<Named...>(x));
  auto const total = sum<Named...>(powers);
  return std::move(powers) / total;
}

/// The logarithm of `softmax`, without the rounding of its small values.
/// @throws As `softmax`.
template <class... Named, RealTensor X>
  requires(sizeof...(Named) > 0)
auto log_softmax(X const& x) {
  auto shifted = x - max<Named...>(x);
  auto const total = log(sum<Named...>(exp(shifted)));
  return std::move(shifted) - total;
}

}  // namespace axiform::inline AXIFORM_ARCH
