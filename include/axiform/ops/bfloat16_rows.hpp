/// @file
/// `Bfloat16Rows`: rows in bfloat16 as products take them, handed from one operation to the next: floats that nothing else reads are not written then.
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packed_pairs.hpp>

namespace axiform::inline AXIFORM_ARCH {

using kernels::can_round_results;

/// [Rows, Columns], rounded.
template <Axis Rows, Axis Columns>
class Bfloat16Rows {
 public:
  /// Uninitialised, in the context's memory. @pre `can_round_results(WeightFormat::bf16)`.
  Bfloat16Rows(Shape<Rows, Columns> const& shape, Context& context)
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
