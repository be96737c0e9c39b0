/// @file
/// `Parameter`: plain learned values, a vector or a table. Matrices of products are a `PackedMatrix` inside `Linear`.
#pragma once

#include <cstddef>
#include <vector>

#include <axiform/core/tensor.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Learned values on the axes `Axes...`, row-major.
template <Axis... Axes>
class Parameter {
 public:
  /// Zeros.
  explicit Parameter(Shape<Axes...> shape) : values_(shape) {}

  float* data() noexcept { return values_.data(); }              ///< The first value.
  float const* data() const noexcept { return values_.data(); }  ///< The first value.
  View<Axes...> view() const& { return values_; }                ///< All values with their axes.
  void view() const&& = delete;                                  ///< The view would dangle: give the owner a name.
  std::size_t size() const noexcept { return values_.size(); }   ///< The number of values.

  ParameterRef ref() { return {shape(), values_.data()}; }             ///< For `visit`.
  ConstParameterRef ref() const { return {shape(), values_.data()}; }  ///< For `visit`.

 private:
  std::vector<std::size_t> shape() const { return {values_.lengths().begin(), values_.lengths().end()}; }

  Tensor<float, Axes...> values_;
};

}  // namespace axiform::inline AXIFORM_ARCH
