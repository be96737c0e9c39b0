/// @file
/// `WeightTable`: rows of weights that are looked up.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/ops/weight_buffer.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// `rows` rows of `columns` weights in one format, row by row. What is written and read are floats.
class WeightTable {
 public:
  /// Zeros, in f32. @throws ShapeError when its size exceeds the address space.
  constexpr WeightTable(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns), weights_(count_of(rows, columns)) {}

  constexpr std::size_t rows() const noexcept { return rows_; }          ///< How many there are.
  constexpr std::size_t columns() const noexcept { return columns_; }    ///< The length of a row.
  WeightFormat format() const noexcept { return weights_.format(); }     ///< What the weights are kept in.
  void set_format(WeightFormat format) { weights_.set_format(format); }  ///< See `WeightBuffer::set_format`.

  /// Writes `count` weights of row `row` from `column` on, and of the rows behind it, rounded to the format.
  void write(std::size_t row, std::size_t column, float const* values, std::size_t count) noexcept {
    weights_.write(row * columns_ + column, values, count);
  }
  /// Reads row `row` into `values`, [columns].
  void read_row(std::size_t row, float* values) const noexcept { weights_.read(row * columns_, 1, values, columns_); }
  /// Adds row `row` to `values`, [columns].
  void add_row(std::size_t row, float* values) const noexcept { weights_.add(row * columns_, 1, values, columns_); }

 private:
  static constexpr std::size_t count_of(std::size_t rows, std::size_t columns) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(rows * sizeof(float), columns, &bytes) || rows > static_cast<std::size_t>(-1) / sizeof(float))
      throw ShapeError("a tensor of shape [" + std::to_string(rows) + ", " + std::to_string(columns) + "] is too large");
    return rows * columns;
  }

  std::size_t rows_;
  std::size_t columns_;
  WeightBuffer weights_;
};

}  // namespace axiform::inline AXIFORM_ARCH
