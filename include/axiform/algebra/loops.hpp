/// @file
/// `Loops`: the nested loops over the elements of several tensors at once, made when the program runs, whatever the axes are called. What the templates of
/// this room share, so that an operation on other axes compiles little.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/function_ref.hpp>

#if AXIFORM_DEFINES(algebra)
#include <algorithm>
#include <utility>

#include <axiform/core/error.hpp>
#endif

namespace axiform::detail {

inline constexpr std::size_t most_axes = 8;      ///< Of a tensor that the algebra takes.
inline constexpr std::size_t most_operands = 4;  ///< Tensors of one operation, the result included.

/// One number for each operand: the result first.
using OperandSteps = std::array<std::ptrdiff_t, most_operands>;

/// The innermost loop: where it begins in each operand, how often it goes round, and by how many elements each operand moves on.
struct LoopRun {
  OperandSteps begin;
  OperandSteps step;
  std::size_t count;
};

/// Nested loops.
class Loops {
 public:
  /// Adds a loop within those that are there.
  void add(std::size_t length, OperandSteps const& step);
  /// Leaves out loops of one, and makes one of two wherever every operand goes through both as through one.
  void simplify();
  /// Puts those loops inside in which the first operand, the one that is written, moves on by less.
  void follow_result();
  /// Takes the innermost loop out, or of several the one in which `operand` moves on by least. @pre There is one.
  LoopRun take_innermost();
  LoopRun take_closest(std::size_t operand);
  std::size_t rank() const noexcept { return rank_; }  ///< The number of loops.
  /// The innermost. @pre There is one.
  LoopRun innermost() const noexcept { return {{}, steps_[rank_ - 1], lengths_[rank_ - 1]}; }
  /// The number of elements.
  std::size_t size() const noexcept;
  /// Calls `run` for every innermost loop, or for parts of it, on the executor's threads: which thread takes which decides no bit of a result whose
  /// elements are computed each by itself.
  /// @param work  How much work an element is, as many times that of an addition.
  /// @param apart Elements that threads leave between each other.
  void for_each(Executor& executor, FunctionRef<void(LoopRun const&)> run, std::size_t work = 1, std::size_t apart = 64) const;

 private:
  LoopRun take(std::size_t loop) noexcept;
  LoopRun at(std::size_t outer) const noexcept;
  std::size_t outer_count() const noexcept;

  std::size_t rank_ = 0;
  std::array<std::size_t, most_axes> lengths_{};
  std::array<OperandSteps, most_axes> steps_{};
};

/// A tensor of an operation: how long its axes are, how it lies in memory, and where each axis stands among those of the operation.
struct Operand {
  std::span<std::size_t const> lengths;
  std::span<std::ptrdiff_t const> strides;
  std::size_t const* places;
};

/// The name of an axis, for messages.
using AxisName = std::string (*)();

/// Lays operands beside each other by their axes.
class Alignment {
 public:
  /// @param operation As messages say it. @param names Of the operation's axes.
  constexpr Alignment(char const* operation, std::span<AxisName const> names) : operation_(operation), names_(names), lengths_{} {
    lengths_.fill(unknown);
  }

  /// Adds the operand of that number; axes that it does not have repeat.
  /// @throws ShapeError when an axis has another length than in an operand before it.
  void add(std::size_t number, Operand const& operand);
  /// The length of an axis of the operation.
  std::size_t length(std::size_t axis) const noexcept { return lengths_[axis]; }
  /// Elements of each operand from one of the axis to the next.
  OperandSteps const& steps(std::size_t axis) const noexcept { return steps_[axis]; }
  /// Loops over all axes, in their order, not simplified.
  Loops loops() const;
  /// Adds the loop over one axis.
  void add_loop(std::size_t axis, Loops& loops) const { loops.add(lengths_[axis], steps_[axis]); }

 private:
  static constexpr std::size_t unknown = static_cast<std::size_t>(-1);

  [[noreturn]] void refuse(std::size_t axis, std::size_t length) const;

  char const* operation_;
  std::span<AxisName const> names_;
  std::array<std::size_t, most_axes> lengths_;
  std::array<OperandSteps, most_axes> steps_{};
  std::array<std::array<std::size_t, most_axes>, most_operands> shapes_{};  // of the operands so far, for messages
  std::array<std::size_t, most_operands> ranks_{};
  std::size_t known_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(algebra)

AXIFORM_INLINE void Loops::add(std::size_t length, OperandSteps const& step) {
  lengths_[rank_] = length;
  steps_[rank_++] = step;
}

AXIFORM_INLINE void Loops::simplify() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rank_; ++i) {
    if (lengths_[i] == 1) continue;
    auto const goes_on = [&](std::size_t operand) {
      return steps_[kept - 1][operand] == steps_[i][operand] * static_cast<std::ptrdiff_t>(lengths_[i]);
    };
    bool joins = kept != 0;
    for (std::size_t operand = 0; joins && operand < most_operands; ++operand) joins = goes_on(operand);
    if (joins) {
      lengths_[kept - 1] *= lengths_[i];
      steps_[kept - 1] = steps_[i];
    } else {
      lengths_[kept] = lengths_[i];
      steps_[kept++] = steps_[i];
    }
  }
  rank_ = kept;
}

AXIFORM_INLINE void Loops::follow_result() {
  auto const distance = [&](std::size_t loop) { return steps_[loop][0] < 0 ? -steps_[loop][0] : steps_[loop][0]; };
  for (std::size_t i = 1; i < rank_; ++i)
    for (std::size_t j = i; j > 0 && distance(j - 1) < distance(j); --j) {
      std::swap(lengths_[j - 1], lengths_[j]);
      std::swap(steps_[j - 1], steps_[j]);
    }
}

AXIFORM_INLINE LoopRun Loops::take(std::size_t loop) noexcept {
  LoopRun const taken{{}, steps_[loop], lengths_[loop]};
  --rank_;
  std::copy(lengths_.begin() + static_cast<std::ptrdiff_t>(loop) + 1, lengths_.end(), lengths_.begin() + static_cast<std::ptrdiff_t>(loop));
  std::copy(steps_.begin() + static_cast<std::ptrdiff_t>(loop) + 1, steps_.end(), steps_.begin() + static_cast<std::ptrdiff_t>(loop));
  return taken;
}

AXIFORM_INLINE LoopRun Loops::take_innermost() { return take(rank_ - 1); }

AXIFORM_INLINE LoopRun Loops::take_closest(std::size_t operand) {
  std::size_t closest = rank_ - 1;
  auto const distance = [&](std::size_t loop) { return steps_[loop][operand] < 0 ? -steps_[loop][operand] : steps_[loop][operand]; };
  for (std::size_t i = 0; i < rank_; ++i)
    if (distance(i) < distance(closest)) closest = i;
  return take(closest);
}

AXIFORM_INLINE std::size_t Loops::size() const noexcept {
  std::size_t product = 1;
  for (std::size_t i = 0; i < rank_; ++i) product *= lengths_[i];
  return product;
}

AXIFORM_INLINE std::size_t Loops::outer_count() const noexcept {
  std::size_t product = 1;
  for (std::size_t i = 0; i + 1 < rank_; ++i) product *= lengths_[i];
  return product;
}

AXIFORM_INLINE LoopRun Loops::at(std::size_t outer) const noexcept {
  LoopRun run{{}, {}, 1};
  if (rank_ == 0) return run;
  run.step = steps_[rank_ - 1];
  run.count = lengths_[rank_ - 1];
  for (std::size_t i = rank_ - 1; i-- > 0;) {
    auto const index = static_cast<std::ptrdiff_t>(outer % lengths_[i]);
    outer /= lengths_[i];
    for (std::size_t operand = 0; operand < most_operands; ++operand) run.begin[operand] += index * steps_[i][operand];
  }
  return run;
}

AXIFORM_INLINE void Loops::for_each(Executor& executor, FunctionRef<void(LoopRun const&)> run, std::size_t work, std::size_t apart) const {
  std::size_t const elements = size();
  if (elements == 0) return;
  std::size_t const outer = outer_count(), inner = elements / outer;
  constexpr std::size_t least_work = 32 * 1024;  // additions below which another thread costs more than it brings
  std::size_t const threads = std::clamp<std::size_t>(elements * std::max<std::size_t>(work, 1) / least_work, 1, executor.concurrency());
  if (threads == 1) {
    for (std::size_t i = 0; i < outer; ++i) run(at(i));
    return;
  }
  // Few long loops are cut into parts.
  std::size_t const cuts = outer >= threads ? 1 : (threads + outer - 1) / outer;
  std::size_t const part = ((inner + cuts - 1) / cuts + apart - 1) / apart * apart;
  std::size_t const parts = (inner + part - 1) / part, all = outer * parts;
  executor.parallel_for(std::min(threads, all), [&](std::size_t thread) {
    std::size_t const count = std::min(threads, all);
    for (std::size_t i = all * thread / count; i < all * (thread + 1) / count; ++i) {
      LoopRun one = at(i / parts);
      std::size_t const first = i % parts * part;
      for (std::size_t operand = 0; operand < most_operands; ++operand)
        one.begin[operand] += static_cast<std::ptrdiff_t>(first) * one.step[operand];
      one.count = std::min(part, inner - first);
      run(one);
    }
  });
}

AXIFORM_INLINE void Alignment::add(std::size_t number, Operand const& operand) {
  std::size_t const rank = operand.lengths.size();
  ranks_[known_] = rank;
  std::copy(operand.lengths.begin(), operand.lengths.end(), shapes_[known_++].begin());
  for (std::size_t i = 0; i < rank; ++i) {
    std::size_t const axis = operand.places[i], length = operand.lengths[i];
    if (lengths_[axis] == unknown) lengths_[axis] = length;
    if (lengths_[axis] != length) refuse(axis, length);
    steps_[axis][number] = operand.strides[i];
  }
}

AXIFORM_INLINE void Alignment::refuse(std::size_t axis, std::size_t length) const {
  std::string shapes;
  for (std::size_t i = 0; i < known_; ++i) {
    if (i > 0 && ranks_[i] == ranks_[i - 1] && shapes_[i] == shapes_[i - 1]) continue;  // x += y has x twice
    shapes += i == 0 ? "[" : " and [";
    for (std::size_t j = 0; j < ranks_[i]; ++j) shapes += (j == 0 ? "" : ", ") + std::to_string(shapes_[i][j]);
    shapes += "]";
  }
  throw ShapeError(std::string(operation_) + ": found the shapes " + shapes + ", whose axis " + names_[axis]() + " is " +
                   std::to_string(lengths_[axis]) + " and " + std::to_string(length) + " long");
}

AXIFORM_INLINE Loops Alignment::loops() const {
  Loops loops;
  for (std::size_t axis = 0; axis < names_.size(); ++axis) add_loop(axis, loops);
  return loops;
}

#endif  // AXIFORM_DEFINES(algebra)

}  // namespace axiform::detail
