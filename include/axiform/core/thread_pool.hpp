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

#if AXIFORM_DEFINES(core)
#include <algorithm>
#include <chrono>
#if defined(__linux__)
#include <sched.h>
#endif
#endif

namespace axiform {

/// Persistent threads that take tasks one after another, each the next that nobody has taken; the caller takes part. So a thread whose core is
/// given to somebody else holds up the one task that it has, and a call ends with its tasks, not with its threads.
///
/// Within a pass the workers spin between operations for a tenth of a millisecond at most (a fork and join of two threads costs half of one), then they sleep, as
/// they do outside of passes. Threads beyond the cores that the process may use when the pool is made would only take each other's time: none are started, and their
/// tasks are shared by the others. One pool serves one caller at a time: calls from several threads wait for each other. A call from within a task
/// runs on that task's thread.
class ThreadPool final : public Executor {
 public:
  /// @param threads Into how many parts operations are shared out, the caller's included; one means that everything runs inline.
  /// @throws ArgumentError when `threads` is 0 or more than 1024.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool() override { stop(); }
  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  std::size_t concurrency() const noexcept override { return threads_; }
  std::size_t threads_at_once() const noexcept override { return workers_.size() + 1; }

  void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) override;

  void begin_pass() noexcept override;
  void end_pass() noexcept override;

 private:
  using Task = FunctionRef<void(std::size_t)>;

  static constexpr std::size_t max_threads = 1024;
  // `open_` is a call's number and, in its lowest bits, how many of its tasks nobody has taken.
  static constexpr unsigned task_bits = 16;
  static constexpr std::uint64_t most_tasks = (std::uint64_t{1} << task_bits) - 1;

  class Spin;

  // The cores that the calling thread may use, and workers with it; 0 where nobody knows.
  static std::size_t usable_cores() noexcept;

  void announce() noexcept;
  void take_tasks() noexcept;
  void run(Task const& task, std::size_t index) noexcept;
  void wait_for_others() noexcept;
  void work() noexcept;
  // False when the pool is stopping.
  bool wait_for_work() noexcept;
  void stop() noexcept;

  static inline thread_local ThreadPool const* at_work_ = nullptr;  // the pool whose task this thread runs

  std::size_t threads_;
  std::vector<std::thread> workers_;
  std::mutex caller_;
  std::exception_ptr failure_;
  std::mutex failure_mutex_;
  alignas(64) std::atomic<std::uint64_t> open_{0};
  std::atomic<Task const*> task_{nullptr};
  std::atomic<std::size_t> end_{0};                       // behind the index of the call's last task
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // tasks of the call
  alignas(64) std::atomic<std::uint32_t> wake_{0};        // what sleeping workers wait on
  std::atomic<std::size_t> passes_{0};
  std::atomic<bool> stopping_{false};
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

// Waiting that is meant to be short: a thread that spins is there at once, and one that sleeps leaves its core to whoever has the work.
class ThreadPool::Spin {
 public:
  /// Waits for a moment. False when it has been long enough.
  bool pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();  // As _mm_pause, whose header is a third of a second of a compiler's time.
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
    if (++spins_ % 64 != 0) return true;
    auto const now = std::chrono::steady_clock::now();
    if (spins_ == 64) end_ = now + std::chrono::microseconds(100);
    return now < end_;
  }

 private:
  std::size_t spins_ = 0;
  std::chrono::steady_clock::time_point end_{};
};

AXIFORM_INLINE std::size_t ThreadPool::usable_cores() noexcept {
#if defined(__linux__)  // Where the standard library counts the machine's, whatever the process was bound to.
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return static_cast<std::size_t>(CPU_COUNT(&cores));
#endif
  return std::thread::hardware_concurrency();
}

AXIFORM_INLINE ThreadPool::ThreadPool(std::size_t threads) : threads_(threads) {
  if (threads < 1 || threads > max_threads)
    throw ArgumentError("threads: found " + std::to_string(threads) + ", expected 1 to " + std::to_string(max_threads));
  std::size_t const cores = usable_cores();
  std::size_t const started = cores == 0 ? threads : std::min(threads, cores);
  workers_.reserve(started - 1);
  try {
    for (std::size_t i = 1; i < started; ++i) workers_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

AXIFORM_INLINE void ThreadPool::parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) {
  if (workers_.empty() || count <= 1 || at_work_ == this) {  // a task that shares out work runs it itself
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  std::lock_guard const lock(caller_);
  task_.store(&task, std::memory_order_relaxed);
  for (std::size_t first = 0; first < count;) {
    std::size_t const tasks = std::min<std::size_t>(count - first, most_tasks);
    first += tasks;
    end_.store(first, std::memory_order_relaxed);
    unfinished_.store(static_cast<std::uint32_t>(tasks), std::memory_order_relaxed);
    open_.store(((open_.load(std::memory_order_relaxed) >> task_bits) + 1) << task_bits | tasks, std::memory_order_release);
    announce();
    take_tasks();
    wait_for_others();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

AXIFORM_INLINE void ThreadPool::begin_pass() noexcept {
  if (!workers_.empty() && passes_.fetch_add(1, std::memory_order_relaxed) == 0) announce();
}

AXIFORM_INLINE void ThreadPool::end_pass() noexcept {
  if (!workers_.empty()) passes_.fetch_sub(1, std::memory_order_relaxed);
}

AXIFORM_INLINE void ThreadPool::announce() noexcept {
  wake_.fetch_add(1);
  wake_.notify_all();
}

// Who takes a task has seen its call: the number of the call is in the word that is exchanged, and the next call does not begin before this task ends.
AXIFORM_INLINE void ThreadPool::take_tasks() noexcept {
  ThreadPool const* const outer = std::exchange(at_work_, this);
  std::uint64_t open = open_.load(std::memory_order_acquire);
  while ((open & most_tasks) != 0) {
    Task const* const task = task_.load(std::memory_order_relaxed);
    std::size_t const end = end_.load(std::memory_order_relaxed);
    if (!open_.compare_exchange_weak(open, open - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    run(*task, end - (open & most_tasks));
    open = open_.load(std::memory_order_acquire);
  }
  at_work_ = outer;
}

AXIFORM_INLINE void ThreadPool::run(Task const& task, std::size_t index) noexcept {
  try {
    task(index);
  } catch (...) {
    std::lock_guard const lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
}

AXIFORM_INLINE void ThreadPool::wait_for_others() noexcept {
  for (Spin spin;;) {
    std::uint32_t const unfinished = unfinished_.load(std::memory_order_acquire);
    if (unfinished == 0) return;
    if (!spin.pause()) unfinished_.wait(unfinished, std::memory_order_acquire);
  }
}

AXIFORM_INLINE void ThreadPool::work() noexcept {
  while (wait_for_work()) take_tasks();
}

AXIFORM_INLINE bool ThreadPool::wait_for_work() noexcept {
  for (Spin spin;;) {
    std::uint32_t const wake = wake_.load(std::memory_order_acquire);
    if ((open_.load(std::memory_order_acquire) & most_tasks) != 0) return true;
    if (stopping_.load(std::memory_order_acquire)) return false;
    if (passes_.load(std::memory_order_relaxed) != 0 && spin.pause()) continue;
    wake_.wait(wake, std::memory_order_acquire);
    spin = {};
  }
}

AXIFORM_INLINE void ThreadPool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  announce();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
