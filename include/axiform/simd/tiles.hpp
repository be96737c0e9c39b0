/// @file
/// AMX: eight registers of 16 rows by 64 bytes, and products of them that a unit of its own does beside the vectors'.
///
///     TileScope const scope(rows, simd::tile_words);  // A's rows, and the words of four bytes that both have along the sum
///     zero_tile<0>();
///     load_tile<4>(a, a_stride);  // [rows][64 bytes]
///     load_tile<6>(b, b_stride);  // [words][16 columns][4 bytes]
///     add_products_of_pairs<0, 4, 6>();
///     store_tile<0>(c, c_stride); // [rows][16]
///
/// Tiles 0 to 3 are sums, 4 and 5 rows of the left operand, 6 and 7 of the right one.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/simd/arch.hpp>

#if defined(AXIFORM_HAS_AMX) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::simd {

inline constexpr std::size_t tile_height = 16;  ///< Rows of a tile, and columns of one of sums.
inline constexpr std::size_t tile_words = 16;   ///< Words of four bytes in a tile's row.

/// Whether the kernel lets this process use tiles: Linux wants to be asked, once, for the room that they take in a thread's saved state.
inline bool may_use_tiles() noexcept {
#if defined(AXIFORM_HAS_AMX) && defined(__linux__)
  constexpr long request_permission = 0x1023,
                 tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA of asm/prctl.h, which old headers lack
  static bool const permitted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return permitted;
#else
  return false;
#endif
}

/// Numbers below the normal ones are zeros of their sign, taken and given, from here to the end of the scope, on this thread: as tiles have it.
class FlushScope {
 public:
#if defined(__x86_64__)
  FlushScope() noexcept : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_to_zero | denormals_are_zeros); }
  ~FlushScope() { _mm_setcsr(before_); }
  FlushScope(FlushScope const&) = delete;
  FlushScope& operator=(FlushScope const&) = delete;

 private:
  static constexpr unsigned flush_to_zero = 0x8000, denormals_are_zeros = 0x40;
  unsigned before_;
#endif
};

#if defined(AXIFORM_HAS_AMX)

/// Tiles of one shape, from here to the end of the scope, on this thread. Behind it they are as if never used, so that a thread's saved state is small again
/// and another library's shapes are not taken for its own.
/// @pre `may_use_tiles()`; there is no other scope in the thread.
class TileScope {
 public:
  /// @param rows  Of the left operand and of the sums, 1 to `tile_height`.
  /// @param words Of the left operand's rows, and rows of the right one, 1 to `tile_words`.
  TileScope(std::size_t rows, std::size_t words) noexcept {
    struct alignas(64) Configuration {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } configuration;
    static_assert(sizeof(Configuration) == 64);
    auto const set = [&](std::size_t first, std::size_t last, std::size_t height, std::size_t width) {
      for (std::size_t tile = first; tile <= last; ++tile) {
        configuration.rows[tile] = static_cast<std::uint8_t>(height);
        configuration.row_bytes[tile] = static_cast<std::uint16_t>(4 * width);
      }
    };
    set(0, 3, rows, tile_height);
    set(4, 5, rows, words);
    set(6, 7, words, tile_height);
    asm volatile("ldtilecfg %0" : : "m"(configuration));
  }
  TileScope(TileScope const&) = delete;
  TileScope& operator=(TileScope const&) = delete;
  ~TileScope() { asm volatile("tilerelease"); }
};

// In assembler, since the intrinsics of GCC 12 do not say that a tile's load reads memory: stores before it may come behind it then.

/// Zeros.
template <int Tile>
[[gnu::always_inline]] inline void zero_tile() noexcept {
  asm volatile("tilezero %%tmm%c0" : : "i"(Tile));
}

/// The tile's rows, from `source` on, `stride` bytes apart.
template <int Tile>
[[gnu::always_inline]] inline void load_tile(void const* source, std::size_t stride) noexcept {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(Tile), "r"(source), "r"(stride) : "memory");
}

/// Writes the tile's rows likewise.
template <int Tile>
[[gnu::always_inline]] inline void store_tile(void* target, std::size_t stride) noexcept {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(Tile), "r"(target), "r"(stride) : "memory");
}

/// Of each word's two bfloat16, the products of the upper ones are summed by fma from zero, word after word, those of the lower ones likewise, and both sums'
/// sum is added to what the tile holds: all rounded to the nearest, numbers below the normal ones taken and given as zeros (Intel's manual, TDPBF16PS).
template <int Sums, int Left, int Right>
[[gnu::always_inline]] inline void add_products_of_pairs() noexcept {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Left), "i"(Right));
}

/// Adds the products of each word's four signed bytes, in integers.
template <int Sums, int Left, int Right>
[[gnu::always_inline]] inline void add_products_of_bytes() noexcept {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Left), "i"(Right));
}

#endif

}  // namespace axiform::inline AXIFORM_ARCH::simd

AXIFORM_END_KERNELS
