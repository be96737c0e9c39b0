/// @file
/// `KeyValueCache`: the keys and values of tokens that a decoder has seen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/cache_format.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/ops/attention.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The widths of a cache: `Stack::cache_widths` has those of its blocks.
struct CacheWidths {
  std::size_t layers;     ///< Decoder layers.
  std::size_t heads;      ///< Heads of keys and values of each.
  std::size_t head_size;  ///< Columns of one head.
  CacheFormat format = CacheFormat::f32;  ///< What they are kept in.
};

/// Keys and values of every layer, in floats or narrower, for a fixed number of sequences, each of its own length. It belongs to the caller, who may keep it from
/// turn to turn, copy a sequence's past to another (`fork`) or go back (`truncate`).
class KeyValueCache {
 public:
  /// An empty cache.
  /// @param sequences Sequences that it holds.
  /// @param capacity  Tokens that each may have.
  /// @throws ShapeError when its size exceeds the address space.
  KeyValueCache(CacheWidths const& widths, std::size_t sequences, std::size_t capacity)
      : layers_(widths.layers),
        capacity_(capacity),
        layout_(kernels::KeyValueLayout::for_keys(widths.heads, widths.head_size, capacity, widths.format)),
        lengths_(sequences, 0),
        buffer_(bytes_of(widths, layout_, sequences)) {}

  std::size_t sequences() const noexcept { return lengths_.size(); }  ///< Sequences that it holds.
  std::size_t capacity() const noexcept { return capacity_; }         ///< Tokens that each may have.
  std::size_t bytes() const noexcept { return buffer_.bytes(); }      ///< Memory that it takes, all of it from the start.
  CacheFormat format() const noexcept { return layout_.format; }      ///< What keys and values are kept in.
  /// Tokens that each sequence has.
  std::span<std::size_t const> lengths() const& noexcept { return lengths_; }
  void lengths() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// Gives sequence `to` the past of sequence `from`.
  /// @param common Tokens at the beginning that are the same in both, and are not copied: beams mostly share their past.
  /// @throws ArgumentError when there is no such sequence, or one has fewer tokens than are common.
  void fork(std::size_t from, std::size_t to, std::size_t common = 0) {
    check_sequence(from);
    check_sequence(to);
    if (common > std::min(lengths_[from], lengths_[to]))
      throw ArgumentError("cache: found " + std::to_string(common) + " common tokens of sequences that have " +
                          std::to_string(lengths_[from]) + " and " + std::to_string(lengths_[to]));
    if (from == to) return;
    copy_tokens(*this, from, to, common);
  }

  /// Gives sequence `to` the past of sequence `from` of another cache.
  /// @throws ArgumentError when there is no such sequence, or its past does not fit; ShapeError when the caches have other widths or formats.
  void copy(KeyValueCache const& other, std::size_t from, std::size_t to) {
    other.check_sequence(from);
    check_sequence(to);
    if (other.layers_ != layers_ || other.layout_.heads != layout_.heads || other.layout_.head_size != layout_.head_size ||
        other.format() != format())
      throw ShapeError("cache: found one of " + other.widths() + ", expected " + widths());
    if (other.lengths_[from] > capacity_)
      throw ArgumentError("cache: found " + std::to_string(other.lengths_[from]) + " tokens, expected at most " +
                          std::to_string(capacity_));
    if (&other == this && from == to) return;
    copy_tokens(other, from, to, 0);
  }

  /// Forgets what came behind the first `length` tokens of a sequence.
  /// @throws ArgumentError when there is no such sequence, or it is shorter.
  void truncate(std::size_t sequence, std::size_t length) {
    check_sequence(sequence);
    if (length > lengths_[sequence])
      throw ArgumentError("cache: found a length of " + std::to_string(length) + " for sequence " + std::to_string(sequence) +
                          ", which has " + std::to_string(lengths_[sequence]) + " tokens");
    lengths_[sequence] = length;
  }

  /// @throws ArgumentError when the new tokens do not fit the cache, or the model's positions.
  void check_room(SequenceOffsets<axes::Tokens> const& added, std::size_t positions) const {
    if (added.count() > sequences())
      throw ArgumentError("cache: found " + std::to_string(added.count()) + " sequences, expected at most " + std::to_string(sequences()));
    for (std::size_t s = 0; s < added.count(); ++s) {
      std::size_t const length = lengths_[s] + added.length(s);
      if (length > std::min(capacity_, positions))
        throw ArgumentError("cache: found " + std::to_string(length) + " tokens of sequence " + std::to_string(s) + ", expected at most " +
                            std::to_string(std::min(capacity_, positions)));
    }
  }

  /// One layer, for attention.
  /// @throws ArgumentError when there is no such layer: the cache was made for a model of fewer.
  CacheLayer layer(std::size_t index) {
    if (index >= layers_)
      throw ArgumentError("cache: found layer " + std::to_string(index) + ", expected one of the cache's " + std::to_string(layers_));
    return {layout_, data() + index * sequences() * layout_.floats(), layout_.floats(), lengths_};
  }
  /// The new tokens have passed all layers: they are now part of the past.
  template <Axis Rows>
  void advance(SequenceOffsets<Rows> const& added) {
    for (std::size_t s = 0; s < added.count(); ++s) lengths_[s] += added.length(s);
  }

 private:
  static std::size_t bytes_of(CacheWidths const& widths, kernels::KeyValueLayout const& layout, std::size_t sequences) {
    std::size_t bytes = sizeof(float);  // of the widest format, and in int8 of a number and its part of a scale
    std::size_t const columns = std::max(widths.head_size, layout.value_panels() * layout.value_width()) + 1;
    for (std::size_t factor : {layout.capacity, columns, 2 * widths.heads, widths.layers, sequences})
      if (__builtin_mul_overflow(bytes, factor, &bytes))
        throw ShapeError("cache: " + std::to_string(sequences) + " sequences of " + std::to_string(layout.capacity) +
                         " tokens are too many");
    return layout.floats() * widths.layers * sequences * sizeof(float);
  }
  // Keys and values of a sequence of `other`, from its token `first` on.
  void copy_tokens(KeyValueCache const& other, std::size_t from, std::size_t to, std::size_t first) {
    std::size_t const end = other.lengths_[from];
    for (std::size_t l = 0; l < layers_; ++l)
      kernels::copy_keys_values(other.layout_, other.data() + (l * other.sequences() + from) * other.layout_.floats(), layout_,
                                data() + (l * sequences() + to) * layout_.floats(), first, end);
    lengths_[to] = end;
  }
  float* data() const noexcept { return static_cast<float*>(buffer_.data()); }
  std::string widths() const {
    return std::to_string(layers_) + " layers of " + std::to_string(layout_.heads) + " heads of " + std::to_string(layout_.head_size) +
           " in " + std::string(name_of(format()));
  }
  void check_sequence(std::size_t sequence) const {
    if (sequence >= sequences())
      throw ArgumentError("cache: found sequence " + std::to_string(sequence) + ", expected 0 to " + std::to_string(sequences() - 1));
  }

  std::size_t layers_;
  std::size_t capacity_;
  kernels::KeyValueLayout layout_;
  std::vector<std::size_t> lengths_;
  Buffer buffer_;
};

}  // namespace axiform::inline AXIFORM_ARCH
