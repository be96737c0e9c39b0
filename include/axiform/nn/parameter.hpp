/// @file
/// `Parameter`: plain learned values, a vector or a table. Matrices of products are a `PackedMatrix` inside `Linear`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <axiform/core/memory.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/view.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Learned values on the axes `Axes...`, row-major.
template <Axis... Axes>
class Parameter {
 public:
  /// Values that are all `value`. @throws ShapeError when their size exceeds the address space.
  constexpr explicit Parameter(Shape<Axes...> shape, float value = 0) : shape_(shape), values_(count_of(shape)) {
    if (value != 0 && !std::is_constant_evaluated()) std::fill_n(values_.data(), values_.size(), value);
  }

  constexpr float* data() noexcept { return values_.data(); }              ///< The first value.
  constexpr float const* data() const noexcept { return values_.data(); }  ///< The first value.
  View<Axes...> view() const& { return {values_.data(), shape_}; }         ///< All values with their axes.
  void view() const&& = delete;                                            ///< The view would dangle: give the owner a name.
  constexpr std::size_t size() const noexcept { return values_.size(); }   ///< The number of values.

  constexpr ParameterRef ref() { return {lengths(), values_.data()}; }             ///< For `visit`.
  constexpr ConstParameterRef ref() const { return {lengths(), values_.data()}; }  ///< For `visit`.
  /// Some values of a vector, from `first` on: a part of a fused bias.
  constexpr ParameterRef part(std::size_t first, std::size_t count) { return {{count}, at(values_.data(), first)}; }
  /// The same, read-only.
  constexpr ConstParameterRef part(std::size_t first, std::size_t count) const {
    return {{count}, at(static_cast<float const*>(values_.data()), first)};
  }

 private:
  // (A constant expression has no memory to count in.)
  template <class Value>
  static constexpr Value* at(Value* values, std::size_t index) noexcept {
    return values == nullptr ? nullptr : values + index;
  }
  constexpr std::vector<std::size_t> lengths() const { return {shape_.lengths().begin(), shape_.lengths().end()}; }
  static constexpr std::size_t count_of(Shape<Axes...> const& shape) {
    std::size_t bytes = sizeof(float);
    for (std::size_t length : shape.lengths())
      if (__builtin_mul_overflow(bytes, length, &bytes)) throw ShapeError("a tensor of shape " + shape.to_string() + " is too large");
    return bytes / sizeof(float);
  }

  Shape<Axes...> shape_;
  HeapArray<float> values_;
};

}  // namespace axiform::inline AXIFORM_ARCH
