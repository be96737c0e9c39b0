/// @file
/// Products with weights in bfloat16 where the machine has tiles (AMX): there they are `gemm`'s.
///
/// A sum takes its inputs by chunks of 32: of each chunk those of the words' upper halves are summed by fma from zero, those of the lower halves likewise,
/// both sums are added, and their sum joins that of the chunks before it. Tiles do so, and vectors do the same where there are too few rows for a tile to be
/// worth it, or where the kernel of the system does not let the process use tiles.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/epilogue.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/tiles_on_threads.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/tiles.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// Rounds rows [first, last) of `a`, `a_stride` floats apart.
inline void round_rows(float const* a, std::size_t a_stride, std::size_t first, std::size_t last, PairRows target) noexcept {
  for (std::size_t row = first; row < last; ++row)
    for (std::size_t chunk = 0; chunk < target.chunks(); ++chunk) {
      std::size_t const input = chunk * PairRows::chunk_columns;
      round_to_pairs(a + row * a_stride + input, std::min(PairRows::chunk_columns, target.k - input), target.at(row, chunk));
    }
}

// What a target has room for. Into whole tiles, in which the last rows may be of no one, sums are stored at once; nothing may follow the product then.
enum class TargetRoom { of_rows, of_whole_tiles };

// One product whose rows are in bfloat16.
struct PairProduct {
  PairRows rows;
  std::size_t n;
  std::uint16_t const* b;
  float* c;
  std::size_t c_stride;
  Epilogue const& epilogue;
  TargetRoom room = TargetRoom::of_rows;

  static constexpr std::size_t chunk_words = PairRows::chunk_words;
  static constexpr std::size_t chunk_weights = chunk_inputs * panel_width;       // of a panel
  static constexpr std::size_t tile_weights = chunk_inputs * simd::tile_height;  // of sixteen columns

  std::size_t whole_chunks() const noexcept { return rows.k / PairRows::chunk_columns; }
  bool has_tail() const noexcept { return rows.chunks() != whole_chunks(); }
  std::uint16_t const* panel_at(std::size_t panel) const noexcept { return b + panel * panel_width * rows.k; }
  std::size_t columns_of(std::size_t panel) const noexcept { return std::min(panel_width, n - panel * panel_width); }
  // Half of the columns of a panel, all whole chunks.
  std::size_t half_weights() const noexcept { return whole_chunks() * 2 * tile_weights; }
  // The sixteen columns from `column` on in a whole chunk.
  std::uint16_t const* tile_at(std::size_t panel, std::size_t column, std::size_t chunk) const noexcept {
    std::size_t const tile = column / simd::tile_height;
    return panel_at(panel) + tile / 2 * half_weights() + chunk * 2 * tile_weights + tile % 2 * tile_weights;
  }

  // What is behind a panel's last whole chunk, as a chunk with zeros behind it.
  void copy_tail(std::size_t panel, std::uint16_t* tail) const noexcept {
    std::size_t const first = whole_chunks() * chunk_inputs;
    std::fill_n(tail, chunk_weights, std::uint16_t{0});
    for (std::size_t input = first; input < rows.k; ++input)
      for (std::size_t column = 0; column < panel_width; ++column)
        tail[place_in_pairs(input - first, column, chunk_inputs)] = panel_at(panel)[place_in_pairs(input, column, rows.k)];
  }

  // Columns [column, column + columns) of a panel, from a chunk's first on.
  void finish(std::size_t first_row, std::size_t count, std::size_t panel, std::size_t column, std::size_t columns, float* sums,
              std::size_t stride) const noexcept {
    std::size_t const first = panel * panel_width + column;
    if (first >= n) return;
    TargetPart const part{first_row, count, first, std::min(columns, n - first)};
    if (epilogue.rounded == nullptr) return finish_rows(epilogue, part, sums, stride, c, c_stride);
    add_bias_and_activate(epilogue, part, sums, stride);
    PairRows const target{rows.m, n, reinterpret_cast<float*>(epilogue.rounded)};
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t j = 0; j < part.columns; j += PairRows::chunk_columns)
        round_to_pairs(sums + r * stride + j, std::min(PairRows::chunk_columns, part.columns - j),
                       target.at(first_row + r, (first + j) / PairRows::chunk_columns));
  }

  // By vectors: `Rows` rows and one panel.
  template <std::size_t Rows>
  [[gnu::noinline]] void add_by_vectors(std::size_t first_row, std::size_t panel, std::uint16_t const* tail, float* sums) const noexcept {
    using simd::Floats;
    [[maybe_unused]] simd::FlushScope const scope;
    Floats total[Rows][tile_vectors];
    for (auto& row : total)
      for (Floats& sum : row) sum = simd::broadcast(0.0f);
    for (std::size_t chunk = 0; chunk < rows.chunks(); ++chunk) {
      std::uint16_t const* weights[tile_vectors];
      for (std::size_t v = 0; v < tile_vectors; ++v)
        weights[v] = chunk < whole_chunks() ? tile_at(panel, v * simd::lanes, chunk) + v * simd::lanes % simd::tile_height * 2
                                            : tail + v * simd::lanes * chunk_inputs;
      alignas(64) float upper[Rows][chunk_words], lower[Rows][chunk_words];
      for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t w = 0; w < chunk_words; w += simd::lanes) {
          auto const* const words = reinterpret_cast<std::uint16_t const*>(rows.at(first_row + r, chunk) + w);
          simd::store(upper[r] + w, simd::load_upper_bfloat16(words));
          simd::store(lower[r] + w, simd::load_lower_bfloat16(words));
        }
      Floats above[Rows][tile_vectors], below[Rows][tile_vectors];
      for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t v = 0; v < tile_vectors; ++v) above[r][v] = below[r][v] = simd::broadcast(0.0f);
      // One row, weights of twelve layers, two threads: 33 to 35 GB/s. From 1, 1.5, 2 and 4 KiB ahead 30, 29, 30 and 30, of the next panel into L2 30.
      constexpr std::size_t ahead = 3072 / sizeof(std::uint16_t);
      for (std::size_t w = 0; w < chunk_words; ++w)
#pragma GCC unroll 4
        for (std::size_t v = 0; v < tile_vectors; ++v) {
          std::uint16_t const* const place = weights[v] + w * 2 * simd::tile_height;
          __builtin_prefetch(place + ahead, 0, 3);
          Floats const up = simd::load_upper_bfloat16(place), down = simd::load_lower_bfloat16(place);
#pragma GCC unroll 2
          for (std::size_t r = 0; r < Rows; ++r) {
            above[r][v] = simd::fma(simd::broadcast(upper[r][w]), up, above[r][v]);
            below[r][v] = simd::fma(simd::broadcast(lower[r][w]), down, below[r][v]);
          }
        }
      for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t v = 0; v < tile_vectors; ++v) total[r][v] += above[r][v] + below[r][v];
    }
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t v = 0; v < tile_vectors; ++v) simd::store(sums + r * panel_width + v * simd::lanes, total[r][v]);
  }

  void run_by_vectors(std::size_t first_row, std::size_t last_row, std::size_t first_panel, std::size_t last_panel) const noexcept {
    alignas(64) std::uint16_t tail[chunk_weights];
    alignas(64) float sums[2 * panel_width];
    for (std::size_t panel = first_panel; panel < last_panel; ++panel) {
      if (has_tail()) copy_tail(panel, tail);
      for (std::size_t row = first_row; row < last_row; row += 2) {
        std::size_t const count = std::min<std::size_t>(2, last_row - row);
        if (count == 2) {
          add_by_vectors<2>(row, panel, tail, sums);
        } else {
          add_by_vectors<1>(row, panel, tail, sums);
        }
        finish(row, count, panel, 0, panel_width, sums, panel_width);
      }
    }
  }

#if defined(AXIFORM_HAS_AMX)
  static constexpr std::size_t height = PairRows::height;
  static constexpr std::size_t tile_floats = height * chunk_words;
  static constexpr std::size_t pair = 2 * height;

  // A part of the sum, of `Down` tiles of rows by `Across` tiles of columns.
  struct Part {
    std::size_t first_chunk, last_chunk;
    std::size_t panel, column;
    std::uint16_t const* tail;
    std::uint16_t const* next = nullptr;  // what will be wanted behind it
    std::size_t shares = 1;               // of asking for that
  };
  // Where tiles of sums wait: in the target, or in a buffer.
  struct Sums {
    float* at;
    std::size_t stride;
  };
  template <std::size_t Down, std::size_t Across>
  [[gnu::noinline]] void add_by_tiles(Part const& part, std::size_t row, Sums const& sums) const noexcept {
    constexpr std::size_t row_bytes = chunk_words * sizeof(float);
    std::size_t const sums_bytes = sums.stride * sizeof(float);
    constexpr auto each =
        []<class Use, std::size_t... Index>(Use const& use, std::index_sequence<Index...>) __attribute__((always_inline)) {
      (use.template operator()<Index>(), ...);
    };
    constexpr std::make_index_sequence<Down * Across> all;
    auto const place = [&](std::size_t i) { return sums.at + i / Across * height * sums.stride + i % Across * height; };
    if (part.first_chunk == 0) {
      each(
          []<std::size_t I>() __attribute__((always_inline)) { simd::zero_tile<I>(); }, all);
    } else {
      each(
          [&]<std::size_t I>() __attribute__((always_inline)) { simd::load_tile<I>(place(I), sums_bytes); }, all);
    }
    auto const add = [&](float const* a, std::uint16_t const* weights, std::size_t half) __attribute__((always_inline)) {
      each(
          [&]<std::size_t R>() __attribute__((always_inline)) { simd::load_tile<4 + R>(a + R * rows.chunks() * tile_floats, row_bytes); },
          std::make_index_sequence<Down>{});
      each(
          [&]<std::size_t Half>() __attribute__((always_inline)) {
            simd::load_tile<6>(weights + Half * half, row_bytes);
            simd::load_tile<7>(weights + Half * half + tile_weights, row_bytes);
            each(
                [&]<std::size_t R>() __attribute__((always_inline)) {
                  simd::add_products_of_pairs<R * Across + 2 * Half, 4 + R, 6>();
                  simd::add_products_of_pairs<R * Across + 2 * Half + 1, 4 + R, 7>();
                },
                std::make_index_sequence<Down>{});
          },
          std::make_index_sequence<Across / 2>{});
    };
    float const* a = rows.at(row, part.first_chunk);
    std::uint16_t const* weights = tile_at(part.panel, part.column, part.first_chunk);
    std::size_t const whole = std::min(part.last_chunk, whole_chunks()), half = half_weights();
    std::size_t const share = 2 * tile_weights / part.shares;
    std::uint16_t const* next = part.next + row / pair % part.shares * share;
    for (std::size_t chunk = part.first_chunk; chunk < whole;
         ++chunk, a += tile_floats, weights += 2 * tile_weights, next += 2 * tile_weights) {
      for (std::size_t i = 0; i < share; i += 32)
        for (std::size_t h = 0; h < Across / 2; ++h) __builtin_prefetch(next + h * half + i, 0, 2);
      add(a, weights, half);
    }
    if (whole < part.last_chunk) add(a, part.tail + part.column * chunk_inputs, 2 * tile_weights);
    each(
        [&]<std::size_t I>() __attribute__((always_inline)) { simd::store_tile<I>(place(I), sums_bytes); }, all);
  }

  // Sums of two by two tiles take four products for four loads, 64 bytes a cycle, of which L2 brings 30: half a panel's columns and a part of its inputs stay
  // in L1 while rows come from L2, and meanwhile the next part is asked for (docs/decisions/0050-products-by-tiles.md).
  void run_by_tiles(std::size_t first_row, std::size_t last_row, std::size_t first_panel, std::size_t last_panel) const noexcept {
    simd::TileScope const scope(std::min(rows.m, height), chunk_words);
    alignas(64) std::uint16_t tail[chunk_weights];
    alignas(64) float sums[most_rows * pair];
    std::size_t const chunks = rows.chunks();
    if (rows.m <= height) {
      for (std::size_t panel = first_panel; panel < last_panel; ++panel) {
        if (has_tail()) copy_tail(panel, tail);
        Part const whole{0, chunks, panel, 0, tail, panel_at(panel + 1), 1};
        std::size_t const columns = columns_of(panel) > pair ? panel_width : pair;
        bool const is_final = are_in_target(panel, 0, columns);
        Sums const place = is_final ? in_target(0, panel, 0) : Sums{sums, columns};
        columns == pair ? add_by_tiles<1, 2>(whole, 0, place) : add_by_tiles<1, 4>(whole, 0, place);
        if (!is_final) finish(0, rows.m, panel, 0, columns, sums, columns);
      }
      return;
    }
    // Rows that stay in L2 while the panels pass: processors with tiles have 2 MiB of it. Fewer at a time, so that their sums stay in L1.
    std::size_t const block = std::max(pair, block_floats / (std::max<std::size_t>(chunks, 1) * chunk_words) / pair * pair);
    for (std::size_t from = first_row; from < last_row; from += block) {
      std::size_t const to = std::min(last_row, from + block);
      for (std::size_t panel = first_panel; panel < last_panel; ++panel) {
        if (has_tail()) copy_tail(panel, tail);
        for (std::size_t column = 0; column < columns_of(panel); column += pair)
          for (std::size_t row = from; row < to; row += most_rows)
            run_rows_by_tiles(row, std::min(to, row + most_rows), panel, column,
                              std::min<std::size_t>(8, std::bit_floor((to - from + pair - 1) / pair)), tail, sums);
      }
    }
  }

  // Whether tiles of these columns are stored in the target.
  bool are_in_target(std::size_t panel, std::size_t column, std::size_t columns) const noexcept {
    return room == TargetRoom::of_whole_tiles && column + columns <= columns_of(panel);
  }
  Sums in_target(std::size_t row, std::size_t panel, std::size_t column) const noexcept {
    return {c + row * c_stride + panel * panel_width + column, c_stride};
  }

  // Up to `most_rows` rows, and half the columns of a panel.
  void run_rows_by_tiles(std::size_t from, std::size_t to, std::size_t panel, std::size_t column, std::size_t shares,
                         std::uint16_t const* tail, float* sums) const noexcept {
    bool const is_final = are_in_target(panel, column, pair);
    std::size_t const chunks = rows.chunks(), parts = to - from > pair && chunks != 0 ? (chunks + most_chunks - 1) / most_chunks : 1;
    for (std::size_t part = 0; part < parts; ++part) {
      Part of_sum{part * chunks / parts, (part + 1) * chunks / parts, panel, column, tail, nullptr, shares};
      of_sum.next =
          column + pair < panel_width ? tile_at(panel, column + pair, of_sum.first_chunk) : tile_at(panel + 1, 0, of_sum.first_chunk);
      for (std::size_t row = from; row < to; row += pair) {
        std::size_t const count = std::min(pair, to - row);
        Sums const place = is_final ? in_target(row, panel, column) : Sums{sums + (row - from) * pair, pair};
        if (count > height) {
          add_by_tiles<2, 2>(of_sum, row, place);
        } else {
          add_by_tiles<1, 2>(of_sum, row, place);
        }
        if (part + 1 == parts && !is_final) finish(row, count, panel, column, pair, place.at, pair);
      }
    }
  }
  static constexpr std::size_t block_floats = 192 * 1024, most_rows = 128, most_chunks = 8;
#endif

  // By tiles or by vectors: a tile takes as long for one row as for sixteen.
  bool is_by_tiles() const noexcept { return rows.m >= 3 && simd::may_use_tiles(); }
  // Rows that are multiplied together.
  std::size_t rows_at_once() const noexcept { return is_by_tiles() ? 2 * simd::tile_height : 2; }

  void run(std::size_t first_row, std::size_t last_row, std::size_t first_panel, std::size_t last_panel) const noexcept {
    if (first_row >= last_row) return;
#if defined(AXIFORM_HAS_AMX)
    if (is_by_tiles()) return run_by_tiles(first_row, last_row, first_panel, last_panel);
#endif
    run_by_vectors(first_row, last_row, first_panel, last_panel);
  }
};

}  // namespace detail

/// As `gemm`, of which it is the part for weights in bf16 where the instruction set has tiles.
/// @param scratch The bytes of `PairRows{m, k}`, at a multiple of 64 bytes.
inline void pair_product(std::size_t m, std::size_t n, std::size_t k, float const* a, std::size_t a_stride, PackedPanels packed_b, float* c,
                         std::size_t c_stride, Epilogue const& epilogue, Executor& executor, std::byte* scratch) {
  PairRows const rows{m, k, reinterpret_cast<float*>(scratch)};
  // Below these a thread costs more than it brings.
  constexpr std::size_t least_rounded = 16 * 1024, least_work = 128 * 1024;
  if (a != nullptr)
    run_rows(m, k, least_rounded, executor,
             [&](std::size_t first, std::size_t last) { detail::round_rows(a, a_stride, first, last, rows); });
  detail::PairProduct const product{rows, n, static_cast<std::uint16_t const*>(packed_b.data), c, c_stride, epilogue};
  std::size_t const height = product.rows_at_once();
  run_tiles((m + height - 1) / height, panel_count(n), m * n / (least_work / (k + 1) + 1), executor,
            [&](std::size_t first_tile, std::size_t last_tile, std::size_t first_panel, std::size_t last_panel) {
              product.run(first_tile * height, std::min(m, last_tile * height), first_panel, last_panel);
            });
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
