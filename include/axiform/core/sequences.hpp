/// @file
/// `SequenceOffsets`: where each sequence of a packed batch begins.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>

namespace axiform {

/// Where each sequence of a batch begins on the axis `A` of packed rows. There is no padding: sequence s is the rows
/// [offset(s), offset(s + 1)). (The `cu_seqlens` of variable-length attention.)
template <Axis A>
class SequenceOffsets {
 public:
  /// No sequence.
  SequenceOffsets() : offsets_{0} {}

  /// Sequences of the given lengths, one after another.
  static SequenceOffsets of_lengths(std::span<std::size_t const> lengths) {
    SequenceOffsets result;
    result.offsets_.reserve(lengths.size() + 1);
    for (std::size_t length : lengths) result.append(length);
    return result;
  }
  /// The same from a list.
  static SequenceOffsets of_lengths(std::initializer_list<std::size_t> lengths) {
    return of_lengths(std::span(lengths.begin(), lengths.size()));
  }
  /// One sequence of `length` rows.
  static SequenceOffsets single(std::size_t length) { return of_lengths({length}); }

  /// Adds a sequence at the end.
  /// @throws ShapeError when the rows in all are more than can be counted.
  void append(std::size_t length) {
    if (length > static_cast<std::size_t>(-1) - total())
      throw ShapeError("sequences: found a length of " + std::to_string(length) + " behind " + std::to_string(total()) + " rows");
    if (offsets_.empty()) offsets_.push_back(0);
    offsets_.push_back(offsets_.back() + length);
  }

  /// The number of sequences.
  std::size_t count() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  /// The number of rows of all sequences.
  std::size_t total() const noexcept { return offsets_.empty() ? 0 : offsets_.back(); }
  /// The first row of sequence `sequence`; `offset(count())` is the number of rows.
  /// @throws ArgumentError when there is no such sequence.
  std::size_t offset(std::size_t sequence) const {
    check_below(sequence, count() + 1);
    return data()[sequence];
  }
  /// The rows of sequence `sequence`.
  /// @throws ArgumentError when there is no such sequence.
  std::size_t length(std::size_t sequence) const {
    check_below(sequence, count());
    return offsets_[sequence + 1] - offsets_[sequence];
  }
  /// count() + 1 offsets.
  std::size_t const* data() const noexcept { return offsets_.empty() ? &no_rows : offsets_.data(); }

  /// The same offsets on another axis.
  template <Axis B>
  SequenceOffsets<B> relabel() const {
    SequenceOffsets<B> result;
    for (std::size_t i = 0; i < count(); ++i) result.append(length(i));
    return result;
  }

  /// @throws ShapeError when the sequences do not fill `rows` rows.
  void check_rows(std::size_t rows, char const* what) const {
    if (total() != rows)
      throw ShapeError(std::string(what) + ": the sequences hold " + std::to_string(total()) + " rows, the tensor " + std::to_string(rows));
  }

 private:
  void check_below(std::size_t sequence, std::size_t end) const {
    if (sequence >= end)
      throw ArgumentError("sequence " + std::to_string(sequence) + " of a batch of " + std::to_string(count()) + " sequences");
  }

  static constexpr std::size_t no_rows = 0;

  std::vector<std::size_t> offsets_;  // empty when moved from, which is no sequence too
};

}  // namespace axiform
