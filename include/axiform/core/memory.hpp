/// @file
/// Memory of tensors: `MemoryPool` hands out blocks that a steady state reuses, `Buffer` owns one and gives it back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>

#include <axiform/core/config.hpp>
#endif

namespace axiform {

/// Every block begins at a multiple of this: a cache line, and the widest vector.
inline constexpr std::size_t memory_alignment = 64;

namespace detail {

// From this size on memory comes in huge pages, straight from the system: weights are streamed, and 4 KiB pages cost TLB misses. It comes
// zeroed, page by page when first touched, so that nothing is written twice.
inline constexpr std::size_t huge_page = std::size_t{2} << 20;
#if defined(__linux__)
inline constexpr std::size_t least_mapped = 2 * huge_page;
#else
inline constexpr std::size_t least_mapped = static_cast<std::size_t>(-1);
#endif

#if defined(__linux__)
inline std::size_t mapped_bytes(std::size_t bytes) noexcept { return (bytes + huge_page - 1) / huge_page * huge_page; }

inline void* map_zeroed(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(-1) - 2 * huge_page) throw std::bad_alloc();
  std::size_t const used = mapped_bytes(bytes);
  void* const mapped = ::mmap(nullptr, used + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  std::size_t const lead = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
  if (lead != 0) ::munmap(begin, lead);
  if (lead != huge_page) ::munmap(begin + lead + used, huge_page - lead);
  ::madvise(begin + lead, used, MADV_HUGEPAGE);
  return begin + lead;
}
#endif

inline void* heap_allocate(std::size_t bytes) {
#if defined(__linux__)
  if (bytes >= least_mapped) return map_zeroed(bytes);
#endif
  return ::operator new(bytes, std::align_val_t{memory_alignment});
}

inline void* heap_allocate_zeroed(std::size_t bytes) {
  void* const block = heap_allocate(bytes);
  if (bytes < least_mapped) std::memset(block, 0, bytes);
  return block;
}

inline void heap_free(void* block, std::size_t bytes) noexcept {
#if defined(__linux__)
  if (bytes >= least_mapped) {
    ::munmap(block, mapped_bytes(bytes));
    return;
  }
#endif
  ::operator delete(block, std::align_val_t{memory_alignment});
}

}  // namespace detail

/// Blocks for the activations of forward passes: freed in any order, reused first-fit.
///
/// The pool grows when a pass needs more than it has; what grew is joined into one slab when the next pass begins. From the
/// third pass of the same shapes on nothing is allocated. Blocks may be given back from any thread.
class MemoryPool {
 public:
  MemoryPool() = default;
  MemoryPool(MemoryPool const&) = delete;
  MemoryPool& operator=(MemoryPool const&) = delete;
  ~MemoryPool() { release_slabs(); }

  /// A block of at least `bytes` bytes, uninitialised, aligned to `memory_alignment`.
  /// @throws std::bad_alloc when the system has none.
  void* allocate(std::size_t bytes);

  /// Gives a block back that `allocate` of this pool handed out.
  void deallocate(void* pointer) noexcept;

  /// A forward pass begins: where nothing is in use, slabs that grew become one.
  void begin_pass();

  /// Bytes taken from the system.
  std::size_t capacity() const noexcept;
  /// How often the pool asked the system for memory. It stands still in a steady state.
  std::size_t growths() const noexcept;

 private:
  // Stands before every block. Blocks of a slab lie one after another; `next` and `previous` are null at its ends.
  struct alignas(memory_alignment) Header {
    std::size_t size;  // header included
    Header* next;
    Header* previous;
    bool free;
  };
  struct Slab {
    Header* first;
    std::size_t size;
  };

  static std::size_t block_size(std::size_t bytes);

  Header* first_fit(std::size_t needed) noexcept;

  Header* grow(std::size_t needed);

  void split(Header* block, std::size_t needed) noexcept;

  static void join_with_next(Header* block) noexcept;

  void release_slabs() noexcept;

  mutable std::mutex mutex_;
  std::vector<Slab> slabs_;
  std::size_t capacity_ = 0;
  std::size_t growths_ = 0;
  std::size_t live_blocks_ = 0;
};

namespace detail {

// Zeros of weights. From 64 KiB on they come from the system at once, which gives pages when they are first touched: those of a model just made, which
// are replaced when it is loaded, then take neither time nor memory (MiniLM: 43 MB).
#if defined(__linux__)
inline constexpr std::size_t least_weights_mapped = std::size_t{64} << 10;
#else
inline constexpr std::size_t least_weights_mapped = static_cast<std::size_t>(-1);
#endif

inline void* weights_allocate_zeroed(std::size_t bytes) {
#if defined(__linux__)
  if (bytes >= least_weights_mapped && bytes < least_mapped) {
    void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    return mapped;
  }
#endif
  return heap_allocate_zeroed(bytes);
}

inline void weights_free(void* block, std::size_t bytes) noexcept {
#if defined(__linux__)
  if (bytes >= least_weights_mapped && bytes < least_mapped) {
    ::munmap(block, bytes);
    return;
  }
#endif
  heap_free(block, bytes);
}

}  // namespace detail

/// Owns the memory of weights: zeroed elements from the heap. In a constant expression it has a length and no memory, so that what a model's type
/// knows, its parameters say, is counted from a model that is never there.
template <class Element>
class HeapArray {
 public:
  constexpr HeapArray() = default;
  /// `count` zeros. @throws std::bad_alloc when there is no memory for them.
  constexpr explicit HeapArray(std::size_t count) : count_(count) {
    if (count != 0 && !std::is_constant_evaluated())
      data_ = static_cast<Element*>(detail::weights_allocate_zeroed(count * sizeof(Element)));
  }
  /// Takes over; `other` is empty then.
  constexpr HeapArray(HeapArray&& other) noexcept : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  /// Exchanges the two.
  constexpr HeapArray& operator=(HeapArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  constexpr ~HeapArray() {
    if (data_ != nullptr) detail::weights_free(data_, count_ * sizeof(Element));
  }

  constexpr Element* data() const noexcept { return data_; }      ///< The first element; null when there is none.
  constexpr std::size_t size() const noexcept { return count_; }  ///< The number of elements.

 private:
  Element* data_ = nullptr;
  std::size_t count_ = 0;
};

/// Owns the memory of one tensor, from a pool or from the heap. A buffer keeps its pool alive, so nothing dangles.
class Buffer {
 public:
  Buffer() = default;
  /// Zeroed memory from the heap.
  explicit Buffer(std::size_t bytes) : data_(bytes ? detail::heap_allocate_zeroed(bytes) : nullptr), bytes_(bytes) {}
  /// Uninitialised memory from the heap: from the system's own, which keeps what it was given back. Fresh pages would be cleared first, which takes longer than
  /// adding two tensors.
  static Buffer uninitialised(std::size_t bytes) {
    Buffer buffer;
    buffer.data_ = bytes ? ::operator new (bytes, std::align_val_t{memory_alignment}) : nullptr;
    buffer.bytes_ = bytes;
    buffer.is_zeroed_ = false;
    return buffer;
  }
  /// Uninitialised memory from `pool`.
  Buffer(std::size_t bytes, std::shared_ptr<MemoryPool> pool) : bytes_(bytes), pool_(std::move(pool)) { data_ = pool_->allocate(bytes); }
  /// Takes over; `other` is empty then.
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        is_zeroed_(other.is_zeroed_),
        pool_(std::move(other.pool_)) {}
  /// Exchanges the two.
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(is_zeroed_, other.is_zeroed_);
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~Buffer() {
    if (!data_) return;
    if (pool_) {
      pool_->deallocate(data_);
    } else if (is_zeroed_) {
      detail::heap_free(data_, bytes_);
    } else {
      ::operator delete (data_, std::align_val_t{memory_alignment});
    }
  }

  void* data() const noexcept { return data_; }          ///< The memory; null when there is none.
  std::size_t bytes() const noexcept { return bytes_; }  ///< Its size as it was asked for.

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  bool is_zeroed_ = true;  // of memory from the heap: it came zeroed, by detail::heap_allocate_zeroed
  std::shared_ptr<MemoryPool> pool_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

AXIFORM_INLINE void* MemoryPool::allocate(std::size_t bytes) {
  std::lock_guard const lock(mutex_);
  std::size_t const needed = block_size(bytes);
  Header* block = first_fit(needed);
  if (!block) block = grow(needed);
  split(block, needed);
  block->free = false;
  ++live_blocks_;
  return block + 1;
}

AXIFORM_INLINE void MemoryPool::deallocate(void* pointer) noexcept {
  std::lock_guard const lock(mutex_);
  auto* block = static_cast<Header*>(pointer) - 1;
  block->free = true;
  --live_blocks_;
  join_with_next(block);
  if (block->previous && block->previous->free) join_with_next(block->previous);
}

AXIFORM_INLINE void MemoryPool::begin_pass() {
  std::lock_guard const lock(mutex_);
  if (slabs_.size() < 2 || live_blocks_ != 0) return;
  std::size_t const total = capacity_;
  release_slabs();
  grow(total);
}

AXIFORM_INLINE std::size_t MemoryPool::capacity() const noexcept {
  std::lock_guard const lock(mutex_);
  return capacity_;
}

AXIFORM_INLINE std::size_t MemoryPool::growths() const noexcept {
  std::lock_guard const lock(mutex_);
  return growths_;
}

AXIFORM_INLINE std::size_t MemoryPool::block_size(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(-1) / 2) throw std::bad_alloc();
  return sizeof(Header) + (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
}

AXIFORM_INLINE MemoryPool::Header* MemoryPool::first_fit(std::size_t needed) noexcept {
  for (Slab const& slab : slabs_)
    for (Header* block = slab.first; block; block = block->next)
      if (block->free && block->size >= needed) return block;
  return nullptr;
}

AXIFORM_INLINE MemoryPool::Header* MemoryPool::grow(std::size_t needed) {
  slabs_.reserve(slabs_.size() + 1);
  auto* block = new (detail::heap_allocate(needed)) Header{needed, nullptr, nullptr, true};
  slabs_.push_back({block, needed});
  capacity_ += needed;
  ++growths_;
  return block;
}

AXIFORM_INLINE void MemoryPool::split(Header* block, std::size_t needed) noexcept {
  if (block->size < needed + sizeof(Header) + memory_alignment) return;
  auto* rest = new (reinterpret_cast<std::byte*>(block) + needed) Header{block->size - needed, block->next, block, true};
  if (rest->next) rest->next->previous = rest;
  block->next = rest;
  block->size = needed;
}

AXIFORM_INLINE void MemoryPool::join_with_next(Header* block) noexcept {
  Header* const next = block->next;
  if (!next || !next->free) return;
  block->size += next->size;
  block->next = next->next;
  if (block->next) block->next->previous = block;
}

AXIFORM_INLINE void MemoryPool::release_slabs() noexcept {
  for (Slab const& slab : slabs_) detail::heap_free(slab.first, slab.size);
  slabs_.clear();
  capacity_ = 0;
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
