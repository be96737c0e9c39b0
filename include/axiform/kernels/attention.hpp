/// @file
/// Scaled dot-product attention over packed batches: two packed products with a softmax between, on keys from this pass or from a cache.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/attention_operands.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <atomic>
#include <cstdint>

#include <axiform/kernels/attention_plan.hpp>
#include <axiform/kernels/attention_tile.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/softmax.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// The floats of scratch memory that `attention` needs on an executor of that concurrency.
std::size_t attention_scratch_floats(AttentionQueries const& queries, AttentionKeys const& keys, std::size_t concurrency) noexcept;
/// The same for keys from caches.
std::size_t attention_scratch_floats(AttentionQueries const& queries, CachedKeys const* keys, std::size_t concurrency) noexcept;
/// The same for rows in bfloat16.
std::size_t attention_scratch_floats(AttentionQueries const& queries, RoundedAttentionRows const& rows, std::size_t concurrency) noexcept;

/// Softmax(scale * Q Kᵀ + bias) V for every head of every sequence (Vaswani et al. 2017, eq. 1), each within its own keys.
///
/// A query's result has the same bits whatever the batch, the threads and the source of the keys: it depends on the query, and on the keys and
/// values that it sees, alone. Its sums run over them in tiles of 1024 positions, from the sequence's begin, which are joined in order. A query that
/// sees no key gets zeros.
///
/// With `AttentionQueries::in_bfloat16`, which keys in caches do not heed, the sums within a tile are those of kernels/pair_product.hpp.
///
/// @param scratch `attention_scratch_floats(queries, keys, executor.concurrency())`, best at a multiple of 64 bytes.
void attention(AttentionQueries const& queries, AttentionKeys const& keys, float* scratch, Executor& executor);

/// The same with keys and values from caches, one for each sequence.
void attention(AttentionQueries const& queries, CachedKeys const* keys, float* scratch, Executor& executor);

/// The same of rows in bfloat16, to such rows: with the bits of `in_bfloat16` on their floats. `query` and `output` are not heeded.
/// @pre `can_round_results(WeightFormat::bf16)`, the mask is `none` and there is no window.
void attention(AttentionQueries const& queries, RoundedAttentionRows const& rows, float* scratch, Executor& executor);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

struct AttentionRun : AttentionPlan {
  using AttentionPlan::AttentionPlan;

  // The keys and values of a head, in a cache or packed into scratch memory.
  PackedHead pack(std::size_t s, std::size_t head, float* scratch) const noexcept {
    std::size_t const size = queries.head_size;
    if (cached != nullptr) {
      KeyValueLayout const& layout = cached[s].layout;
      float const* const data = cached[s].data;
      bool const has_scales = layout.format == CacheFormat::int8;
      return {.keys = data + layout.keys_of(head),
              .values = data + layout.values_of(head),
              .value_step = layout.value_width(),
              .value_panel_stride = layout.capacity * layout.value_width(),
              .format = layout.format,
              .key_scales = has_scales ? data + layout.key_scales_of(head) : nullptr,
              .value_scales = has_scales ? data + layout.value_scales_of(head) : nullptr,
              .widened = scratch};
    }
    if (is_paired()) return pack_by_pairs(s, head, scratch);
    std::size_t const count = key_count(s);
    KeyValueRows const from = rows_of(s, head);
    auto const layout = scratch_layout(count);
    append_keys(layout, scratch, 0, count, from.key, from.key_stride);
    // A few values are read where they lie.
    constexpr std::size_t few_keys = 48;
    if (count <= few_keys && size % simd::lanes == 0)
      return {.keys = scratch, .values = from.value, .value_step = from.value_stride, .value_panel_stride = layout.value_width()};
    append_values(layout, scratch + layout.values_of(0), 0, count, from.value, from.value_stride);
    return {.keys = scratch,
            .values = scratch + layout.values_of(0),
            .value_step = layout.value_width(),
            .value_panel_stride = layout.capacity * layout.value_width()};
  }

  KeyValueRows rows_of(std::size_t s, std::size_t head) const noexcept {
    KeyValueRows from = rows->rows;
    from.key += rows->offsets[s] * from.key_stride + head * queries.head_size;
    from.value += rows->offsets[s] * from.value_stride + head * queries.head_size;
    return from;
  }

  PackedHead pack_by_pairs(std::size_t s, std::size_t head, float* scratch) const noexcept {
    std::size_t const size = queries.head_size;
    PairedLayout const layout{size, visible(s).end(0)};
    HeadRows keys{size}, values{size};
    if (rounded != nullptr) {
      keys = rounded_rows_of(s, queries.heads + head);
      values = rounded_rows_of(s, queries.heads + queries.heads / queries.group + head);
    } else {
      KeyValueRows const from = rows_of(s, head);
      keys = {size, from.key, from.key_stride};
      values = {size, from.value, from.value_stride};
    }
    auto* const pairs = reinterpret_cast<std::uint16_t*>(scratch + paired_rows_floats());
    pack_keys_by_pairs(layout, keys, pairs);
    pack_values_by_pairs(layout, values, pairs);
    return {.paired = {.pairs = pairs, .keys = layout.keys, .words = scratch}};
  }
  // A sequence's rows of the head that is number `head` in a row.
  HeadRows rounded_rows_of(std::size_t s, std::size_t head) const noexcept {
    std::size_t const size = queries.head_size;
    return {.head_size = size,
            .rounded = rounded->fused,
            .first_row = queries.offsets[s],
            .first_chunk = head * (size / PairRows::chunk_columns)};
  }
  // Some rows of queries.
  HeadRows queries_of(QueryRows const& of) const noexcept {
    std::size_t const size = queries.head_size;
    if (rounded == nullptr) {
      float const* const row = queries.query + (queries.offsets[of.sequence] + of.query) * queries.query_stride;
      return {size, row + of.head * size, of.are_heads ? size : queries.query_stride};
    }
    HeadRows result = rounded_rows_of(of.sequence, of.head);
    result.first_row += of.query;
    if (of.are_heads) {
      result.rows_apart = 0;
      result.chunks_apart = size / PairRows::chunk_columns;
    }
    return result;
  }

  float scale_of_scores() const noexcept { return queries.bias.data == nullptr ? queries.scale : 1.0F; }

  // Where a query's probabilities go, or null.
  float* probabilities(std::size_t s, std::size_t head, std::size_t query) const noexcept {
    if (queries.probabilities == nullptr || queries.probabilities[s] == nullptr) return nullptr;
    return queries.probabilities[s] + (head * query_count(s) + query) * key_count(s);
  }

  // Rows against a tile of keys: their sums, `stride` floats apart.
  void run_tile(QueryRows const& rows_, Visible const& seen, std::size_t tile, PackedHead const& packed, float* scores, float* output,
                std::size_t stride, ExponentialSum* sums) const noexcept {
    // The panel of keys where the first row's part of the tile begins. Scores are those of the keys from there on.
    std::size_t const origin = seen.in_tile(rows_.query, tile).begin / panel_width * panel_width;
    KeyRange ranges[most_block_rows];
    for (std::size_t r = 0; r < rows_.count; ++r) {
      KeyRange const keys = seen.in_tile(rows_.query_of(r), tile);
      ranges[r].begin = keys.begin - origin;
      ranges[r].end = keys.end - origin;
    }
    HeadRows const query_rows = queries_of(rows_);
    TileRows const of_tile{.query = query_rows.floats,
                           .query_stride = query_rows.stride,
                           .count = rows_.count,
                           .seen = ranges,
                           .head_size = queries.head_size,
                           .scores = scores,
                           .stride = score_stride(ranges[rows_.count - 1].end)};
    is_paired() ? score_by_pairs(of_tile, query_rows, packed.paired, origin) : score(of_tile, packed, origin);
    if (packed.key_scales != nullptr) multiply_scores(of_tile, packed.key_scales + origin);
    if (queries.bias.data != nullptr)
      for (std::size_t r = 0; r < rows_.count; ++r) add_bias(of_tile, r, rows_.head_of(r), rows_.query_of(r), origin, seen);
    exponentials_of_scores(of_tile, scale_of_scores(), sums);
    for (std::size_t r = 0; r < rows_.count; ++r)
      if (float* const map = probabilities(rows_.sequence, rows_.head_of(r), rows_.query_of(r)))
        std::copy(of_tile.row(r) + ranges[r].begin, of_tile.row(r) + ranges[r].end, map + origin + ranges[r].begin);
    if (packed.value_scales != nullptr) multiply_scores(of_tile, packed.value_scales + origin);
    is_paired() ? weigh_by_pairs(of_tile, packed.paired, origin, output, stride) : weigh_values(of_tile, packed, origin, output, stride);
  }

  void add_bias(TileRows const& of_tile, std::size_t row, std::size_t head, std::size_t query, std::size_t origin,
                Visible const& seen) const noexcept {
    std::size_t const position = seen.causal ? seen.keys + query - seen.queries : query;
    KeyRange const keys = of_tile.seen[row];
    float const* const bias = queries.bias.data + static_cast<std::ptrdiff_t>(head) * queries.bias.head_stride +
                              static_cast<std::ptrdiff_t>(position) * queries.bias.query_stride +
                              static_cast<std::ptrdiff_t>(origin + keys.begin);
    if (keys.begin < keys.end) scale_and_add_row(of_tile.row(row) + keys.begin, queries.scale, bias, keys.end - keys.begin);
  }

  // To the sums of a query those of its next tile are added, if it sees keys there.
  void add_tile(QueryRows const& of, std::size_t row, Visible const& seen, std::size_t tile, ExponentialSum const& tile_sum,
                float const* tile_output, ExponentialSum& sum, float* output) const noexcept {
    std::size_t const query = of.query_of(row), begin = seen.begin(query);
    KeyRange const here = seen.in_tile(query, tile);
    if (here.begin == here.end) return;
    if (begin >= tile * key_tile) {  // its first
      sum = tile_sum;
      std::copy_n(tile_output, padded_size(), output);
      return;
    }
    JoinFactors const factors = join_sums(sum, tile_sum, scale_of_scores());
    join_row(output, tile_output, padded_size(), factors);
    if (float* const map = probabilities(of.sequence, of.head_of(row), query)) {
      scale_row(map + begin, here.begin - begin, factors.before);
      scale_row(map + here.begin, here.end - here.begin, factors.next);
    }
  }

  // From sums to means: the last step of a query.
  void finish(QueryRows const& of, std::size_t row, Visible const& seen, ExponentialSum const& sum, float const* sums) const noexcept {
    std::size_t const head = of.head_of(row), query = of.query_of(row);
    float const factor = sum.total == 0.0F ? 0.0F : 1.0F / sum.total;
    std::size_t const target = queries.offsets[of.sequence] + query, size = queries.head_size;
    if (rounded != nullptr) {
      alignas(64) float chunk[PairRows::chunk_columns];
      for (std::size_t i = 0; i < size; i += PairRows::chunk_columns) {
        scale_row(sums + i, factor, chunk, PairRows::chunk_columns);
        round_to_pairs(chunk, PairRows::chunk_columns, rounded->output.at(target, (head * size + i) / PairRows::chunk_columns));
      }
    } else {
      scale_row(sums, factor, queries.output + target * queries.output_stride + head * size, size);
    }
    float* const map = probabilities(of.sequence, head, query);
    if (map == nullptr) return;
    std::size_t const begin = seen.begin(query), end = seen.end(query);
    std::fill_n(map, begin, 0.0F);
    scale_row(map + begin, end - begin, factor);
    std::fill(map + end, map + seen.keys, 0.0F);
  }

  void run_job(AttentionJob const& job, PackedHead const& packed, float* own, float* shared) const noexcept {
    QueryRows const& of = job.rows;
    Visible const seen = visible(of.sequence);
    if (job.is_part) return run_part(job, seen, packed, own, shared);
    ExponentialSum sum[most_block_rows], tile_sum[most_block_rows];
    float* const sums = own + score_floats();
    float* const tile_sums = sums + sums_of_rows();
    std::size_t const stride = padded_size();
    run_tile(of, seen, job.first_tile, packed, own, sums, stride, sum);
    for (std::size_t tile = job.first_tile + 1; tile < job.last_tile; ++tile) {
      run_tile(of, seen, tile, packed, own, tile_sums, stride, tile_sum);
      for (std::size_t r = 0; r < of.count; ++r)
        add_tile(of, r, seen, tile, tile_sum[r], tile_sums + r * stride, sum[r], sums + r * stride);
    }
    for (std::size_t r = 0; r < of.count; ++r) finish(of, r, seen, sum[r], sums + r * stride);
  }

  // The sums of a job that is a part; the next row's are `sums_floats` behind.
  float* sums_of(AttentionJob const& job, Visible const& seen, float* shared) const noexcept {
    QueryRows const& of = job.rows;
    std::size_t const tile = job.first_tile - seen.tiles(0, seen.queries).begin;
    return shared + job.sums + ((tile * queries.heads + of.head) * seen.queries + of.query) * sums_floats();
  }
  void run_part(AttentionJob const& job, Visible const& seen, PackedHead const& packed, float* own, float* shared) const noexcept {
    ExponentialSum sum[most_block_rows];
    float* row = sums_of(job, seen, shared);
    run_tile(job.rows, seen, job.first_tile, packed, own, row, sums_floats(), sum);
    for (std::size_t r = 0; r < job.rows.count; ++r, row += sums_floats()) {
      row[padded_size()] = sum[r].maximum;
      row[padded_size() + 1] = sum[r].total;
    }
  }
  // Joins what the jobs that are parts left, tile by tile in order.
  void join_parts(float* shared) const noexcept {
    Jobs jobs{*this};
    ExponentialSum sum[most_block_rows];
    float* first = nullptr;
    for (AttentionJob job; jobs.next(job);) {
      if (!job.is_part) continue;
      QueryRows const& of = job.rows;
      Visible const seen = visible(of.sequence);
      KeyRange const tiles = seen.tiles(of.query, of.query_of(of.count - 1) + 1);
      float* const part = sums_of(job, seen, shared);
      if (job.first_tile == tiles.begin) first = part;
      for (std::size_t r = 0; r < of.count; ++r) {
        float* const sums = first + r * sums_floats();
        float const* const tile_sums = part + r * sums_floats();
        ExponentialSum const tile_sum{tile_sums[padded_size()], tile_sums[padded_size() + 1]};
        if (part == first) {
          sum[r] = tile_sum;
        } else {
          add_tile(of, r, seen, job.first_tile, tile_sum, tile_sums, sum[r], sums);
        }
        if (job.last_tile == tiles.end) finish(of, r, seen, sum[r], sums);
      }
    }
  }

  // Takes parts of the whole cost, one after another, until there are none: a thread that is held up takes fewer. A job belongs to the part
  // into which its middle falls; heads that must be packed go as a whole where there are many, so that none is packed twice.
  void take_parts(std::atomic<std::size_t>& next_part, std::size_t parts, std::size_t total, bool whole_heads, float* own,
                  float* shared) const noexcept {
    Jobs jobs{*this};
    AttentionJob job;
    PackedHead packed{};
    std::size_t done = 0, place = 0, sequence = queries.sequences, key_head = 0;
    std::size_t packed_sequence = queries.sequences, packed_head = 0;
    bool there_are_more = true;
    auto const step = [&] {
      there_are_more = jobs.next(job);
      if (!there_are_more) return;
      std::size_t const share = cost(job), of_keys = job.rows.head / queries.group;
      if (!whole_heads || job.rows.sequence != sequence || of_keys != key_head) place = done + share / 2;
      sequence = job.rows.sequence;
      key_head = of_keys;
      done += share;
    };
    step();
    for (std::size_t part; (part = next_part.fetch_add(1, std::memory_order_relaxed)) < parts;) {
      std::size_t const begin = total / parts * part, end = part + 1 == parts ? total : begin + total / parts;
      while (there_are_more && place < begin) step();
      while (there_are_more && place < end) {
        if (sequence != packed_sequence || key_head != packed_head) {
          packed = pack(sequence, key_head, own + score_floats() + 2 * sums_of_rows());
          packed_sequence = sequence;
          packed_head = key_head;
        }
        run_job(job, packed, own, shared);
        step();
      }
    }
  }

  void run(float* scratch, Executor& executor) const {
    std::size_t total = 0;
    bool has_parts = false;
    Jobs jobs{*this};
    for (AttentionJob job; jobs.next(job); has_parts = has_parts || job.is_part) total += cost(job);
    if (total == 0) return;
    // Below this a thread costs more than it brings.
    constexpr std::size_t least_work = 16 * 1024;
    constexpr std::size_t parts_of_thread = 8;
    std::size_t const threads = std::clamp<std::size_t>(total / least_work, 1, executor.concurrency());
    std::size_t const parts = threads == 1 ? 1 : std::clamp<std::size_t>(total / least_work, threads, threads * parts_of_thread);
    std::size_t const heads = queries.sequences * (queries.heads / queries.group);
    bool const whole_heads = cached == nullptr && heads >= 4 * threads;
    float* const own = scratch + shared_floats();
    std::atomic<std::size_t> next_part{0};
    auto const work = [&](std::size_t thread) { take_parts(next_part, parts, total, whole_heads, own + thread * own_floats(), scratch); };
    threads == 1 ? work(0) : executor.parallel_for(threads, work);
    if (has_parts) join_parts(scratch);
  }
};

}  // namespace detail

AXIFORM_INLINE std::size_t attention_scratch_floats(AttentionQueries const& queries, AttentionKeys const& keys,
                                                    std::size_t concurrency) noexcept {
  return detail::AttentionRun(queries, keys).scratch_floats(concurrency);
}

AXIFORM_INLINE std::size_t attention_scratch_floats(AttentionQueries const& queries, CachedKeys const* keys,
                                                    std::size_t concurrency) noexcept {
  return detail::AttentionRun(queries, keys).scratch_floats(concurrency);
}

AXIFORM_INLINE std::size_t attention_scratch_floats(AttentionQueries const& queries, RoundedAttentionRows const& rows,
                                                    std::size_t concurrency) noexcept {
  return detail::AttentionRun(queries, rows).scratch_floats(concurrency);
}

AXIFORM_INLINE void attention(AttentionQueries const& queries, AttentionKeys const& keys, float* scratch, Executor& executor) {
  detail::AttentionRun(queries, keys).run(scratch, executor);
}

AXIFORM_INLINE void attention(AttentionQueries const& queries, CachedKeys const* keys, float* scratch, Executor& executor) {
  detail::AttentionRun(queries, keys).run(scratch, executor);
}

AXIFORM_INLINE void attention(AttentionQueries const& queries, RoundedAttentionRows const& rows, float* scratch, Executor& executor) {
  detail::AttentionRun(queries, rows).run(scratch, executor);
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
