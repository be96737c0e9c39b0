/// @file
/// A tile of attention: the exponentials of some queries' scores against a stretch of keys, times the values there, and how tiles are joined.
#pragma once

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstddef>

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

// The keys [begin, end).
struct KeyRange {
  std::size_t begin, end;
};

// The keys and values of one head of one sequence.
struct PackedHead {
  float const* keys;    // panels
  float const* values;  // panels, `value_step` floats from key to key
  std::size_t value_step, value_panel_stride;
};

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

// Scores of all rows against the keys that each can see: the panel of keys stays in L1 while the rows pass.
inline void score(TileRows const& rows, float const* packed_keys) noexcept {
  std::size_t const size = rows.head_size, tiles = rows.tiles();
  std::size_t const keys = rows.seen[rows.count - 1].end;
  TileOperands operands{
      .k = size, .a_stride = rows.query_stride, .b_step = panel_width, .b_panel_stride = panel_width * size, .c_stride = rows.stride};
  for (std::size_t key = rows.seen[0].begin / panel_width * panel_width; key < keys;) {
    WideTile wide = tiles == 1 ? wide_tile(rows.count) : WideTile{nullptr, 1};
    if (key + wide.panels * panel_width > keys) wide.panels = 1;
    for (std::size_t i = 0, row = 0; i < tiles; ++i) {
      std::size_t const next = rows.first_row(i + 1);
      std::size_t const begin = std::max(rows.seen[row].begin, key), end = rows.seen[next - 1].end;
      if (begin < std::min(end, key + wide.panels * panel_width)) {
        operands.a = rows.query + row * rows.query_stride;
        // The vectors of the panel in which a row of the tile sees a key.
        std::size_t const first = wide.panels > 1 ? 0 : (begin - key) / simd::lanes * simd::lanes;
        operands.b = packed_keys + key * size + first;
        operands.c = rows.row(row) + key + first;
        (wide.panels > 1 ? wide.tile
                         : narrow_tile(next - row, (std::min(panel_width, end - key) - first + simd::lanes - 1) / simd::lanes))(operands);
      }
      row = next;
    }
    key += wide.panels * panel_width;
  }
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

// Rows [first, last), at most a register tile's, of sums = weights * values, in order of the keys. The register tile takes the keys that all its
// rows see; what a row sees before and behind is added for each by itself: a weight of zero is no way out, zero times infinity is NaN.
inline void weigh_values(TileRows const& rows, std::size_t first, std::size_t last, PackedHead const& packed, float* sums,
                         std::size_t sums_stride) noexcept {
  std::size_t const count = last - first, size = rows.head_size, step = packed.value_step;
  std::size_t const width = KeyValueLayout{1, size, 0}.value_width();
  KeyRange const* const seen = rows.seen + first;
  float const* const weights = rows.row(first);
  std::size_t const common_end = seen[0].end, common_begin = std::min(seen[count - 1].begin, common_end);
  WideTile const wide = width == panel_width ? wide_tile(count) : WideTile{nullptr, 1};
  TileOperands operands{.k = common_end - common_begin,
                        .a = weights + common_begin,
                        .a_stride = rows.stride,
                        .b_step = step,
                        .b_panel_stride = packed.value_panel_stride,
                        .c_stride = sums_stride,
                        .resume = common_begin != 0};
  for (std::size_t column = 0; column < size;) {
    bool const group = wide.panels > 1 && column + wide.panels * width <= size;
    std::size_t const columns = group ? wide.panels * width : std::min(width, size - column);
    std::size_t const vectors = (columns + simd::lanes - 1) / simd::lanes;
    float const* const values = packed.values + column / width * packed.value_panel_stride;
    operands.b = values + common_begin * step;
    operands.c = sums + column;
    auto const add = [&](std::size_t r, KeyRange keys) {
      add_keys(keys, weights + r * rows.stride, values, step, width, packed.value_panel_stride, operands.c + r * sums_stride, columns);
    };
    for (std::size_t r = 0; operands.resume && r < count; ++r) {
      std::fill_n(operands.c + r * sums_stride, vectors * simd::lanes, 0.0F);
      add(r, {seen[r].begin, common_begin});
    }
    (group ? wide.tile : narrow_tile(count, vectors))(operands);
    for (std::size_t r = 1; r < count; ++r) add(r, {std::max(common_end, seen[r].begin), seen[r].end});
    column += columns;
  }
}

// sums = weights * values, for all rows: whole vectors, `sums_stride` floats apart.
inline void weigh_values(TileRows const& rows, PackedHead const& packed, float* sums, std::size_t sums_stride) noexcept {
  for (std::size_t i = 0; i < rows.tiles(); ++i) {
    std::size_t const first = rows.first_row(i);
    weigh_values(rows, first, rows.first_row(i + 1), packed, sums + first * sums_stride, sums_stride);
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
