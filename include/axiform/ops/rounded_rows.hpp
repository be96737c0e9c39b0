/// @file
/// `RoundedRows`: rows in bfloat16 as products take them, handed from one operation to the next: floats that nothing else reads are not written then.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packed_pairs.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Whether operations can hand each other rows that are rounded for weights in this format; the bits are those that they have by floats.
constexpr bool can_hand_on_rounded(WeightFormat format) noexcept { return kernels::can_round_results(format); }

/// [Rows, Columns], rounded.
template <Axis Rows, Axis Columns>
class RoundedRows {
 public:
  /// Uninitialised, in the context's memory. @pre `can_hand_on_rounded` of bf16.
  RoundedRows(Shape<Rows, Columns> const& shape, Context& context)
      : shape_(shape), memory_(kernels::PairRows{shape.lengths()[0], shape.lengths()[1], nullptr}.bytes(), context.memory()) {}

  Shape<Rows, Columns> const& shape() const noexcept { return shape_; }  ///< The shape.
  std::size_t rows() const noexcept { return shape_.lengths()[0]; }      ///< Its first length.
  std::size_t columns() const noexcept { return shape_.lengths()[1]; }   ///< Its second one.
  void* memory() const noexcept { return memory_.data(); }               ///< As `kernels::gemm` has its scratch memory.
  /// As kernels take it.
  kernels::PairRows pairs() const noexcept { return {rows(), columns(), static_cast<float*>(memory())}; }

 private:
  Shape<Rows, Columns> shape_;
  Buffer memory_;
};

}  // namespace axiform::inline AXIFORM_ARCH
