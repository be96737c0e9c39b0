/// @file
/// `Contraction`: a sum of products over some axes of two tensors, whatever their names: what `contract` hands on, and how it becomes products of matrices.
#pragma once

#include <array>
#include <cstddef>

#include <axiform/algebra/loops.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/kernels/elements.hpp>

#if AXIFORM_DEFINES(algebra)
#include <algorithm>

#include <axiform/algebra/dense.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packing.hpp>
#endif

namespace axiform::inline AXIFORM_ARCH::internal {

/// The axes of a contraction by what they are to it.
class Contraction {
 public:
  /// Which operands have an axis: both, and the result too; x and the result; y and the result; both, and it is summed over.
  enum class Kind { batch, rows, columns, inner };

  /// Adds an axis: its length, and the elements from one to the next in the result, in x and in y.
  void add(Kind kind, std::size_t length, axiform::detail::OperandSteps const& step) {
    Group& group = groups_[static_cast<std::size_t>(kind)];
    group.lengths[group.rank] = length;
    group.steps[group.rank++] = step;
  }

  /// result = the sum over the inner axes of x * y, as products of matrices: each element is one chain of fma in the order of x's inner axes. An operand whose
  /// rows or columns do not follow one another in memory is copied first.
  void run(float* result, float const* x, float const* y, Executor& executor) const;
  /// The same for other elements, by loops.
  template <class E>
  void run_loops(E* result, E const* x, E const* y) const {
    for_each(batch(), rows(), [&](OperandPlace const& row) {
      for_each(columns(), Group{}, [&](OperandPlace const& column) {
        E sum{};
        for_each(inner(), Group{}, [&](OperandPlace const& place) {
          sum = kernels::Add{}.of(sum, kernels::Multiply{}.of(x[row[1] + place[1]], y[row[2] + column[2] + place[2]]));
        });
        result[row[0] + column[0]] = sum;
      });
    });
  }

 private:
  using OperandPlace = axiform::detail::OperandSteps;
  struct Group {
    std::size_t rank = 0;
    std::array<std::size_t, axiform::detail::most_axes> lengths{};
    std::array<OperandPlace, axiform::detail::most_axes> steps{};

    std::size_t size() const noexcept;
    OperandPlace at(std::size_t index) const noexcept;
    /// One loop in place of several, wherever `operand` goes through them as through one.
    void merge(std::size_t operand) noexcept;
    /// How an operand lies when it is copied without gaps, these axes behind `inner` elements.
    std::size_t pack(std::size_t operand, std::size_t inner) noexcept;
  };

  static void for_each(Group const& outer, Group const& inner, FunctionRef<void(OperandPlace const&)> use);
  void copy(std::size_t operand, float const* source, float* target, Contraction& packed, Executor& executor) const;

  Group const& batch() const noexcept { return groups_[0]; }
  Group const& rows() const noexcept { return groups_[1]; }
  Group const& columns() const noexcept { return groups_[2]; }
  Group const& inner() const noexcept { return groups_[3]; }

  std::array<Group, 4> groups_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(algebra)

AXIFORM_INLINE std::size_t Contraction::Group::size() const noexcept {
  std::size_t product = 1;
  for (std::size_t i = 0; i < rank; ++i) product *= lengths[i];
  return product;
}

AXIFORM_INLINE Contraction::OperandPlace Contraction::Group::at(std::size_t index) const noexcept {
  OperandPlace place{};
  for (std::size_t i = rank; i-- > 0;) {
    auto const along = static_cast<std::ptrdiff_t>(index % lengths[i]);
    index /= lengths[i];
    for (std::size_t operand = 0; operand < place.size(); ++operand) place[operand] += along * steps[i][operand];
  }
  return place;
}

AXIFORM_INLINE void Contraction::Group::merge(std::size_t operand) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    if (lengths[i] == 1) continue;
    bool const joins = kept != 0 && steps[kept - 1][operand] == steps[i][operand] * static_cast<std::ptrdiff_t>(lengths[i]);
    kept -= joins ? 1 : 0;
    lengths[kept] = joins ? lengths[kept] * lengths[i] : lengths[i];
    steps[kept++] = steps[i];
  }
  rank = kept;
}

AXIFORM_INLINE std::size_t Contraction::Group::pack(std::size_t operand, std::size_t inner) noexcept {
  for (std::size_t i = rank; i-- > 0;) {
    steps[i][operand] = static_cast<std::ptrdiff_t>(inner);
    inner *= lengths[i];
  }
  return inner;
}

AXIFORM_INLINE void Contraction::for_each(Group const& outer, Group const& inner, FunctionRef<void(OperandPlace const&)> use) {
  std::size_t const outer_size = outer.size(), inner_size = inner.size();
  for (std::size_t i = 0; i < outer_size; ++i) {
    OperandPlace const begin = outer.at(i);
    for (std::size_t j = 0; j < inner_size; ++j) {
      OperandPlace place = inner.at(j);
      for (std::size_t operand = 0; operand < place.size(); ++operand) place[operand] += begin[operand];
      use(place);
    }
  }
}

// x (operand 1) as [batch, rows, inner], or y (operand 2) as [batch, columns, inner], without gaps; `packed` gets its steps.
AXIFORM_INLINE void Contraction::copy(std::size_t operand, float const* source, float* target, Contraction& packed,
                                      Executor& executor) const {
  packed.groups_[0].pack(operand, packed.groups_[operand].pack(operand, packed.groups_[3].pack(operand, 1)));
  Loops loops;
  for (std::size_t const group : {std::size_t{0}, operand, std::size_t{3}})
    for (std::size_t i = 0; i < groups_[group].rank; ++i)
      loops.add(groups_[group].lengths[i], {packed.groups_[group].steps[i][operand], groups_[group].steps[i][operand]});
  copy_elements(loops, target, source, executor);
}

AXIFORM_INLINE void Contraction::run(float* result, float const* x, float const* y, Executor& executor) const {
  std::size_t const m = rows().size(), n = columns().size(), k = inner().size(), batches = batch().size();
  if (m * n * batches == 0) return;

  // Whether an operand's own axes and its inner ones are each one loop; those of x have to lie together besides.
  auto const is_matrix = [&](std::size_t operand) {
    Group own = groups_[operand], summed = inner();
    own.merge(operand), summed.merge(operand);
    bool const together = summed.rank == 0 || (summed.rank == 1 && (operand == 2 || summed.steps[0][1] == 1));
    return together && (operand == 1 || own.rank <= 1);
  };
  Contraction packed = *this;
  Buffer x_copy, y_copy;
  if (!is_matrix(1)) {
    x_copy = Buffer::uninitialised(batches * m * k * sizeof(float));
    copy(1, x, static_cast<float*>(x_copy.data()), packed, executor);
    x = static_cast<float const*>(x_copy.data());
  }
  if (!is_matrix(2)) {
    y_copy = Buffer::uninitialised(batches * n * k * sizeof(float));
    copy(2, y, static_cast<float*>(y_copy.data()), packed, executor);
    y = static_cast<float const*>(y_copy.data());
  }

  // The rows that the result and x both go through as through one are those of a product; rows further out take several, with one packed y.
  Group outer = packed.rows(), summed = packed.inner(), across = packed.columns();
  OperandPlace row_step{};
  std::size_t product_rows = 1;
  while (outer.rank > 0) {
    std::size_t const last = outer.rank - 1;
    auto const goes_on = [&](std::size_t operand) {
      return outer.steps[last][operand] == row_step[operand] * static_cast<std::ptrdiff_t>(product_rows);
    };
    if (outer.lengths[last] != 1) {
      if (product_rows == 1) {
        row_step = outer.steps[last];
      } else if (!goes_on(0) || !goes_on(1)) {
        break;
      }
      product_rows *= outer.lengths[last];
    }
    --outer.rank;
  }
  summed.merge(2), across.merge(2);
  auto const step = [](Group const& group, std::size_t operand) {
    return group.rank == 0 ? 1 : static_cast<std::size_t>(group.steps[0][operand]);
  };
  std::size_t const k_step = step(summed, 2), n_step = step(across, 2);
  auto const row_stride = [&](std::size_t operand, std::size_t least) {
    return product_rows == 1 ? least : static_cast<std::size_t>(row_step[operand]);
  };
  std::size_t const x_stride = row_stride(1, k), result_stride = row_stride(0, n);

  auto const run_batch = [&](std::size_t index, float* panels, Executor& own) {
    OperandPlace const begin = packed.batch().at(index);
    kernels::pack_panels(k, n, y + begin[2], n_step, k_step, panels, 0, kernels::panel_count(n));
    std::size_t const products = outer.size();
    for (std::size_t i = 0; i < products; ++i) {
      OperandPlace const place = outer.at(i);
      kernels::gemm(product_rows, n, k, x + begin[1] + place[1], x_stride, panels, result + begin[0] + place[0], result_stride, {}, own);
    }
  };
  std::size_t const panel_bytes = kernels::packed_floats(k, n) * sizeof(float);
  std::size_t const threads = std::min(executor.concurrency(), batches);
  if (threads > 1 && batches >= executor.concurrency()) {  // each thread takes whole products
    executor.parallel_for(threads, [&](std::size_t thread) {
      Buffer const panels = Buffer::uninitialised(panel_bytes);
      SerialExecutor serial;
      for (std::size_t i = batches * thread / threads; i < batches * (thread + 1) / threads; ++i)
        run_batch(i, static_cast<float*>(panels.data()), serial);
    });
    return;
  }
  Buffer const panels = Buffer::uninitialised(panel_bytes);
  for (std::size_t i = 0; i < batches; ++i) run_batch(i, static_cast<float*>(panels.data()), executor);
}

#endif  // AXIFORM_DEFINES(algebra)

}  // namespace axiform::inline AXIFORM_ARCH::internal
