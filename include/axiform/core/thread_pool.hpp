/// @file
/// `ThreadPool`: the library's own executor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>

namespace axiform {

/// Persistent threads that share out tasks statically: thread t of T takes the tasks t, t + T, t + 2T, … The caller takes part.
///
/// Within a pass the workers spin between operations (a fork and join of two threads costs a fraction of a microsecond);
/// otherwise they sleep. One pool serves one caller at a time: calls from several threads wait for each other. A call from within a task
/// runs on that task's thread.
class ThreadPool final : public Executor {
 public:
  /// @param threads Threads that work at once, the caller included; one means that everything runs inline.
  /// @throws ArgumentError when `threads` is 0 or more than 1024.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool() override { stop(); }
  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  std::size_t concurrency() const noexcept override { return ready_threads_.load(std::memory_order_relaxed); }

  void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) override;

  void begin_pass() noexcept override;
  void end_pass() noexcept override;

 private:
  static constexpr std::size_t max_threads = 1024;

  // A spinning thread gives its core away now and then: with more threads than cores, the one that has the work may be waiting.
  static void pause(std::size_t spins) noexcept;

  void announce() noexcept;

  void share(std::size_t thread) noexcept;

  void work(std::size_t thread) noexcept;

  // False when the pool is stopping.
  bool wait_for_work(std::uint64_t seen) noexcept;

  void stop() noexcept;

  static inline thread_local ThreadPool const* at_work_ = nullptr;  // the pool whose task this thread runs

  std::vector<std::thread> workers_;
  std::atomic<std::size_t> ready_threads_{1};
  std::mutex caller_;
  FunctionRef<void(std::size_t)> const* task_ = nullptr;
  std::size_t count_ = 0;
  std::exception_ptr failure_;
  std::mutex failure_mutex_;
  alignas(64) std::atomic<std::uint64_t> generation_{0};
  alignas(64) std::atomic<std::size_t> pending_{0};
  alignas(64) std::atomic<std::uint32_t> wake_{0};  // what sleeping workers wait on
  std::atomic<std::size_t> passes_{0};
  std::atomic<bool> stopping_{false};
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

AXIFORM_INLINE ThreadPool::ThreadPool(std::size_t threads) {
  if (threads < 1 || threads > max_threads)
    throw ArgumentError("threads: found " + std::to_string(threads) + ", expected 1 to " + std::to_string(max_threads));
  workers_.reserve(threads - 1);
  try {
    for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {
    stop();
    throw;
  }
  ready_threads_.store(threads, std::memory_order_relaxed);
}

AXIFORM_INLINE void ThreadPool::parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) {
  if (workers_.empty() || count <= 1 || at_work_ == this) {  // a task that shares out work runs it itself
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  std::lock_guard const lock(caller_);
  task_ = &task;
  count_ = count;
  pending_.store(workers_.size(), std::memory_order_relaxed);
  announce();
  share(0);
  for (std::size_t spins = 0; pending_.load(std::memory_order_acquire) != 0; ++spins) pause(spins);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

AXIFORM_INLINE void ThreadPool::begin_pass() noexcept {
  if (workers_.empty() || passes_.fetch_add(1, std::memory_order_relaxed) != 0) return;
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
}

AXIFORM_INLINE void ThreadPool::end_pass() noexcept {
  if (!workers_.empty()) passes_.fetch_sub(1, std::memory_order_relaxed);
}

AXIFORM_INLINE void ThreadPool::pause(std::size_t spins) noexcept {
  if (spins % 1024 == 1023) {
    std::this_thread::yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();  // As _mm_pause, whose header is a third of a second of a compiler's time.
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

AXIFORM_INLINE void ThreadPool::announce() noexcept {
  generation_.fetch_add(1, std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
}

AXIFORM_INLINE void ThreadPool::share(std::size_t thread) noexcept {
  std::size_t const threads = workers_.size() + 1;
  ThreadPool const* const outer = std::exchange(at_work_, this);
  for (std::size_t i = thread; i < count_; i += threads) {
    try {
      (*task_)(i);
    } catch (...) {
      std::lock_guard const lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }
  at_work_ = outer;
}

AXIFORM_INLINE void ThreadPool::work(std::size_t thread) noexcept {
  std::uint64_t seen = 0;
  for (;;) {
    if (!wait_for_work(seen)) return;
    ++seen;
    share(thread);
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

AXIFORM_INLINE bool ThreadPool::wait_for_work(std::uint64_t seen) noexcept {
  for (std::size_t spins = 0;; ++spins) {
    std::uint32_t const wake = wake_.load(std::memory_order_acquire);
    if (generation_.load(std::memory_order_acquire) != seen) return true;
    if (stopping_.load(std::memory_order_acquire)) return false;
    if (passes_.load(std::memory_order_relaxed) != 0) {
      pause(spins);
    } else {
      wake_.wait(wake, std::memory_order_acquire);
    }
  }
}

AXIFORM_INLINE void ThreadPool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake_.fetch_add(1, std::memory_order_release);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
