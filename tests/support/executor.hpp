// An executor for tests: a thread for each task, so that tasks really overlap and sanitizers see them.
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include <axiform/core/executor.hpp>

class TestExecutor final : public axiform::Executor {
 public:
  explicit TestExecutor(std::size_t threads) : threads_(threads) {}
  std::size_t concurrency() const noexcept override { return threads_; }
  void parallel_for(std::size_t count, axiform::FunctionRef<void(std::size_t)> task) override {
    std::vector<std::thread> running;
    for (std::size_t i = 1; i < count; ++i) running.emplace_back([&task, i] { task(i); });
    if (count > 0) task(0);
    for (std::thread& thread : running) thread.join();
  }

 private:
  std::size_t threads_;
};
