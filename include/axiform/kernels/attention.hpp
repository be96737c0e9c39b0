/// @file
/// Scaled dot-product attention over packed batches: two packed products with a softmax between, on keys from this pass or from a cache.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/kernels/key_value_layout.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>

#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/gemm_tile.hpp>
#include <axiform/kernels/softmax.hpp>
#include <axiform/simd/batch.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Which keys of its sequence a query attends to.
enum class AttentionMask {
  none,  ///< All of them.
  causal  ///< Those up to its own position, the last query's position being the last key's: of q queries and n keys, query i sees n - q + i + 1.
};

/// What is added to a score between scaling and softmax: a number for each head, position of the query and position of the key. With the
/// mask `causal` the last query stands at the last key's position; else query and key i of a sequence both stand at i.
///
/// The number of head h, query q and key k is `data[h * head_stride + q * query_stride + k]`: with a stride of -1 from query to query, and
/// `data` in the middle of a row, it depends on the distance k - q alone.
struct ScoreBias {
  float const* data = nullptr;      ///< Null when nothing is added.
  std::ptrdiff_t head_stride = 0;   ///< From one head to the next.
  std::ptrdiff_t query_stride = 0;  ///< From one query to the next.
};

/// One attention: the queries of a batch, and where the result goes. Strides are in floats.
struct AttentionQueries {
  std::size_t sequences = 0;                 ///< in the batch
  std::size_t heads = 0;                     ///< of each sequence
  std::size_t head_size = 0;                 ///< columns of one head
  float scale = 1.0f;                        ///< of the scores, before the softmax
  AttentionMask mask = AttentionMask::none;  ///< which keys a query sees
  std::size_t group = 1;                     ///< neighbouring heads that share one head of keys and values: head h has that of h / group
  /// 0, or how far a query sees among the keys that the mask leaves: those less than `window` positions from its own
  std::size_t window = 0;
  ScoreBias bias = {};                    ///< of the scaled scores
  /// null, or how many keys of each sequence, the first, its queries see; with the mask `causal` it is not heeded
  std::size_t const* attended = nullptr;
  std::size_t const* offsets = nullptr;   ///< [sequences + 1], the first row of each sequence
  float const* query = nullptr;           ///< [rows, heads * head_size]
  std::size_t query_stride = 0;           ///< from one query to the next
  float* output = nullptr;                ///< [rows, heads * head_size]; must not overlap queries, keys or values
  std::size_t output_stride = 0;          ///< from one row of the output to the next
  float* const* probabilities = nullptr;  ///< null, or for each sequence null or [heads, queries, keys], written after the softmax
};

/// The keys and values of a batch, rows of this pass.
struct AttentionKeys {
  std::size_t const* offsets = nullptr;  ///< [sequences + 1]
  KeyValueRows rows;                     ///< of all sequences, one after another
};

/// The keys and values of one sequence, as `append_keys_values` left them.
struct CachedKeys {
  KeyValueLayout layout;        ///< of the cache
  float const* data = nullptr;  ///< of the sequence
  std::size_t count = 0;        ///< those of this pass included
};

/// The floats of scratch memory that `attention` needs on an executor of that concurrency.
std::size_t attention_scratch_floats(AttentionQueries const& queries, AttentionKeys const& keys, std::size_t concurrency) noexcept;
/// The same for keys from caches.
std::size_t attention_scratch_floats(AttentionQueries const& queries, CachedKeys const* keys, std::size_t concurrency) noexcept;

/// Softmax(scale * Q Kᵀ + bias) V for every head of every sequence (Vaswani et al. 2017, eq. 1), each within its own keys.
///
/// A query's result has the same bits whatever the batch, the threads and the source of the keys: it depends on the query, and on the keys and
/// values that it sees, alone. A query that sees no key gets zeros.
///
/// @param scratch `attention_scratch_floats(queries, keys, executor.concurrency())`, best at a multiple of 64 bytes.
void attention(AttentionQueries const& queries, AttentionKeys const& keys, float* scratch, Executor& executor);

/// The same with keys and values from caches, one for each sequence.
void attention(AttentionQueries const& queries, CachedKeys const* keys, float* scratch, Executor& executor);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Queries of a block: their scores against all keys that they see stay in L2 beside the values (128 KiB for 512 keys). The size changes no bit.
inline constexpr std::size_t most_block_queries = 10 * tile_rows;
inline std::size_t query_block(std::size_t keys_of_block) noexcept {
  constexpr std::size_t score_floats = 32 * 1024;
  return std::clamp(score_floats / (keys_of_block + 1) / tile_rows * tile_rows, tile_rows, most_block_queries);
}

// The keys and values of one head of one sequence.
struct PackedHead {
  float const* keys;
  float const* values;
  std::size_t capacity;
};

// The keys [begin, end) of a sequence.
struct KeyRange {
  std::size_t begin, end;
};

struct AttentionRun {
  AttentionQueries const& queries;
  AttentionKeys const* rows;  // either these
  CachedKeys const* cached;   // or those, one for each sequence
  std::size_t most_keys;      // of any sequence
  std::size_t block;          // queries of a block

  AttentionRun(AttentionQueries const& all, AttentionKeys const* from_rows, CachedKeys const* from_cache) noexcept
      : queries(all), rows(from_rows), cached(from_cache), most_keys(0), block(0) {
    for (std::size_t s = 0; s < queries.sequences; ++s) most_keys = std::max(most_keys, key_count(s));
    block = query_block(keys_of_block(most_block_queries));
  }

  // Keys of any sequence that a block of so many queries sees at most, counted from a panel's begin. Windows of neighbours lie one key further each.
  std::size_t keys_of_block(std::size_t count) const noexcept {
    if (queries.window == 0) return most_keys;
    std::size_t const window = std::min(queries.window, most_keys);
    return std::min(most_keys, 2 * window + count + panel_width);
  }

  std::size_t query_count(std::size_t s) const noexcept { return queries.offsets[s + 1] - queries.offsets[s]; }
  std::size_t key_count(std::size_t s) const noexcept {
    return cached != nullptr ? cached[s].count : rows->offsets[s + 1] - rows->offsets[s];
  }
  std::size_t score_stride() const noexcept { return panel_count(keys_of_block(block)) * panel_width; }
  std::size_t score_floats() const noexcept { return std::min(block, longest_query()) * score_stride(); }
  KeyValueLayout scratch_layout() const noexcept { return KeyValueLayout::for_keys(1, queries.head_size, most_keys); }
  std::size_t longest_query() const noexcept {
    std::size_t longest = 0;
    for (std::size_t s = 0; s < queries.sequences; ++s) longest = std::max(longest, query_count(s));
    return longest;
  }
  // Floats for one thread: scores of a block, and the packed keys and values of one head when no cache holds them.
  std::size_t scratch_floats() const noexcept {
    return (score_floats() + (cached != nullptr ? 0 : scratch_layout().floats()) + 15) / 16 * 16;
  }

  // The keys that query i of a sequence attends to are `visible(s)(i)`.
  struct Visible {
    std::size_t queries, keys, attended, window;
    bool causal;
    KeyRange operator()(std::size_t i) const noexcept {
      std::size_t const end = !causal ? attended : keys + i + 1 > queries ? keys + i + 1 - queries : 0;
      if (window == 0) return {0, end};
      std::size_t const behind = causal ? end : i + 1;  // the query's own position, and one
      std::size_t const begin = behind > window ? std::min(behind - window, end) : 0;
      return {begin, causal || end < window || i > end - window ? end : i + window};
    }
  };
  Visible visible(std::size_t s) const noexcept {
    std::size_t const keys = key_count(s);
    std::size_t const attended = queries.attended != nullptr ? std::min(queries.attended[s], keys) : keys;
    return {query_count(s), keys, attended, queries.window, queries.mask == AttentionMask::causal};
  }

  // Multiply-adds, about, of the queries [first, last) of one head.
  std::size_t cost(std::size_t s, std::size_t first, std::size_t last) const noexcept {
    KeyRange const seen = visible(s)(last - 1);
    return (last - first) * (seen.end - seen.begin + 16) * queries.head_size;
  }

  // Calls visit(sequence, head, first query, last query) for every block of work, in one order.
  template <class Visit>
  void for_each_block(Visit visit) const {
    for (std::size_t s = 0; s < queries.sequences; ++s)
      for (std::size_t head = 0; head < queries.heads; ++head)
        for (std::size_t first = 0, count = query_count(s); first < count; first += block)
          visit(s, head, first, std::min(first + block, count));
  }

  // The blocks whose middle falls into this part of the whole cost.
  void run_part(std::size_t part, std::size_t parts, std::size_t total, float* scratch) const noexcept {
    PackedHead packed{};
    std::size_t packed_sequence = queries.sequences;
    std::size_t packed_head = 0;
    std::size_t done = 0;
    for_each_block([&](std::size_t s, std::size_t head, std::size_t first, std::size_t last) {
      std::size_t const share = cost(s, first, last);
      bool const mine = (done + share / 2) / (total / parts + 1) == part;
      done += share;
      if (!mine) return;
      std::size_t const key_head = head / queries.group;
      if (s != packed_sequence || key_head != packed_head) {
        packed = pack(s, key_head, scratch + score_floats());
        packed_sequence = s;
        packed_head = key_head;
      }
      run_block(s, head, first, last, packed, scratch);
    });
  }

  PackedHead pack(std::size_t s, std::size_t head, float* scratch) const noexcept {
    if (cached != nullptr) {
      CachedKeys const& cache = cached[s];
      return {cache.data + cache.layout.keys_of(head), cache.data + cache.layout.values_of(head), cache.layout.capacity};
    }
    auto const layout = KeyValueLayout::for_keys(1, queries.head_size, key_count(s));
    KeyValueRows from = rows->rows;
    from.key += rows->offsets[s] * from.key_stride + head * queries.head_size;
    from.value += rows->offsets[s] * from.value_stride + head * queries.head_size;
    append_keys_values(layout, scratch, 0, key_count(s), from, 0, 1);
    return {scratch + layout.keys_of(0), scratch + layout.values_of(0), layout.capacity};
  }

  void run_block(std::size_t s, std::size_t head, std::size_t first, std::size_t last, PackedHead packed, float* scores) const noexcept {
    Visible const seen = visible(s);
    std::size_t const count = last - first;
    // The panel of keys where the block's first window begins. Scores are those of the keys from there on, and what follows counts keys from there.
    std::size_t const origin = seen(first).begin / panel_width * panel_width;
    packed.keys += origin * queries.head_size;
    packed.values += origin * KeyValueLayout{1, queries.head_size, 0}.value_width();
    std::size_t const stride = panel_count(seen(last - 1).end - origin) * panel_width;
    std::size_t const tiles = (count + tile_rows - 1) / tile_rows;
    float const* const query = queries.query + (queries.offsets[s] + first) * queries.query_stride + head * queries.head_size;
    float* const output = queries.output + (queries.offsets[s] + first) * queries.output_stride + head * queries.head_size;
    // Rows of the i-th tile, from the block's first: heights differ by at most one.
    auto const row_of = [&](std::size_t i) { return i * (count / tiles) + std::min(i, count % tiles); };
    auto const seen_by = [&](std::size_t row) {
      KeyRange const keys = seen(first + row);
      return KeyRange{keys.begin - origin, keys.end - origin};
    };

    score(query, row_of, tiles, packed, scores, stride, seen_by);
    for (std::size_t row = 0; row < count; ++row) weigh_scores(scores + row * stride, seen_by(row), seen, head, first + row);
    if (queries.probabilities != nullptr && queries.probabilities[s] != nullptr)
      for (std::size_t row = 0; row < count; ++row) {
        KeyRange const keys = seen(first + row), in_scores = seen_by(row);
        float* const target = queries.probabilities[s] + (head * query_count(s) + first + row) * seen.keys;
        std::fill_n(target, keys.begin, 0.0f);
        std::copy(scores + row * stride + in_scores.begin, scores + row * stride + in_scores.end, target + keys.begin);
        std::fill_n(target + keys.end, seen.keys - keys.end, 0.0f);
      }
    for (std::size_t i = 0; i < tiles; ++i) {
      std::size_t const row = row_of(i);
      weigh_values(output + row * queries.output_stride, row_of(i + 1) - row, packed, scores + row * stride, stride,
                   [&](std::size_t r) { return seen_by(row + r); });
    }
  }

  // From the scores of a query to its probabilities, in place. `in_scores` are the keys that it sees, where their scores lie.
  void weigh_scores(float* scores, KeyRange in_scores, Visible const& seen, std::size_t head, std::size_t query) const noexcept {
    std::size_t const count = in_scores.end - in_scores.begin;
    if (count == 0) return;
    scores += in_scores.begin;
    // What lies behind the last key up to a whole vector is written too, where the row begins at one.
    std::size_t const padded = in_scores.begin == 0 ? (count + simd::lanes - 1) / simd::lanes * simd::lanes : count;
    if (queries.bias.data == nullptr) return softmax_row(scores, count, padded, queries.scale);
    std::size_t const position = seen.causal ? seen.keys + query - seen.queries : query;
    float const* const bias = queries.bias.data + static_cast<std::ptrdiff_t>(head) * queries.bias.head_stride +
                              static_cast<std::ptrdiff_t>(position) * queries.bias.query_stride +
                              static_cast<std::ptrdiff_t>(seen(query).begin);
    scale_and_add_row(scores, queries.scale, bias, count);
    softmax_row(scores, count, padded, 1.0F);
  }

  // Scores of a block's tiles against the keys that each can see: the panel of keys stays in L1 while the tiles pass.
  template <class RowOf, class SeenBy>
  void score(float const* query, RowOf row_of, std::size_t tiles, PackedHead const& packed, float* scores, std::size_t stride,
             SeenBy seen_by) const noexcept {
    std::size_t const size = queries.head_size;
    std::size_t const query_stride = queries.query_stride;
    std::size_t const keys = seen_by(row_of(tiles) - 1).end;
    TileOperands operands{
        .k = size, .a_stride = query_stride, .b_step = panel_width, .b_panel_stride = panel_width * size, .c_stride = stride};
    for (std::size_t key = seen_by(0).begin / panel_width * panel_width; key < keys;) {
      WideTile wide = tiles == 1 ? wide_tile(row_of(1)) : WideTile{nullptr, 1};
      if (key + wide.panels * panel_width > keys) wide.panels = 1;
      for (std::size_t i = 0, row = 0; i < tiles; ++i) {
        std::size_t const next = row_of(i + 1);
        if (std::size_t const end = seen_by(next - 1).end;
            std::max(seen_by(row).begin, key) < std::min(end, key + wide.panels * panel_width)) {
          operands.a = query + row * query_stride;
          if (wide.panels > 1) {
            operands.b = packed.keys + key * size;
            operands.c = scores + row * stride + key;
            wide.tile(operands);
          } else {
            // The vectors of the panel in which a row of the tile sees a key.
            std::size_t const skipped = std::max(seen_by(row).begin, key) - key, first = skipped / simd::lanes * simd::lanes;
            operands.b = packed.keys + key * size + first;
            operands.c = scores + row * stride + key + first;
            narrow_tile(next - row, (std::min(panel_width, end - key) - first + simd::lanes - 1) / simd::lanes)(operands);
          }
        }
        row = next;
      }
      key += wide.panels * panel_width;
    }
  }

  // A tile of output = probabilities * values, the sum in order of the keys. The tile takes the keys that all its rows see; what a row sees
  // before and behind is added for each by itself: a probability of zero is no way out, zero times infinity is NaN.
  template <class SeenBy>
  void weigh_values(float* output, std::size_t rows_of_tile, PackedHead const& packed, float const* weights, std::size_t stride,
                    SeenBy seen_by) const noexcept {
    alignas(64) float buffer[tile_rows * panel_width];
    std::size_t const size = queries.head_size;
    std::size_t const width = KeyValueLayout{1, size, 0}.value_width();
    std::size_t const panel_stride = packed.capacity * width;
    std::size_t const common_end = seen_by(0).end, common_begin = std::min(seen_by(rows_of_tile - 1).begin, common_end);
    WideTile const wide = width == panel_width ? wide_tile(rows_of_tile) : WideTile{nullptr, 1};
    TileOperands operands{.k = common_end - common_begin,
                          .a = weights + common_begin,
                          .a_stride = stride,
                          .b_step = width,
                          .b_panel_stride = panel_stride,
                          .resume = common_begin != 0};
    for (std::size_t column = 0; column < size;) {
      bool const group = wide.panels > 1 && column + wide.panels * width <= size;
      std::size_t const columns = group ? wide.panels * width : std::min(width, size - column);
      bool const direct = columns % simd::lanes == 0;
      float const* const values = packed.values + column * packed.capacity;
      operands.b = values + common_begin * width;
      operands.c = direct ? output + column : buffer;
      operands.c_stride = direct ? queries.output_stride : panel_width;
      for (std::size_t r = 0; operands.resume && r < rows_of_tile; ++r) {
        std::fill_n(operands.c + r * operands.c_stride, (columns + simd::lanes - 1) / simd::lanes * simd::lanes, 0.0F);
        add_keys({seen_by(r).begin, common_begin}, weights + r * stride, values, width, panel_stride, operands.c + r * operands.c_stride,
                 columns);
      }
      (group ? wide.tile : narrow_tile(rows_of_tile, (columns + simd::lanes - 1) / simd::lanes))(operands);
      for (std::size_t r = 1; r < rows_of_tile; ++r)
        add_keys({std::max(common_end, seen_by(r).begin), seen_by(r).end}, weights + r * stride, values, width, panel_stride,
                 operands.c + r * operands.c_stride, columns);
      if (!direct)
        for (std::size_t r = 0; r < rows_of_tile; ++r)
          std::copy_n(buffer + r * panel_width, columns, output + column + r * queries.output_stride);
      column += columns;
    }
  }

  // sums += weights[key] * values[key] for some keys, on sums in memory.
  static void add_keys(KeyRange keys, float const* weights, float const* values, std::size_t width, std::size_t panel_stride, float* sums,
                       std::size_t columns) noexcept {
    if (keys.begin >= keys.end) return;
    for (std::size_t j = 0; j < columns; j += simd::lanes) {
      float const* const column = values + j / width * panel_stride + j % width;
      simd::Floats sum = simd::load(sums + j);
      for (std::size_t key = keys.begin; key < keys.end; ++key)
        sum = simd::fma(simd::broadcast(weights[key]), simd::load(column + key * width), sum);
      simd::store(sums + j, sum);
    }
  }

  void run(float* scratch, Executor& executor) const {
    std::size_t total = 0;
    for_each_block([&](std::size_t s, std::size_t, std::size_t first, std::size_t last) { total += cost(s, first, last); });
    if (total == 0) return;
    // Below this a thread costs more than it brings.
    constexpr std::size_t least_work = 16 * 1024;
    std::size_t const parts = std::clamp<std::size_t>(total / least_work, 1, executor.concurrency());
    if (parts == 1) return run_part(0, 1, total, scratch);
    executor.parallel_for(parts, [&](std::size_t part) { run_part(part, parts, total, scratch + part * scratch_floats()); });
  }
};

}  // namespace detail

AXIFORM_INLINE std::size_t attention_scratch_floats(AttentionQueries const& queries, AttentionKeys const& keys,
                                                    std::size_t concurrency) noexcept {
  return detail::AttentionRun(queries, &keys, nullptr).scratch_floats() * concurrency;
}

AXIFORM_INLINE std::size_t attention_scratch_floats(AttentionQueries const& queries, CachedKeys const* keys,
                                                    std::size_t concurrency) noexcept {
  return detail::AttentionRun(queries, nullptr, keys).scratch_floats() * concurrency;
}

AXIFORM_INLINE void attention(AttentionQueries const& queries, AttentionKeys const& keys, float* scratch, Executor& executor) {
  detail::AttentionRun(queries, &keys, nullptr).run(scratch, executor);
}

AXIFORM_INLINE void attention(AttentionQueries const& queries, CachedKeys const* keys, float* scratch, Executor& executor) {
  detail::AttentionRun(queries, nullptr, keys).run(scratch, executor);
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
