/// @file
/// Attention's two products in bfloat16, where the machine has tiles (AMX): keys, values, queries and exponentials are rounded to it, and summed as
/// kernels/pair_product.hpp says.
#pragma once

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <axiform/kernels/attention_tile.hpp>
#include <axiform/kernels/epilogue.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/kernels/pair_product.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels::detail {

// Rows of queries, keys or values of a head: floats, or what a product has rounded.
struct HeadRows {
  std::size_t head_size;
  float const* floats = nullptr;
  std::size_t stride = 0;
  PairRows rounded = {};
  std::size_t first_row = 0, first_chunk = 0;    // of `rounded`
  std::size_t rows_apart = 1, chunks_apart = 0;  // from row to row: neighbouring rows, or neighbouring heads of one

  std::size_t chunks() const noexcept { return PairRows::chunks_of(head_size); }
  // The words of a row's chunk.
  void read(std::size_t row, std::size_t chunk, float* words) const noexcept {
    std::size_t const first = chunk * PairRows::chunk_columns;
    if (floats != nullptr)
      return round_to_pairs(floats + row * stride + first, std::min(PairRows::chunk_columns, head_size - first), words);
    std::copy_n(rounded.at(first_row + row * rows_apart, first_chunk + row * chunks_apart + chunk), PairRows::chunk_words, words);
  }
};

// Where the keys and values of one head of a sequence lie: keys as the panels of a product over the head's columns, `[panels of keys]`; values as those of a
// product over the keys of a tile, `[tiles of keys][panels of columns]`. What is summed over goes on with zeros to a whole chunk.
struct PairedLayout {
  std::size_t head_size, keys;

  static constexpr std::size_t padded_inputs(std::size_t inputs) noexcept { return PairRows::chunks_of(inputs) * PairRows::chunk_columns; }
  std::size_t key_weights() const noexcept { return packed_floats(padded_inputs(head_size), keys); }
  std::size_t value_weights() const noexcept { return packed_floats(padded_inputs(keys), head_size); }
  std::size_t floats() const noexcept { return (key_weights() + value_weights()) / 2; }
  // From the first weight on.
  std::size_t panel_of_key(std::size_t key) const noexcept { return key / panel_width * panel_width * padded_inputs(head_size); }
  std::size_t values_of_tile(std::size_t tile) const noexcept { return key_weights() + packed_floats(tile * key_tile, head_size); }
  std::size_t keys_of_tile(std::size_t tile) const noexcept { return std::min(keys - tile * key_tile, key_tile); }
};

// Sixteen columns and a chunk of inputs lie together: a tile.
inline void pack_keys_by_pairs(PairedLayout const& layout, HeadRows const& keys, std::uint16_t* weights) noexcept {
  constexpr std::size_t height = simd::tile_height, width = PairRows::chunk_words;
  std::size_t const inputs = PairedLayout::padded_inputs(layout.head_size);
  alignas(64) float rows[height * width];
  for (std::size_t first = 0; first < layout.keys; first += height)
    for (std::size_t chunk = 0; chunk < keys.chunks(); ++chunk) {
      std::size_t const count = std::min(height, layout.keys - first);
      for (std::size_t r = 0; r < count; ++r) keys.read(first + r, chunk, rows + r * width);
      std::fill(rows + count * width, rows + height * width, 0.0F);
      std::size_t const place = place_in_pairs(chunk * PairRows::chunk_columns + 1, first % panel_width, inputs);
      transpose(height, width, rows, width, reinterpret_cast<float*>(weights + layout.panel_of_key(first) + place), height);
    }
}

// A chunk of columns is two tiles.
inline void pack_values_by_pairs(PairedLayout const& layout, HeadRows const& values, std::uint16_t* weights) noexcept {
  alignas(64) float rows[2][PairRows::chunk_words];
  for (std::size_t tile = 0; tile * key_tile < layout.keys; ++tile) {
    std::size_t const keys = layout.keys_of_tile(tile), inputs = PairedLayout::padded_inputs(keys);
    std::uint16_t* const of_tile = weights + layout.values_of_tile(tile);
    for (std::size_t chunk = 0; chunk < values.chunks(); ++chunk) {
      std::size_t const column = chunk * PairRows::chunk_columns;
      std::uint16_t* const panel = of_tile + column / panel_width * panel_width * inputs;
      for (std::size_t key = 0; key < inputs; key += 2) {
        for (std::size_t i = 0; i < 2; ++i) {
          if (key + i < keys) {
            values.read(tile * key_tile + key + i, chunk, rows[i]);
          } else {
            std::fill_n(rows[i], PairRows::chunk_words, 0.0F);
          }
        }
        std::uint16_t* const place = panel + place_in_pairs(key + 1, column % panel_width, inputs);
        simd::store_pairs_of_rows(place, place + simd::tile_height * PairRows::chunk_columns, rows[0], rows[1]);
      }
    }
  }
}

inline constexpr Epilogue nothing_follows;

// As `score`, of rows that all see the first keys of a tile.
inline void score_by_pairs(TileRows const& rows, HeadRows const& queries, PairedHead const& head, std::size_t origin) noexcept {
  PairedLayout const layout{rows.head_size, head.keys};
  PairRows const words{rows.count, PairedLayout::padded_inputs(rows.head_size), head.words};
  for (std::size_t r = 0; r < rows.count; ++r)
    for (std::size_t chunk = 0; chunk < words.chunks(); ++chunk) queries.read(r, chunk, words.at(r, chunk));
  PairProduct const product{.rows = words,
                            .n = PairedLayout::padded_inputs(rows.seen[0].end),  // two tiles, for which a row has room
                            .b = head.pairs + layout.panel_of_key(origin),
                            .c = rows.scores,
                            .c_stride = rows.stride,
                            .epilogue = nothing_follows,
                            .room = TargetRoom::of_whole_tiles};
  product.run(0, rows.count, 0, panel_count(product.n));
}

// As `weigh_values`, likewise.
inline void weigh_by_pairs(TileRows const& rows, PairedHead const& head, std::size_t origin, float* sums,
                           std::size_t sums_stride) noexcept {
  PairedLayout const layout{rows.head_size, head.keys};
  std::size_t const keys = rows.seen[0].end;
  PairRows words{rows.count, keys, head.words};
  round_rows(rows.scores, rows.stride, 0, rows.count, words);
  words.k = PairedLayout::padded_inputs(keys);
  PairProduct const product{.rows = words,
                            .n = (rows.head_size + simd::lanes - 1) / simd::lanes * simd::lanes,
                            .b = head.pairs + layout.values_of_tile(origin / key_tile),
                            .c = sums,
                            .c_stride = sums_stride,
                            .epilogue = nothing_follows,
                            .room = TargetRoom::of_whole_tiles};
  product.run(0, rows.count, 0, panel_count(product.n));
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels::detail

AXIFORM_END_KERNELS

#endif  // AXIFORM_DEFINES(kernels)
