/// @file
/// `dense`: the elements of a view as a tensor, row by row; and how elements are copied from one order in memory to another.
///
///     auto const turned = dense(permute<Features, Tokens>(x));   // a Tensor<float, Features, Tokens>
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// `rows` rows of `columns` elements, from the columns of a matrix: eight columns at a time, so that their cache lines are still there for the next rows.
template <class E>
void copy_turned(std::size_t rows, std::size_t columns, E* target, std::ptrdiff_t target_row, E const* source, std::ptrdiff_t source_row,
                 std::ptrdiff_t source_column) {
  constexpr std::size_t block = 8;
  for (std::size_t first = 0; first < columns; first += block) {
    std::size_t const count = std::min(block, columns - first);
    for (std::size_t i = 0; i < rows; ++i) {
      E* const to = target + static_cast<std::ptrdiff_t>(i) * target_row + static_cast<std::ptrdiff_t>(first);
      E const* const from = source + static_cast<std::ptrdiff_t>(i) * source_row + static_cast<std::ptrdiff_t>(first) * source_column;
      if (count == block) {
        for (std::size_t j = 0; j < block; ++j) to[j] = from[static_cast<std::ptrdiff_t>(j) * source_column];
      } else {
        for (std::size_t j = 0; j < count; ++j) to[j] = from[static_cast<std::ptrdiff_t>(j) * source_column];
      }
    }
  }
}

// Copies operand 1 of the loops to operand 0.
template <class E>
void copy_elements(Loops loops, E* target, E const* source, Executor& executor) {
  loops.follow_result();
  loops.simplify();
  if (loops.size() == 0) return;
  if (loops.rank() < 2 || loops.innermost().step[0] != 1 || loops.innermost().step[1] == 1) {
    loops.for_each(executor, [&](LoopRun const& run) {
      E* const to = target + run.begin[0];
      E const* const from = source + run.begin[1];
      if (run.step[0] == 1 && run.step[1] == 1) {
        copy_run(run.count, to, from);
      } else {
        for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(run.count); ++i) to[i * run.step[0]] = from[i * run.step[1]];
      }
    });
    return;
  }
  // Rows of the target are columns of the source. They are taken together with the axis along which the source's elements are nearest.
  LoopRun const columns = loops.take_innermost(), rows = loops.take_closest(1);
  constexpr std::size_t most_rows =
      64;  // of a piece: their lines, in the target and for eight columns of the source, stay in the first-level cache
  auto const copy_pieces = [&](Loops const& outer, std::size_t row_count, std::ptrdiff_t first_row) {
    outer.for_each(
        executor,
        [&](LoopRun const& run) {
          for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(run.count); ++i)
            copy_turned(row_count, columns.count, target + run.begin[0] + i * run.step[0] + first_row * rows.step[0], rows.step[0],
                        source + run.begin[1] + i * run.step[1] + first_row * rows.step[1], rows.step[1], columns.step[1]);
        },
        row_count * columns.count, 1);
  };
  std::size_t const whole = rows.count / most_rows;
  if (whole != 0) {
    Loops pieces = loops;
    axiform::detail::OperandSteps step{};
    for (std::size_t operand = 0; operand < 2; ++operand) step[operand] = rows.step[operand] * static_cast<std::ptrdiff_t>(most_rows);
    pieces.add(whole, step);
    copy_pieces(pieces, most_rows, 0);
  }
  if (std::size_t const rest = rows.count - whole * most_rows; rest != 0)
    copy_pieces(loops, rest, static_cast<std::ptrdiff_t>(whole * most_rows));
}

// Copies the elements of `x` to `target`, a view whose axes x has, in any order. @throws ShapeError when an axis is not equally long in both.
template <class Target, TensorOperand X>
void copy_to(char const* operation, Target const& target, X const& x, Executor& executor) {
  using List = AxesOf<Target>;
  static_assert(List::size <= axiform::detail::most_axes);
  Alignment alignment(operation, names_of<List>);
  align<List>(alignment, 0, target);
  align<List>(alignment, 1, x);
  copy_elements(alignment.loops(), target.data(), data_of(x), executor);
}

}  // namespace internal

/// The elements as a tensor, row by row. With a context its threads share the work and the tensor lies in its memory.
template <TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto dense(X const& x, C&... context) {
  using Result = axiform::detail::TensorOf<ElementOf<X>, AxesOf<X>>;
  auto const make = internal::made_by<Result>(context...);
  auto result = make.template tensor<ElementOf<X>>(Result::ShapeType::of(x.lengths()));
  internal::copy_to("dense", result.view(), x, make.executor());
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
