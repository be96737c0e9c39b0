// Counts what a test program allocates from the heap: replaces `operator new` for the whole program, so one file of it may include this.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace axiform::test {

inline std::atomic<std::size_t> allocations = 0;

inline void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  if (void* const block = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)) return block;
  throw std::bad_alloc();
}

}  // namespace axiform::test

// Not inlined: where GCC sees `free` in the place of `delete`, but `new` by its name, it warns that the two do not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) { return axiform::test::counted(bytes, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return axiform::test::counted(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
