/// @file
/// A tile of attention: the exponentials of some queries' scores against a stretch of keys, times the values there, and how tiles are joined.
#pragma once

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <axiform/kernels/cache_numbers.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/gemm_tile.hpp>
#include <axiform/kernels/key_value_layout.hpp>
#include <axiform/kernels/softmax.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels::detail {

// Keys of a tile, which begins at a multiple of it: a query that sees keys of several tiles sums each tile's share by itself, and these are
// joined in order. So the order of a query's sums depends on nothing but the positions of the keys that it sees.
inline constexpr std::size_t key_tile = 1024;
static_assert(key_tile % panel_width == 0);

// Queries that are run together at most: by vectors, by tiles, and by either.
inline constexpr std::size_t most_vector_rows = 10 * tile_rows, most_paired_rows = 64,
                             most_block_rows = std::max(most_vector_rows, most_paired_rows);

// The keys [begin, end).
struct KeyRange {
  std::size_t begin, end;
};

// Keys whose values are widened at once, and so many panels of keys: 16 KiB each for a head of 64 columns, which stay in L1.
inline constexpr std::size_t widened_keys = 64;
inline constexpr std::size_t widened_panels = panels_at_once(1);

// The keys and values of one head of one sequence in bfloat16, as kernels/attention_pairs.hpp has them.
struct PairedHead {
  std::uint16_t const* pairs = nullptr;
  std::size_t keys = 0;    // that are attended to
  float* words = nullptr;  // scratch memory for rows of queries, or of exponentials
};

// The keys and values of one head of one sequence.
struct PackedHead {
  float const* keys = nullptr;                                 // panels
  float const* values = nullptr;                               // panels, `value_step` numbers from key to key
  std::size_t value_step = 0, value_panel_stride = 0;          // in numbers
  CacheFormat format = CacheFormat::f32;                       // what the numbers are
  float const *key_scales = nullptr, *value_scales = nullptr;  // of int8
  float* widened = nullptr;                                    // scratch memory for numbers that are not floats
  PairedHead paired = {};                                      // instead of all that, where tiles multiply
};

// The address of a number of a cache, as tiles take it.
inline float const* number_at(CacheFormat format, float const* data, std::size_t index) noexcept {
  return reinterpret_cast<float const*>(reinterpret_cast<std::byte const*>(data) + index * bytes_of_number(format));
}

// How a tile reads numbers of a byte.
struct ByteNumbers {
  using Element = std::int8_t;
  [[gnu::always_inline]] static simd::Floats load(Element const* source) noexcept { return load_byte_floats(source); }
};

// The tiles that read a cache's numbers where they lie: those of a few rows, which have nothing to gain from floats made once for all of them.
inline WideTile tile_of_numbers(CacheFormat format, std::size_t rows, std::size_t panels) noexcept {
  static constexpr auto wide = wide_tiles<ByteNumbers>(std::make_index_sequence<tile_rows>{});
  static constexpr auto full = full_tiles<ByteNumbers>(std::make_index_sequence<tile_rows>{});
  static constexpr auto wide_halves = wide_tiles<Weights<WeightFormat::bf16>>(std::make_index_sequence<tile_rows>{});
  static constexpr auto full_halves = full_tiles<Weights<WeightFormat::bf16>>(std::make_index_sequence<tile_rows>{});
  bool const is_wide = panels_at_once(rows) <= panels;
  Tile const bytes = is_wide ? wide[rows - 1] : full[rows - 1];
  Tile const halves = is_wide ? wide_halves[rows - 1] : full_halves[rows - 1];
  return {format == CacheFormat::int8 ? bytes : halves, is_wide ? panels_at_once(rows) : 1};
}

// The panels of keys from key `first` on, a panel's first, as floats.
inline float const* panels_of_keys(PackedHead const& head, std::size_t first, std::size_t panels, std::size_t size) noexcept {
  if (head.format == CacheFormat::f32) return head.keys + first * size;
  widen_numbers(head.format, head.keys, first * size, panels * panel_width * size, head.widened);
  return head.widened;
}

// Some rows of queries and their scores against a stretch of keys.
struct TileRows {
  float const* query;  // [count, head_size]
  std::size_t query_stride;
  std::size_t count;
  KeyRange const* seen;  // [count], what each row sees of the stretch; both ends ascend from row to row
  std::size_t head_size;
  float* scores;  // [count, keys]
  std::size_t stride;

  float* row(std::size_t r) const noexcept { return scores + r * stride; }
  // Rows go into register tiles whose heights differ by at most one; the i-th begins at `first_row(i)`.
  std::size_t tiles() const noexcept { return (count + tile_rows - 1) / tile_rows; }
  std::size_t first_row(std::size_t i) const noexcept { return i * (count / tiles()) + std::min(i, count % tiles()); }
};

// Floats from the scores of one row to the next: whole panels, and never a multiple of 4 KiB, by which rows would fight for one L1 set.
inline std::size_t score_stride(std::size_t keys) noexcept { return panel_count(keys) * panel_width + simd::lanes; }

// Scores of a few rows against whole panels of keys that are no floats.
inline void score_where_they_lie(TileRows const& rows, PackedHead const& head, std::size_t origin) noexcept {
  std::size_t const size = rows.head_size, keys = rows.seen[rows.count - 1].end;
  TileOperands operands{.k = size,
                        .a = rows.query,
                        .a_stride = rows.query_stride,
                        .b_step = panel_width,
                        .b_panel_stride = panel_width * size,
                        .c_stride = rows.stride};
  for (std::size_t key = rows.seen[0].begin / panel_width * panel_width; key < keys;) {
    WideTile const tile = tile_of_numbers(head.format, rows.count, panel_count(keys - key));
    operands.b = number_at(head.format, head.keys, (origin + key) * size);
    operands.c = rows.scores + key;
    tile.tile(operands);
    key += tile.panels * panel_width;
  }
}

// Scores of all rows against the keys that each can see, from key `origin` of the head on: the panel of keys stays in L1 while the rows pass.
inline void score(TileRows const& rows, PackedHead const& head, std::size_t origin) noexcept {
  std::size_t const size = rows.head_size, tiles = rows.tiles();
  std::size_t const keys = rows.seen[rows.count - 1].end;
  if (tiles == 1 && head.format != CacheFormat::f32) return score_where_they_lie(rows, head, origin);
  TileOperands operands{
      .k = size, .a_stride = rows.query_stride, .b_step = panel_width, .b_panel_stride = panel_width * size, .c_stride = rows.stride};
  for (std::size_t key = rows.seen[0].begin / panel_width * panel_width; key < keys;) {
    WideTile wide = tiles == 1 ? wide_tile(rows.count) : WideTile{nullptr, 1};
    if (key + wide.panels * panel_width > keys) wide.panels = 1;
    float const* const panels = panels_of_keys(head, origin + key, wide.panels, size);
    for (std::size_t i = 0, row = 0; i < tiles; ++i) {
      std::size_t const next = rows.first_row(i + 1);
      std::size_t const begin = std::max(rows.seen[row].begin, key), end = rows.seen[next - 1].end;
      if (begin < std::min(end, key + wide.panels * panel_width)) {
        operands.a = rows.query + row * rows.query_stride;
        // The vectors of the panel in which a row of the tile sees a key.
        std::size_t const first = wide.panels > 1 ? 0 : (begin - key) / simd::lanes * simd::lanes;
        operands.b = panels + first;
        operands.c = rows.row(row) + key + first;
        (wide.panels > 1 ? wide.tile
                         : narrow_tile(next - row, (std::min(panel_width, end - key) - first + simd::lanes - 1) / simd::lanes))(operands);
      }
      row = next;
    }
    key += wide.panels * panel_width;
  }
}

// What is kept in int8 is a float times its key's scale, which scores and weights are multiplied by instead.
inline void multiply_scores(TileRows const& rows, float const* scales) noexcept {
  for (std::size_t r = 0; r < rows.count; ++r)
    if (KeyRange const seen = rows.seen[r]; seen.begin < seen.end)
      multiply_row(scales + seen.begin, rows.row(r) + seen.begin, seen.end - seen.begin);
}

// From scores to exponentials. Neighbouring rows that see the same keys go together.
inline void exponentials_of_scores(TileRows const& rows, float scale, ExponentialSum* sums) noexcept {
  for (std::size_t r = 0, next; r < rows.count; r = next) {
    KeyRange const seen = rows.seen[r];
    for (next = r + 1; next < rows.count && rows.seen[next].begin == seen.begin && rows.seen[next].end == seen.end;) ++next;
    std::size_t const count = seen.end - seen.begin;
    // Behind the last key there is room up to a whole vector, where the row begins at one.
    std::size_t const room = seen.begin % simd::lanes == 0 ? (count + simd::lanes - 1) / simd::lanes * simd::lanes : count;
    exponentials(rows.row(r) + seen.begin, rows.stride, next - r, count, room, scale, sums + r);
  }
}

// sums += weights[key] * values[key] for some keys, on sums in memory.
inline void add_keys(KeyRange keys, float const* weights, float const* values, std::size_t step, std::size_t width,
                     std::size_t panel_stride, float* sums, std::size_t columns) noexcept {
  if (keys.begin >= keys.end) return;
  for (std::size_t panel = 0; panel < columns; panel += width, values += panel_stride)
    for (std::size_t j = 0; j < std::min(width, columns - panel); j += simd::lanes) {
      simd::Floats sum = simd::load(sums + panel + j);
      for (std::size_t key = keys.begin; key < keys.end; ++key)
        sum = simd::fma(simd::broadcast(weights[key]), simd::load(values + j + key * step), sum);
      simd::store(sums + panel + j, sum);
    }
}

// Values as floats: `step` from key to key, `stride` from panel to panel.
struct PanelsOfValues {
  float const* values;
  std::size_t step, stride;
};

// Whether sums begin at zero or go on.
enum class SumsBegin { at_zero, where_they_are };

// Rows [first, last), at most a register tile's, of sums = weights * values, in order of the keys. The register tile takes the keys that all its
// rows see; what a row sees before and behind is added for each by itself: a weight of zero is no way out, zero times infinity is NaN.
inline void weigh_values(TileRows const& rows, std::size_t first, std::size_t last, PanelsOfValues const& panels, float* sums,
                         std::size_t sums_stride, SumsBegin begin) noexcept {
  std::size_t const count = last - first, size = rows.head_size, step = panels.step;
  std::size_t const width = KeyValueLayout{1, size, 0}.value_width();
  KeyRange const* const seen = rows.seen + first;
  float const* const weights = rows.row(first);
  std::size_t const common_end = seen[0].end, common_begin = std::min(seen[count - 1].begin, common_end);
  WideTile const wide = width == panel_width ? wide_tile(count) : WideTile{nullptr, 1};
  TileOperands operands{.k = common_end - common_begin,
                        .a = weights + common_begin,
                        .a_stride = rows.stride,
                        .b_step = step,
                        .b_panel_stride = panels.stride,
                        .c_stride = sums_stride,
                        .resume = common_begin != 0 || begin == SumsBegin::where_they_are};
  for (std::size_t column = 0; column < size;) {
    bool const group = wide.panels > 1 && column + wide.panels * width <= size;
    std::size_t const columns = group ? wide.panels * width : std::min(width, size - column);
    std::size_t const vectors = (columns + simd::lanes - 1) / simd::lanes;
    float const* const values = panels.values + column / width * panels.stride;
    operands.b = values + common_begin * step;
    operands.c = sums + column;
    auto const add = [&](std::size_t r, KeyRange keys) {
      add_keys(keys, weights + r * rows.stride, values, step, width, panels.stride, operands.c + r * sums_stride, columns);
    };
    for (std::size_t r = 0; operands.resume && r < count; ++r) {
      if (begin == SumsBegin::at_zero) std::fill_n(operands.c + r * sums_stride, vectors * simd::lanes, 0.0F);
      add(r, {seen[r].begin, common_begin});
    }
    (group ? wide.tile : narrow_tile(count, vectors))(operands);
    for (std::size_t r = 1; r < count; ++r) add(r, {std::max(common_end, seen[r].begin), seen[r].end});
    column += columns;
  }
}

// The same for a few rows that see the same keys, whose values are no floats and fill their panels.
inline void weigh_where_they_lie(TileRows const& rows, PackedHead const& head, std::size_t origin, float* sums,
                                 std::size_t sums_stride) noexcept {
  KeyRange const seen = rows.seen[0];
  TileOperands operands{.k = seen.end - seen.begin,
                        .a = rows.scores + seen.begin,
                        .a_stride = rows.stride,
                        .b_step = panel_width,
                        .b_panel_stride = head.value_panel_stride,
                        .c_stride = sums_stride};
  for (std::size_t column = 0; column < rows.head_size;) {
    WideTile const tile = tile_of_numbers(head.format, rows.count, (rows.head_size - column) / panel_width);
    std::size_t const panel = column / panel_width;
    operands.b = number_at(head.format, head.values, panel * head.value_panel_stride + (origin + seen.begin) * panel_width);
    operands.c = sums + column;
    tile.tile(operands);
    column += tile.panels * panel_width;
  }
}

// sums = weights * values, for all rows, of the keys from `origin` of the head on: whole vectors, `sums_stride` floats apart.
inline void weigh_values(TileRows const& rows, PackedHead const& head, std::size_t origin, float* sums, std::size_t sums_stride) noexcept {
  auto const weigh = [&](TileRows const& of, PanelsOfValues const& panels, SumsBegin begin) {
    for (std::size_t i = 0; i < of.tiles(); ++i) {
      std::size_t const first = of.first_row(i);
      weigh_values(of, first, of.first_row(i + 1), panels, sums + first * sums_stride, sums_stride, begin);
    }
  };
  if (head.format == CacheFormat::f32)
    return weigh(rows, {head.values + origin * head.value_step, head.value_step, head.value_panel_stride}, SumsBegin::at_zero);
  KeyRange const first_row = rows.seen[0], last_row = rows.seen[rows.count - 1];
  if (rows.tiles() == 1 && rows.head_size % panel_width == 0 && first_row.begin == last_row.begin && first_row.end == last_row.end)
    return weigh_where_they_lie(rows, head, origin, sums, sums_stride);
  // Other numbers become floats for some keys at a time, for all rows; the sums wait in memory, which changes no bit.
  std::size_t const width = head.value_step, all_panels = KeyValueLayout{1, rows.head_size, 0}.value_panels();
  KeyRange seen[most_block_rows];
  TileRows part = rows;
  part.seen = seen;
  std::size_t const end = rows.seen[rows.count - 1].end;
  auto begin = SumsBegin::at_zero;
  for (std::size_t key = rows.seen[0].begin; key < end || begin == SumsBegin::at_zero; key += widened_keys) {
    std::size_t const count = std::min(widened_keys, end - std::min(key, end));
    for (std::size_t r = 0; r < rows.count; ++r) {
      seen[r].begin = std::clamp(rows.seen[r].begin, key, key + count) - key;
      seen[r].end = std::clamp(rows.seen[r].end, key, key + count) - key;
    }
    for (std::size_t panel = 0; panel < all_panels; ++panel)
      widen_numbers(head.format, head.values, panel * head.value_panel_stride + (origin + key) * width, count * width,
                    head.widened + panel * widened_keys * width);
    part.scores = rows.scores + key;
    weigh(part, {head.widened, width, widened_keys * width}, begin);
    begin = SumsBegin::where_they_are;
  }
}

// By what sums are multiplied before they are added.
struct JoinFactors {
  float before, next;
};

// The sum of a row's exponentials over the keys before and those of a tile, and by what the sums of both are multiplied to have it as their
// maximum.
inline JoinFactors join_sums(ExponentialSum& sum, ExponentialSum const& tile, float scale) noexcept {
  float const maximum = std::max(sum.maximum, tile.maximum);
  auto const factor = [&](float of) {
    return of == maximum ? 1.0F : exp_nonpositive((broadcast(of) - broadcast(maximum)) * broadcast(scale)).get(0);
  };
  JoinFactors const factors{factor(sum.maximum), factor(tile.maximum)};
  sum = {maximum, sum.total * factors.before + tile.total * factors.next};
  return factors;
}

// output = output * factors.before + tile * factors.next.
inline void join_row(float* output, float const* tile, std::size_t size, JoinFactors factors) noexcept {
  combine_row(tile, output, size, [&](Floats a, Floats b) { return simd::fma(a, broadcast(factors.next), b * broadcast(factors.before)); });
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels::detail

AXIFORM_END_KERNELS

#endif  // AXIFORM_DEFINES(kernels)
