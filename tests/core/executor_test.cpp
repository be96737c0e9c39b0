// Executors: every part runs once, exceptions arrive, absurd thread numbers are refused.
#include <axiform/core/context.hpp>
#include <axiform/core/thread_pool.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

using namespace axiform;

TEST_CASE("executor: every task runs exactly once, inside and outside of a pass") {
  for (std::size_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.concurrency() == threads);
    for (std::size_t count : {0, 1, 2, 7, 100}) {
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::vector<std::atomic<int>> runs(count);
        if (repeat % 2) {
          PassScope const pass(pool);
          pool.parallel_for(count, [&](std::size_t i) { ++runs[i]; });
          pool.parallel_for(count, [&](std::size_t i) { ++runs[i]; });
        } else {
          pool.parallel_for(count, [&](std::size_t i) { runs[i] += 2; });
        }
        for (auto const& run : runs) REQUIRE(run == 2);
      }
    }
  }
}

TEST_CASE("executor: an exception of a task arrives at the caller and the pool stays usable") {
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 20; ++repeat)
    CHECK_THROWS_AS(pool.parallel_for(10, [](std::size_t i) { if (i == 7) throw std::runtime_error("seven"); }), std::runtime_error);
  std::atomic<int> sum = 0;
  pool.parallel_for(10, [&](std::size_t i) { sum += static_cast<int>(i); });
  CHECK(sum == 45);
}

TEST_CASE("executor: a task may share out work again") {
  ThreadPool pool(3);
  std::atomic<int> runs = 0;
  pool.parallel_for(6, [&](std::size_t) { pool.parallel_for(5, [&](std::size_t) { ++runs; }); });
  CHECK(runs == 30);
}

TEST_CASE("executor: more tasks than a word counts run once each") {
  ThreadPool pool(2);
  std::vector<std::atomic<int>> runs(70000);
  pool.parallel_for(runs.size(), [&](std::size_t i) { ++runs[i]; });
  CHECK(std::all_of(runs.begin(), runs.end(), [](std::atomic<int> const& run) { return run == 1; }));
}

TEST_CASE("executor: a thread that is held up holds up one task and no other") {
#if defined(__linux__)  // A process that has one core has one thread.
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) < 2) return;
#endif
  if (std::thread::hardware_concurrency() < 2) return;
  ThreadPool pool(2);
  constexpr int others = 63;
  for (std::size_t held : {0, 1, 31}) {
    std::atomic<int> done = 0;
    bool waited_for_all = false;
    pool.parallel_for(others + 1, [&](std::size_t i) {
      if (i != held) {
        ++done;
        return;
      }
      auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (done != others && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      waited_for_all = done == others;
    });
    CHECK(waited_for_all);
  }
}

TEST_CASE("executor: a pool without work uses no processor time, in a pass or after one") {
  ThreadPool pool(8);
  auto const milliseconds_used = [] {
    std::clock_t const before = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return 1000.0 * static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  };
  {
    PassScope const pass(pool);
    pool.parallel_for(100, [](std::size_t) {});
    CHECK(milliseconds_used() < 30);  // One thread that spins uses up to 100.
  }
  pool.parallel_for(100, [](std::size_t) {});
  CHECK(milliseconds_used() < 30);
}

TEST_CASE("executor: the work has a few parts for each thread, as long as they are worth it") {
  for (std::size_t threads : {1, 2, 3, 8}) {
    CHECK(part_count(threads, 0) == threads);
    CHECK(part_count(threads, threads) == threads);
    CHECK(part_count(threads, 3 * threads) == 3 * threads);
    CHECK(part_count(threads, 1000 * threads) == 4 * threads);
  }
}

TEST_CASE("executor: as many tasks run at once as there are cores, whatever was asked for") {
  CHECK(SerialExecutor().threads_at_once() == 1);
  CHECK(ThreadPool(1).threads_at_once() == 1);
#if defined(__linux__)
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  std::size_t const cores = static_cast<std::size_t>(CPU_COUNT(&before));
  CHECK(ThreadPool(1000).threads_at_once() == std::min<std::size_t>(1000, cores));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  ThreadPool const alone(8);
  CHECK(alone.threads_at_once() == 1);
  CHECK(alone.concurrency() == 8);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
#endif
}

TEST_CASE("executor: several callers take turns") {
  ThreadPool pool(2);
  std::atomic<int> runs = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 100; ++repeat) {
        PassScope const pass(pool);
        pool.parallel_for(3, [&](std::size_t) { ++runs; });
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(runs == 4 * 100 * 3);
}

TEST_CASE("executor: no thread, or too many, is refused") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), "threads: found 0, expected 1 to 1024", ArgumentError);
  CHECK_THROWS_AS(ThreadPool(100000), ArgumentError);
  CHECK_THROWS_AS(Context::with_threads(0), ArgumentError);
  CHECK_THROWS_AS(Context(std::shared_ptr<Executor>()), ArgumentError);
}

TEST_CASE("executor: the caller's own executor gets the work") {
  struct Counting final : Executor {
    std::size_t calls = 0;
    std::size_t concurrency() const noexcept override { return 4; }
    void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) override {
      ++calls;
      for (std::size_t i = count; i-- > 0;) task(i);
    }
  };
  auto const executor = std::make_shared<Counting>();
  Context context(executor);
  context.executor().parallel_for(3, [](std::size_t) {});
  CHECK(executor->calls == 1);
}
