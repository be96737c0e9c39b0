/// @file
/// `WeightBuffer`: the memory of weights in one format, written and read as floats where each has a place of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <type_traits>
#include <utility>

#include <axiform/core/memory.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/weights.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A number of weights in one format. Writing distinct ones from several threads is safe. What the bytes of weights in blocks mean is known to who arranges
/// them: of those it is the memory alone. The memory may be somebody else's, a mapped file's; the first write makes a copy.
class WeightBuffer {
 public:
  /// `count` zeros. @throws std::bad_alloc when there is no memory for them.
  constexpr explicit WeightBuffer(std::size_t count, WeightFormat format = WeightFormat::f32)
      : count_(count), format_(format), buffer_(bytes_of(format, count)) {}

  /// Takes over; `other` has no weights then.
  constexpr WeightBuffer(WeightBuffer&& other) noexcept
      : count_(std::exchange(other.count_, 0)),
        format_(other.format_),
        buffer_(std::move(other.buffer_)),
        shared_(std::exchange(other.shared_, nullptr)) {
    if (std::is_constant_evaluated()) return;
    is_written_ = other.is_written_.load(std::memory_order_relaxed);
    is_shared_ = other.is_shared_.exchange(false);
  }
  /// Exchanges the two.
  WeightBuffer& operator=(WeightBuffer&& other) noexcept {
    std::swap(count_, other.count_);
    std::swap(format_, other.format_);
    is_written_ = other.is_written_.exchange(is_written_);
    is_shared_ = other.is_shared_.exchange(is_shared_);
    std::swap(buffer_, other.buffer_);
    std::swap(shared_, other.shared_);
    return *this;
  }
  constexpr ~WeightBuffer() {
    if (shared_ != nullptr) delete shared_;
  }

  WeightFormat format() const noexcept { return format_; }  ///< What the weights are kept in.
  /// The first weight.
  void const* data() const noexcept { return is_shared() ? shared_->bytes.data() : buffer_.data(); }
  /// Whether they lie in memory of somebody else.
  bool is_shared() const noexcept { return is_shared_.load(std::memory_order_acquire); }

  /// Lets the weights be `bytes`, which stay where they are and as they are for as long as `owner` does.
  /// @pre As many bytes as the weights have in their format.
  void share(std::span<std::byte const> bytes, std::shared_ptr<void const> owner) {
    auto shared = std::make_unique<Shared>(Shared{bytes, std::move(owner)});
    delete shared_;
    shared_ = shared.release();
    buffer_ = HeapArray<std::byte>();
    is_shared_ = is_written_ = true;
  }
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
  /// @throws std::bad_alloc when they lie in memory of somebody else, and there is none for a copy.
  void* write_at(std::size_t first) {
    // Read first: a flag that every thread stores would wander from core to core.
    if (!is_written()) is_written_.store(true, std::memory_order_relaxed);
    if (is_shared()) copy_shared();
    return buffer_.data() + bytes_of(format_, first);
  }
  /// Writes `count` weights from `first` on, rounded to the format.
  void write(std::size_t first, float const* values, std::size_t count) { kernels::write_weights(format_, values, write_at(first), count); }
  /// Reads `count` weights from `first` on, `stride` weights apart.
  void read(std::size_t first, std::size_t stride, float* values, std::size_t count) const noexcept {
    kernels::read_weights(format_, at(first), stride, values, count);
  }
  /// Adds `count` weights from `first` on, `stride` weights apart, to `values`.
  void add(std::size_t first, std::size_t stride, float* values, std::size_t count) const noexcept {
    kernels::add_weights(format_, at(first), stride, values, count);
  }

 private:
  struct Shared {
    std::span<std::byte const> bytes;
    std::shared_ptr<void const> owner;
  };

  void const* at(std::size_t first) const noexcept { return static_cast<std::byte const*>(data()) + bytes_of(format_, first); }
  // Several threads may write at once: the first makes the copy.
  void copy_shared() {
    static std::mutex mutex;
    std::lock_guard const lock(mutex);
    if (!is_shared()) return;
    HeapArray<std::byte> own(shared_->bytes.size());
    std::ranges::copy(shared_->bytes, own.data());
    buffer_ = std::move(own);
    is_shared_.store(false, std::memory_order_release);
  }

  std::size_t count_;
  WeightFormat format_;
  std::atomic<bool> is_written_ = false;
  std::atomic<bool> is_shared_ = false;
  HeapArray<std::byte> buffer_;
  Shared* shared_ = nullptr;  // Owned; a pointer of the standard library would be no member of a constant.
};

}  // namespace axiform::inline AXIFORM_ARCH
