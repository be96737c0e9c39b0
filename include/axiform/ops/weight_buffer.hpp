/// @file
/// `WeightBuffer`: the memory of weights in one format, written and read as floats where each has a place of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <axiform/core/memory.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/weights.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A number of weights in one format. Writing distinct ones from several threads is safe. What the bytes of weights in blocks mean is known to who arranges
/// them: of those it is the memory alone.
class WeightBuffer {
 public:
  /// `count` zeros. @throws std::bad_alloc when there is no memory for them.
  constexpr explicit WeightBuffer(std::size_t count, WeightFormat format = WeightFormat::f32)
      : count_(count), format_(format), buffer_(bytes_of(format, count)) {}

  /// Takes over; `other` has no weights then.
  constexpr WeightBuffer(WeightBuffer&& other) noexcept
      : count_(std::exchange(other.count_, 0)), format_(other.format_), buffer_(std::move(other.buffer_)) {
    if (!std::is_constant_evaluated()) is_written_ = other.is_written_.load(std::memory_order_relaxed);
  }
  /// Exchanges the two.
  WeightBuffer& operator=(WeightBuffer&& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(format_, other.format_);
    is_written_ = other.is_written_.exchange(is_written_);
    std::swap(buffer_, other.buffer_);
    return *this;
  }

  WeightFormat format() const noexcept { return format_; }      ///< What the weights are kept in.
  void const* data() const noexcept { return buffer_.data(); }  ///< The first weight.
  /// Whether anything was ever written: all are zeros otherwise.
  bool is_written() const noexcept { return is_written_.load(std::memory_order_relaxed); }

  /// Keeps the weights in another format, rounded to it. Where nothing was written yet the zeros are given back untouched: memory of a large model
  /// is taken from the system when it is loaded, in the format that it then has.
  /// @pre Neither format is one of blocks, or nothing was written.
  void set_format(WeightFormat format) {
    if (format == format_) return;
    WeightBuffer converted(count_, format);
    constexpr std::size_t most = 1024;
    float values[most];
    std::size_t const written = is_written() ? count_ : 0;
    for (std::size_t first = 0; first < written; first += most) {
      std::size_t const count = std::min(most, written - first);
      read(first, 1, values, count);
      converted.write(first, values, count);
    }
    *this = std::move(converted);
  }

  /// Where to write weight `first` and those behind it, in the format; of weights in blocks, the bytes of as many before it are passed over.
  void* write_at(std::size_t first) noexcept {
    // Read first: a flag that every thread stores would wander from core to core.
    if (!is_written()) is_written_.store(true, std::memory_order_relaxed);
    return buffer_.data() + bytes_of(format_, first);
  }
  /// Writes `count` weights from `first` on, rounded to the format.
  void write(std::size_t first, float const* values, std::size_t count) noexcept {
    kernels::write_weights(format_, values, write_at(first), count);
  }
  /// Reads `count` weights from `first` on, `stride` weights apart.
  void read(std::size_t first, std::size_t stride, float* values, std::size_t count) const noexcept {
    kernels::read_weights(format_, at(first), stride, values, count);
  }
  /// Adds `count` weights from `first` on, `stride` weights apart, to `values`.
  void add(std::size_t first, std::size_t stride, float* values, std::size_t count) const noexcept {
    kernels::add_weights(format_, at(first), stride, values, count);
  }

 private:
  void const* at(std::size_t first) const noexcept { return buffer_.data() + bytes_of(format_, first); }

  std::size_t count_;
  WeightFormat format_;
  std::atomic<bool> is_written_ = false;
  HeapArray<std::byte> buffer_;
};

}  // namespace axiform::inline AXIFORM_ARCH
