/// @file
/// How the tiles of a product, and the rows that are rounded before it, are spread over threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// How many of the parts that a product is cut into share the rows; all / rows of them share the columns.
inline std::size_t row_parts(std::size_t tiles, std::size_t panels, std::size_t all) noexcept {
  // A tile costs about its rows in cycles for each k and vector; a panel that no other row part shares costs about as much to bring in.
  std::size_t best = 1;
  std::size_t best_cost = 0;
  for (std::size_t parts = 1; parts <= all; ++parts) {
    std::size_t const others = all / parts;
    std::size_t const part_tiles = (tiles + parts - 1) / parts;
    std::size_t const part_panels = (panels + others - 1) / others;
    std::size_t const cost = part_panels * (part_tiles + 1) * 16 + part_tiles;
    if (parts == 1 || cost < best_cost) {
      best = parts;
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace detail

/// Calls run(first_tile, last_tile, first_panel, last_panel) for parts of a grid of `tiles` by `panels`.
///
/// @param shares How many shares the work has that are worth a thread: no more threads take part. Where it has many, each thread has some parts.
template <class Run>
void run_tiles(std::size_t tiles, std::size_t panels, std::size_t shares, Executor& executor, Run const& run) {
  // Not for more: a tile asks ahead for the panel behind its own, and of a part of one or two panels that is most often somebody else's (BERT base 1x16
  // on two cores: in eight parts 1.16 to 1.27 times as long as in two).
  std::size_t const threads = std::clamp<std::size_t>(shares, 1, executor.threads_at_once());
  if (threads == 1) return run(std::size_t{0}, tiles, std::size_t{0}, panels);
  // About half a millisecond. Shorter parts of a product of few rows, which waits for its weights, cost more than they bring (BERT base 1x16: 15.6 ms,
  // and 18.0 with four parts a thread; 8x128 939 and 918, 1x512 509 and 489).
  constexpr std::size_t shares_of_part = 1024;
  std::size_t const parts = part_count(threads, shares / shares_of_part);
  std::size_t const down = detail::row_parts(tiles, panels, parts);
  std::size_t const across = parts / down;
  executor.parallel_for(down * across, [&](std::size_t part) {
    std::size_t const i = part / across;
    std::size_t const j = part % across;
    run(i * tiles / down, (i + 1) * tiles / down, j * panels / across, (j + 1) * panels / across);
  });
}

/// Calls run(first, last) for parts of `rows` rows of `k` floats, of about `least_floats` or more: fewer are not worth a fork and join.
template <class Run>
void run_rows(std::size_t rows, std::size_t k, std::size_t least_floats, Executor& executor, Run const& run) {
  std::size_t const parts = std::clamp<std::size_t>(rows * k / least_floats, 1, std::min(rows, executor.concurrency()));
  if (parts == 1) return run(std::size_t{0}, rows);
  executor.parallel_for(parts, [&](std::size_t part) { run(part * rows / parts, (part + 1) * rows / parts); });
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
