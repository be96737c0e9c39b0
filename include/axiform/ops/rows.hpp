/// @file
/// Spreading the rows of an operation over threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Calls `task(first, last)` for ranges that cover [0, rows), one range a thread, or one in all where the work is small.
///
/// @param row_cost Elements that a row touches. Below some ten thousand elements a thread, sharing costs more than it saves.
template <class Task>
void for_row_ranges(Executor& executor, std::size_t rows, std::size_t row_cost, Task const& task) {
  constexpr std::size_t least_elements = 8192;
  if (rows == 0) return;
  std::size_t const wanted = std::max<std::size_t>(1, rows * std::max<std::size_t>(1, row_cost) / least_elements);
  std::size_t const ranges = std::min({executor.concurrency(), rows, wanted});
  if (ranges == 1) return task(std::size_t{0}, rows);
  executor.parallel_for(ranges, [&](std::size_t range) { task(rows * range / ranges, rows * (range + 1) / ranges); });
}

}  // namespace axiform::inline AXIFORM_ARCH
