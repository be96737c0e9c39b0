/// @file
/// The plan of an attention: which rows of queries are run together against which keys, as pieces of work for threads.
#pragma once

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstddef>

#include <axiform/kernels/attention_operands.hpp>
#include <axiform/kernels/attention_pairs.hpp>
#include <axiform/kernels/attention_tile.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels::detail {

// Queries that are run together, in whole tiles: their scores against a tile of keys stay in L2 beside keys and values (128 KiB). The size changes no bit.
inline std::size_t block_rows(std::size_t keys_of_tile, std::size_t rows_of_tile, std::size_t most) noexcept {
  constexpr std::size_t score_floats = 32 * 1024;
  return std::clamp(score_floats / std::max<std::size_t>(keys_of_tile, 1) / rows_of_tile * rows_of_tile, rows_of_tile, most);
}

// Neighbouring queries of one head, or, of a sequence that has one query, that query's neighbouring heads: then a tile of rows reads the
// keys that the heads share once.
struct QueryRows {
  std::size_t sequence, head, query, count;
  bool are_heads;
  std::size_t head_of(std::size_t row) const noexcept { return are_heads ? head + row : head; }
  std::size_t query_of(std::size_t row) const noexcept { return are_heads ? query : query + row; }
};

// Rows and the tiles of keys that they are run with, by themselves when `is_part`.
struct AttentionJob {
  QueryRows rows;
  std::size_t first_tile, last_tile;
  bool is_part;
  std::size_t sums;  // where the sums of the sequence's parts begin
};

// The keys that query i of a sequence attends to: [begin(i), end(i)).
struct Visible {
  std::size_t queries, keys, attended, window;
  bool causal;
  std::size_t begin(std::size_t i) const noexcept {
    if (window == 0) return 0;
    std::size_t const behind = causal ? own_end(i) : i + 1;  // the query's own position, and one
    return behind > window ? std::min(behind - window, causal ? behind : attended) : 0;
  }
  std::size_t end(std::size_t i) const noexcept {
    if (causal) return own_end(i);
    return window == 0 || attended < window || i > attended - window ? attended : i + window;
  }
  // The tiles in which the queries [first, last) see keys, at least one.
  KeyRange tiles(std::size_t first, std::size_t last) const noexcept {
    std::size_t const tile = begin(first) / key_tile;
    return {tile, std::max(tile + 1, (end(last - 1) + key_tile - 1) / key_tile)};
  }
  // What a query sees of a tile.
  KeyRange in_tile(std::size_t i, std::size_t tile) const noexcept {
    std::size_t const first = tile * key_tile, last = first + key_tile;
    return {std::clamp(begin(i), first, last), std::clamp(end(i), first, last)};
  }

 private:
  std::size_t own_end(std::size_t i) const noexcept { return keys + i + 1 > queries ? keys + i + 1 - queries : 0; }
};

// How the work of an attention is cut: its jobs in one order, what each costs, and the scratch memory that they take.
struct AttentionPlan {
  AttentionQueries const& queries;
  // One of these: keys of this pass, those of caches, one for each sequence, or all of this pass in bfloat16.
  AttentionKeys const* rows = nullptr;
  CachedKeys const* cached = nullptr;
  RoundedAttentionRows const* rounded = nullptr;
  std::size_t most_keys = 0;  // of any sequence
  std::size_t longest = 1;    // queries of any sequence
  std::size_t block = 0;      // rows that are run together
  bool is_narrow = false;     // whether some keys are no floats
  bool asks_for_pairs = false;

  AttentionPlan(AttentionQueries const& all, AttentionKeys const& from) noexcept : queries(all), rows(&from) {
    asks_for_pairs = queries.in_bfloat16 && queries.window == 0 && queries.mask == AttentionMask::none;
    look_at_lengths();
  }
  AttentionPlan(AttentionQueries const& all, CachedKeys const* from) noexcept : queries(all), cached(from) { look_at_lengths(); }
  AttentionPlan(AttentionQueries const& all, RoundedAttentionRows const& from) noexcept
      : queries(all), rounded(&from), asks_for_pairs(true) {
    look_at_lengths();
  }

  // Whether tiles multiply all in bfloat16.
  constexpr bool is_paired() const noexcept { return simd::bfloat16_products == simd::Bfloat16Products::of_tiles && asks_for_pairs; }

  void look_at_lengths() noexcept {
    for (std::size_t s = 0; s < queries.sequences; ++s) {
      most_keys = std::max(most_keys, key_count(s));
      longest = std::max(longest, query_count(s));
      is_narrow = is_narrow || (cached != nullptr && cached[s].layout.format != CacheFormat::f32);
    }
    block = is_paired() ? block_rows(tile_keys(0), 2 * simd::tile_height, most_paired_rows)
                        : block_rows(tile_keys(most_vector_rows), tile_rows, most_vector_rows);
  }

  // Keys of a tile that so many rows see at most, counted from a panel's begin. Windows of neighbours lie one key further each.
  std::size_t tile_keys(std::size_t count) const noexcept {
    std::size_t const most = std::min(most_keys, key_tile);
    if (queries.window == 0) return most;
    return std::min(most, 2 * std::min(queries.window, most_keys) + count + panel_width);
  }

  std::size_t query_count(std::size_t s) const noexcept { return queries.offsets[s + 1] - queries.offsets[s]; }
  std::size_t key_count(std::size_t s) const noexcept {
    if (cached != nullptr) return cached[s].count;
    std::size_t const* const offsets = rounded != nullptr ? queries.offsets : rows->offsets;
    return offsets[s + 1] - offsets[s];
  }
  Visible visible(std::size_t s) const noexcept {
    std::size_t const keys = key_count(s);
    std::size_t const attended = queries.attended != nullptr ? std::min(queries.attended[s], keys) : keys;
    return {query_count(s), keys, attended, queries.window, queries.mask == AttentionMask::causal};
  }

  // A row's sums over one tile: the output's columns, then the sum of exponentials.
  std::size_t padded_size() const noexcept { return (queries.head_size + simd::lanes - 1) / simd::lanes * simd::lanes; }
  std::size_t sums_floats() const noexcept { return padded_size() + simd::lanes; }
  // The sums of a sequence's parts, for each tile of each row; in bfloat16 there are no parts. The tiles of sequences with few queries are run by
  // themselves: one query's keys are then spread over threads, whatever its heads.
  std::size_t parts_floats(std::size_t s) const noexcept {
    std::size_t const count = query_count(s);
    if (count == 0 || count > tile_rows || is_paired()) return 0;
    KeyRange const tiles = visible(s).tiles(0, count);
    std::size_t const number = tiles.end - tiles.begin;
    return number == 1 ? 0 : number * queries.heads * count * sums_floats();
  }
  std::size_t shared_floats() const noexcept {
    std::size_t floats = 0;
    for (std::size_t s = 0; s < queries.sequences; ++s) floats += parts_floats(s);
    return floats;
  }

  // Rows that have room: where there are tiles, whole ones.
  std::size_t rows_at_once() const noexcept {
    std::size_t const most = std::min(block, std::max(longest, queries.group));
    return is_paired() ? (most + simd::tile_height - 1) / simd::tile_height * simd::tile_height : most;
  }
  std::size_t score_floats() const noexcept { return rows_at_once() * score_stride(tile_keys(block)); }
  std::size_t sums_of_rows() const noexcept { return rows_at_once() * padded_size(); }
  KeyValueLayout scratch_layout(std::size_t keys) const noexcept { return KeyValueLayout::for_keys(1, queries.head_size, keys); }
  // What a thread has for itself: scores, the sums of rows and those of a tile, and the packed keys and values of one head when no cache holds them.
  std::size_t own_floats() const noexcept {
    std::size_t const packed = is_paired()         ? PairedLayout{queries.head_size, most_keys}.floats() + paired_rows_floats()
                               : cached == nullptr ? scratch_layout(most_keys).floats()
                               : is_narrow         ? widened_floats()
                                                   : 0;
    return score_floats() + 2 * sums_of_rows() + (packed + 15) / 16 * 16;
  }
  // Queries, or their exponentials, in bfloat16.
  std::size_t paired_rows_floats() const noexcept {
    return PairRows{rows_at_once(), std::max(queries.head_size, tile_keys(0)), nullptr}.bytes() / sizeof(float);
  }
  // Panels of keys, or values of some keys, that were no floats.
  std::size_t widened_floats() const noexcept {
    auto const layout = scratch_layout(widened_keys);
    return std::max(widened_panels * panel_width * queries.head_size, layout.value_panels() * widened_keys * layout.value_width());
  }
  std::size_t scratch_floats(std::size_t concurrency) const noexcept { return shared_floats() + concurrency * own_floats(); }

  // All jobs, in one order.
  struct Jobs {
    AttentionPlan const& run;
    std::size_t sequence = 0, head = 0, query = 0, tile = 0, sums = 0;

    bool next(AttentionJob& job) noexcept {
      std::size_t const heads = run.queries.heads;
      for (; sequence < run.queries.sequences; ++sequence) {
        std::size_t const count = run.query_count(sequence);
        if (count != 0 && head < heads) break;
        sums += run.parts_floats(sequence);
        head = 0;
      }
      if (sequence == run.queries.sequences) return false;
      std::size_t const count = run.query_count(sequence), group = run.queries.group;
      bool const are_heads = count == 1;
      std::size_t const taken = std::min(run.block, are_heads ? group - head % group : count - query);
      KeyRange const tiles = run.visible(sequence).tiles(query, are_heads ? query + 1 : query + taken);
      bool const is_part = !run.is_paired() && count <= tile_rows && tiles.end - tiles.begin > 1;
      job = {{sequence, head, query, taken, are_heads}, tiles.begin, tiles.end, is_part, sums};
      if (is_part) {
        job.first_tile += tile++;
        job.last_tile = job.first_tile + 1;
        if (job.last_tile != tiles.end) return true;
        tile = 0;
      }
      if (are_heads) {
        head += taken;
      } else if ((query += taken) == count) {
        query = 0;
        ++head;
      }
      return true;
    }
  };

  // Multiply-adds, about.
  std::size_t cost(AttentionJob const& job) const noexcept {
    Visible const seen = visible(job.rows.sequence);
    std::size_t const begin = std::max(seen.begin(job.rows.query), job.first_tile * key_tile);
    std::size_t const end = std::min(seen.end(job.rows.query_of(job.rows.count - 1)), job.last_tile * key_tile);
    return job.rows.count * (std::max(begin, end) - begin + 16) * queries.head_size;
  }
};

}  // namespace axiform::inline AXIFORM_ARCH::kernels::detail

AXIFORM_END_KERNELS

#endif  // AXIFORM_DEFINES(kernels)
