/// @file
/// The layout in which attention reads keys and values, in a key-value cache and in scratch memory alike, and what writes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <axiform/core/cache_format.hpp>
#include <axiform/core/config.hpp>
#include <axiform/kernels/cache_numbers.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/simd/arch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Where the keys and values of one sequence and one layer lie in one stretch of memory, best at a multiple of 64 bytes, which is counted in floats.
///
/// Each head's keys are the packed form of the matrix Kᵀ, [head_size, keys]: `[capacity / panel_width][head_size][panel_width]`, tokens along
/// the lanes, so that scores need no horizontal sum. Its values are panels of the matrix V, [keys, head_size]:
/// `[value_panels][capacity][value_width]`. Attention over either is the packed product of gemm.hpp. In the format int8 the scales of a head's keys
/// lie behind its keys, those of its values behind its values: `[capacity]` floats.
struct KeyValueLayout {
  std::size_t heads = 0;                  ///< Heads that lie there.
  std::size_t head_size = 0;              ///< Columns of one head.
  std::size_t capacity = 0;               ///< Keys that fit, a multiple of `panel_width`.
  CacheFormat format = CacheFormat::f32;  ///< What the numbers are.

  /// The layout that holds at least `keys` keys.
  static constexpr KeyValueLayout for_keys(std::size_t heads, std::size_t head_size, std::size_t keys,
                                           CacheFormat format = CacheFormat::f32) noexcept {
    return {heads, head_size, panel_count(keys) * panel_width, format};
  }

  /// Columns of a panel of values: `panel_width`, or less when a head is narrower.
  constexpr std::size_t value_width() const noexcept {
    return std::min(panel_width, round_up(std::max<std::size_t>(head_size, 1), simd::lanes));
  }
  /// Panels of one head's values.
  constexpr std::size_t value_panels() const noexcept { return round_up(head_size, value_width()) / value_width(); }
  /// Floats of memory that one head's keys take.
  constexpr std::size_t key_floats() const noexcept { return floats_of(capacity * head_size) + scales(); }
  /// Floats of memory that one head's values take.
  constexpr std::size_t value_floats() const noexcept { return floats_of(value_panels() * capacity * value_width()) + scales(); }
  /// Floats of memory in all.
  constexpr std::size_t floats() const noexcept { return heads * (key_floats() + value_floats()); }

  /// Where a head's keys and values begin.
  constexpr std::size_t keys_of(std::size_t head) const noexcept { return head * key_floats(); }
  /// Where a head's values begin.
  constexpr std::size_t values_of(std::size_t head) const noexcept { return heads * key_floats() + head * value_floats(); }
  /// Where the scales of a head's keys begin, in the format int8.
  constexpr std::size_t key_scales_of(std::size_t head) const noexcept { return keys_of(head) + floats_of(capacity * head_size); }
  /// Where the scales of a head's values begin, in the format int8.
  constexpr std::size_t value_scales_of(std::size_t head) const noexcept {
    return values_of(head) + floats_of(value_panels() * capacity * value_width());
  }

 private:
  // The capacity is a multiple of eight, so that numbers of a byte fill whole floats.
  constexpr std::size_t floats_of(std::size_t numbers) const noexcept { return numbers * bytes_of_number(format) / sizeof(float); }
  constexpr std::size_t scales() const noexcept { return format == CacheFormat::int8 ? capacity : 0; }
  static constexpr std::size_t round_up(std::size_t count, std::size_t unit) noexcept { return (count + unit - 1) / unit * unit; }
};

/// Rows of keys and values as the fused projection leaves them: `key` and `value` are [rows, heads * head_size], strides in floats.
struct KeyValueRows {
  float const* key = nullptr;    ///< The first row of keys.
  std::size_t key_stride = 0;    ///< From one key to the next.
  float const* value = nullptr;  ///< The first row of values.
  std::size_t value_stride = 0;  ///< From one value to the next.
};

namespace detail {

// `transpose` of rows that begin at a vector of the target: the last vector is written whole, with the last row in the lanes that no row has.
inline void transpose_vectors(std::size_t rows, std::size_t columns, float const* source, std::size_t source_stride, float* target,
                              std::size_t target_stride) noexcept {
  constexpr std::size_t size = TransposeBatch::size;
  std::size_t const whole = rows / size * size, padded = (rows + simd::lanes - 1) / simd::lanes * simd::lanes;
  transpose(whole, columns, source, source_stride, target, target_stride);
  for (std::size_t i = whole; i < padded; i += size) {
    float const* row[size];
    for (std::size_t l = 0; l < size; ++l) row[l] = source + std::min(i + l, rows - 1) * source_stride;
    std::size_t j = 0;
    for (; j + size <= columns; j += size) {
      TransposeBatch block[size];
#pragma GCC unroll 8
      for (std::size_t l = 0; l < size; ++l) block[l] = TransposeBatch::load_unaligned(row[l] + j);
      xsimd::transpose(block, block + size);
#pragma GCC unroll 8
      for (std::size_t l = 0; l < size; ++l) block[l].store_unaligned(target + (j + l) * target_stride + i);
    }
    for (; j < columns; ++j)
      for (std::size_t l = 0; l < size; ++l) target[j * target_stride + i + l] = row[l][j];
  }
}

}  // namespace detail

/// Writes `count` keys of one head at positions [position, position + count) of its panels. Positions must be written in order, from 0 on: the
/// other lanes of a vector that begins get one of these keys too, since they are multiplied, though what comes out is never used.
inline void append_keys(KeyValueLayout const& layout, float* keys, std::size_t position, std::size_t count, float const* key,
                        std::size_t key_stride) noexcept {
  std::size_t const size = layout.head_size;
  for (std::size_t i = 0; i < count;) {
    std::size_t const lane = (position + i) % panel_width;
    float* const panel = keys + (position + i - lane) * size;
    std::size_t group = std::min(panel_width - lane, count - i);
    if (lane % simd::lanes == 0) {
      detail::transpose_vectors(group, size, key + i * key_stride, key_stride, panel + lane, panel_width);
    } else {
      group = std::min(group, simd::lanes - lane % simd::lanes);
      transpose(group, size, key + i * key_stride, key_stride, panel + lane, panel_width);
    }
    i += group;
  }
}

/// Writes `count` values of one head at positions [position, position + count) of its panels.
inline void append_values(KeyValueLayout const& layout, float* values, std::size_t position, std::size_t count, float const* value,
                          std::size_t value_stride) noexcept {
  std::size_t const width = layout.value_width();
  for (std::size_t panel = 0; panel < layout.value_panels(); ++panel) {
    std::size_t const column = panel * width;
    std::size_t const columns = std::min(width, layout.head_size - column);
    float* target = values + (panel * layout.capacity + position) * width;
    for (std::size_t i = 0; i < count; ++i, target += width) {
      std::copy_n(value + i * value_stride + column, columns, target);
      std::fill_n(target + columns, width - columns, 0.0f);
    }
  }
}

namespace detail {

// The same for keys in another format than f32, number by number.
inline void append_narrow_keys(KeyValueLayout const& layout, float* data, std::size_t head, std::size_t position, std::size_t count,
                               float const* key, std::size_t key_stride) noexcept {
  for (std::size_t i = position; i < position + count; ++i, key += key_stride) {
    std::size_t const first = (i - i % panel_width) * layout.head_size + i % panel_width;
    ByteScale const bytes = scale_of_row(layout.format, key, layout.head_size);
    write_narrow(layout.format, bytes, key, layout.head_size, data + layout.keys_of(head), first, panel_width);
    if (layout.format == CacheFormat::int8) data[layout.key_scales_of(head) + i] = bytes.scale;
  }
}
inline void append_narrow_values(KeyValueLayout const& layout, float* data, std::size_t head, std::size_t position, std::size_t count,
                                 float const* value, std::size_t value_stride) noexcept {
  std::size_t const width = layout.value_width();
  for (std::size_t i = position; i < position + count; ++i, value += value_stride) {
    ByteScale const bytes = scale_of_row(layout.format, value, layout.head_size);
    for (std::size_t panel = 0; panel < layout.value_panels(); ++panel) {
      std::size_t const column = panel * width, columns = std::min(width, layout.head_size - column);
      std::size_t const place = (panel * layout.capacity + i) * width, number = bytes_of_number(layout.format);
      float* const values = data + layout.values_of(head);
      write_narrow(layout.format, bytes, value + column, columns, values, place, 1);
      std::memset(reinterpret_cast<std::byte*>(values) + (place + columns) * number, 0, (width - columns) * number);
    }
    if (layout.format == CacheFormat::int8) data[layout.value_scales_of(head) + i] = bytes.scale;
  }
}

}  // namespace detail

/// Writes `count` rows as the keys and values at positions [position, position + count), for heads [first_head, last_head) of the layout:
/// head h of the layout takes columns [h * head_size, (h + 1) * head_size). Positions must be written in order, from 0 on.
/// @pre position + count <= layout.capacity.
inline void append_keys_values(KeyValueLayout const& layout, float* data, std::size_t position, std::size_t count, KeyValueRows const& rows,
                               std::size_t first_head, std::size_t last_head) noexcept {
  for (std::size_t head = first_head; head < last_head; ++head) {
    float const* const key = rows.key + head * layout.head_size;
    float const* const value = rows.value + head * layout.head_size;
    if (layout.format == CacheFormat::f32) {
      append_keys(layout, data + layout.keys_of(head), position, count, key, rows.key_stride);
      append_values(layout, data + layout.values_of(head), position, count, value, rows.value_stride);
    } else {
      detail::append_narrow_keys(layout, data, head, position, count, key, rows.key_stride);
      detail::append_narrow_values(layout, data, head, position, count, value, rows.value_stride);
    }
  }
}

/// Copies the keys and values at positions [first, end) of every head to another layout: to another sequence, or to a cache of another capacity.
/// Whole panels of keys are copied, the one that holds `first` from its begin.
/// @pre Both layouts have the same heads, head size and format, and hold `end` keys; `target` does not overlap `source`.
inline void copy_keys_values(KeyValueLayout const& from, float const* source, KeyValueLayout const& to, float* target, std::size_t first,
                             std::size_t end) noexcept {
  if (first >= end) return;
  std::size_t const width = from.value_width(), bytes = bytes_of_number(from.format);
  std::size_t const panel = first / panel_width * panel_width, last_panel = panel_count(end) * panel_width;
  // Numbers [begin, begin + count), counted from one place of either.
  auto const copy = [&](std::size_t from_place, std::size_t from_begin, std::size_t to_place, std::size_t to_begin, std::size_t count) {
    std::memcpy(reinterpret_cast<std::byte*>(target + to_place) + to_begin * bytes,
                reinterpret_cast<std::byte const*>(source + from_place) + from_begin * bytes, count * bytes);
  };
  for (std::size_t head = 0; head < from.heads; ++head) {
    copy(from.keys_of(head), panel * from.head_size, to.keys_of(head), panel * to.head_size, (last_panel - panel) * from.head_size);
    for (std::size_t p = 0; p < from.value_panels(); ++p)
      copy(from.values_of(head), (p * from.capacity + first) * width, to.values_of(head), (p * to.capacity + first) * width,
           (end - first) * width);
    if (from.format != CacheFormat::int8) continue;
    std::copy_n(source + from.key_scales_of(head) + first, end - first, target + to.key_scales_of(head) + first);
    std::copy_n(source + from.value_scales_of(head) + first, end - first, target + to.value_scales_of(head) + first);
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
