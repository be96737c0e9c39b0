/// @file
/// `Context`: what every operation is given besides its operands: threads, memory, and who looks on.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/thread_pool.hpp>

namespace axiform {

/// Executor, memory and observer of one calling thread. A program makes one for each thread that runs a model; models
/// themselves are constant and shared.
///
///     auto context = Context::with_threads(2);
///     auto hidden_states = bert(ids, context);
class Context {
 public:
  /// Everything runs on the calling thread.
  Context() : Context(std::make_shared<SerialExecutor>()) {}
  /// Work goes to `executor`: a `ThreadPool`, or one that the application already has.
  /// @throws ArgumentError when it is null.
  explicit Context(std::shared_ptr<Executor> executor) : executor_(std::move(executor)), memory_(std::make_shared<MemoryPool>()) {
    if (!executor_) throw ArgumentError("Context: the executor is null");
  }
  /// Work goes to a pool of `threads` threads, the caller included.
  /// @throws ArgumentError when `threads` is 0.
  static Context with_threads(std::size_t threads) { return Context(std::make_shared<ThreadPool>(threads)); }

  Executor& executor() const noexcept { return *executor_; }                      ///< Where work goes.
  std::shared_ptr<MemoryPool> const& memory() const noexcept { return memory_; }  ///< Where activations come from.

  /// Who looks on, or null. The observer must outlive the passes that it observes.
  Observer* observer() const noexcept { return observer_; }
  /// From now on `observer` looks on; null ends it.
  void observe(Observer* observer) noexcept { observer_ = observer; }

  /// A forward pass, for as long as this object lives. Passes may nest.
  class Pass {
   public:
    /// Tells the pool and the executor that a pass begins.
    explicit Pass(Context& context) : scope_(context.executor()) { context.memory_->begin_pass(); }

   private:
    PassScope scope_;
  };

 private:
  std::shared_ptr<Executor> executor_;
  std::shared_ptr<MemoryPool> memory_;
  Observer* observer_ = nullptr;
};

/// An uninitialised tensor in the context's memory.
template <class Element, Axis... Axes>
Tensor<Element, Axes...> make_tensor(Context const& context, Shape<Axes...> shape) {
  return Tensor<Element, Axes...>(shape, context.memory());
}

}  // namespace axiform
