/// @file
/// Executors: how an operation spreads its work over threads. The library starts no thread of its own accord and has no
/// global state; a `Context` is given an executor, and every operation goes through it.
#pragma once

#include <cstddef>

#include <axiform/core/function_ref.hpp>

namespace axiform {

/// Runs the parts of an operation. Derive to use a thread pool that the application already has.
///
/// Results never depend on the executor: an operation has the same bits for any `concurrency()`. Kernels take up to 300 KiB of a thread's stack (those for AMX; others
/// up to 64).
class Executor {
 public:
  virtual ~Executor() = default;

  /// Into how many shares an operation is cut, at least 1: as a rule, the threads that `parallel_for` can use at once, the caller included.
  virtual std::size_t concurrency() const noexcept = 0;

  /// How many tasks of a call run at once, at most: as `concurrency()`, or fewer where there are fewer cores. What gains nothing from shorter
  /// parts is cut into so many.
  virtual std::size_t threads_at_once() const noexcept { return concurrency(); }

  /// Calls `task(i)` for every i in [0, count), in any order and possibly at the same time; returns when all have returned. A task must not wait
  /// for another: this may begin only when that has ended.
  /// When tasks throw, one of the exceptions is thrown again here after all have ended.
  virtual void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) = 0;

  /// A forward pass begins: many calls of `parallel_for` follow closely, so workers may spin between them.
  virtual void begin_pass() noexcept {}
  /// The pass that began last has ended: workers may sleep.
  virtual void end_pass() noexcept {}
};

/// Runs everything on the calling thread.
class SerialExecutor final : public Executor {
 public:
  std::size_t concurrency() const noexcept override { return 1; }
  void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) override {
    for (std::size_t i = 0; i < count; ++i) task(i);
  }
};

/// In how many parts `threads` threads take a work: one each, and up to four each where the work has as many of a size that is worth it. So a thread
/// whose core is taken away for a while holds up little, and the others take over what it does not come to.
/// @param most Parts of that size that the work has.
constexpr std::size_t part_count(std::size_t threads, std::size_t most) noexcept {
  constexpr std::size_t for_each_thread = 4;
  std::size_t const each = most / threads;
  return threads * (each < 1 ? 1 : each > for_each_thread ? for_each_thread : each);
}

/// Tells an executor that a pass runs for as long as this object lives.
class PassScope {
 public:
  /// The pass begins.
  explicit PassScope(Executor& executor) noexcept : executor_(executor) { executor_.begin_pass(); }
  ~PassScope() { executor_.end_pass(); }
  PassScope(PassScope const&) = delete;
  PassScope& operator=(PassScope const&) = delete;

 private:
  Executor& executor_;
};

}  // namespace axiform
