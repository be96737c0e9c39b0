/// @file
/// `WeightTable`: rows of weights that are looked up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/ops/weight_buffer.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// `rows` rows of `columns` weights in one format, row by row; in blocks, as core/weight_blocks.hpp has them. What is written and read are floats, or blocks
/// as they are.
class WeightTable {
 public:
  /// Zeros, in f32. @throws ShapeError when its size exceeds the address space.
  constexpr WeightTable(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns), weights_(count_of(rows, columns)) {}

  constexpr std::size_t rows() const noexcept { return rows_; }        ///< How many there are.
  constexpr std::size_t columns() const noexcept { return columns_; }  ///< The length of a row.
  WeightFormat format() const noexcept { return weights_.format(); }   ///< What the weights are kept in.
  /// As `PackedMatrix::set_format`.
  void set_format(WeightFormat format) {
    format = format_of_rows(format, columns_);
    if (format == this->format()) return;
    if (!weights_.is_written() || !(is_in_blocks(format) || is_in_blocks(this->format()))) return weights_.set_format(format);
    WeightBuffer converted(rows_ * columns_, format);
    std::swap(weights_, converted);  // `converted` has what was there
    std::vector<float> values(columns_);
    for (std::size_t row = 0; row < rows_; ++row) {
      read_row_of(converted, row, values.data());
      write(row, 0, values.data(), columns_);
    }
  }

  /// Writes `count` weights of row `row` from `column` on, and of the rows behind it, rounded to the format.
  /// @throws ArgumentError when the format is one of blocks, and `column` or `count` no multiple of `weights_of_block(format())`.
  void write(std::size_t row, std::size_t column, float const* values, std::size_t count) {
    std::size_t const first = row * columns_ + column;
    if (!is_in_blocks(format())) return weights_.write(first, values, count);
    check_whole_blocks(format(), column, count);
    axiform::write_blocks(format(), values, count, static_cast<std::byte*>(weights_.write_at(first)));
  }
  /// Writes rows from `first` on as the blocks that they are. @pre The format is one of blocks.
  void write_blocks(std::size_t first, std::span<std::byte const> blocks) {
    std::copy(blocks.begin(), blocks.end(), static_cast<std::byte*>(weights_.write_at(first * columns_)));
  }
  /// Reads row `row` as the blocks that it is. @param blocks `bytes_of(format(), columns())` bytes. @pre The format is one of blocks.
  void read_blocks_of(std::size_t row, std::byte* blocks) const noexcept {
    std::copy_n(blocks_of(weights_, row * columns_), bytes_of(format(), columns_), blocks);
  }
  /// As `PackedMatrix::share`.
  void share(std::span<std::byte const> bytes, std::shared_ptr<void const> owner) {
    std::size_t const expected = bytes_of(format(), rows_ * columns_);
    if (!is_in_blocks(format()) || bytes.size() != expected)
      throw ArgumentError("a shared table: found " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(expected));
    weights_.share(bytes, std::move(owner));
  }
  /// Whether the weights are in memory of somebody else.
  bool is_shared() const noexcept { return weights_.is_shared(); }
  /// Reads row `row` into `values`, [columns].
  void read_row(std::size_t row, float* values) const noexcept { read_row_of(weights_, row, values); }
  /// Adds row `row` to `values`, [columns].
  void add_row(std::size_t row, float* values) const noexcept {
    if (!is_in_blocks(format())) return weights_.add(row * columns_, 1, values, columns_);
    std::size_t const weights = weights_of_block(format());
    float block[most_weights_of_block];
    for (std::size_t column = 0; column < columns_; column += weights) {
      read_blocks(format(), blocks_of(weights_, row * columns_ + column), weights, block);
      for (std::size_t i = 0; i < weights; ++i) values[column + i] += block[i];
    }
  }

 private:
  static constexpr std::size_t count_of(std::size_t rows, std::size_t columns) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(rows * sizeof(float), columns, &bytes) || rows > static_cast<std::size_t>(-1) / sizeof(float))
      throw ShapeError("a tensor of shape [" + std::to_string(rows) + ", " + std::to_string(columns) + "] is too large");
    return rows * columns;
  }

  static std::byte const* blocks_of(WeightBuffer const& weights, std::size_t first) noexcept {
    return static_cast<std::byte const*>(weights.data()) + bytes_of(weights.format(), first);
  }
  void read_row_of(WeightBuffer const& weights, std::size_t row, float* values) const noexcept {
    if (!is_in_blocks(weights.format())) return weights.read(row * columns_, 1, values, columns_);
    read_blocks(weights.format(), blocks_of(weights, row * columns_), columns_, values);
  }

  std::size_t rows_;
  std::size_t columns_;
  WeightBuffer weights_;
};

}  // namespace axiform::inline AXIFORM_ARCH
