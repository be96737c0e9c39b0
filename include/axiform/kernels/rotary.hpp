/// @file
/// Rotary positions: pairs of a head's columns are turned by an angle that grows with the token's position.
#pragma once

#include <algorithm>
#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Which columns of a head are turned together.
enum class RotaryPairs {
  halves,     ///< i and i + n / 2 of n: GPT-NeoX, and Llama as Hugging Face keeps it.
  neighbours  ///< 2 i and 2 i + 1: GPT-J, and Llama as its authors and GGUF keep it (Su et al. 2021, eq. 34).
};

/// The heads of some rows, side by side.
struct HeadRows {
  float* values = nullptr;    ///< [rows, heads * head_size]
  std::size_t stride = 0;     ///< floats from one row to the next
  std::size_t rows = 0;       ///< how many
  std::size_t heads = 0;      ///< of a row
  std::size_t head_size = 0;  ///< columns of one head
};

/// Turns the first 2 * `pairs` columns of each head of each row, in place; the rest stays.
/// @param angles [rows, 2 * pairs]: the cosines of a row's token, then its sines.
void rotate(RotaryPairs kind, HeadRows const& x, float const* angles, std::size_t pairs) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// Turns one head by halves: (a, b) becomes (a cos - b sin, b cos + a sin), each product rounded, as torch has it.
inline void turn_halves(float* a, float* b, float const* cosines, float const* sines, std::size_t pairs) noexcept {
  for (std::size_t i = 0; i < pairs; i += simd::lanes) {
    std::size_t const count = std::min(simd::lanes, pairs - i);
    simd::Floats const x = simd::load_partial(a + i, count), y = simd::load_partial(b + i, count);
    simd::Floats const c = simd::load_partial(cosines + i, count), s = simd::load_partial(sines + i, count);
    simd::store_partial(a + i, x * c - y * s, count);
    simd::store_partial(b + i, y * c + x * s, count);
  }
}

inline void turn_neighbours(float* values, float const* cosines, float const* sines, std::size_t pairs) noexcept {
  for (std::size_t i = 0; i < pairs; ++i) {
    float const x = values[2 * i], y = values[2 * i + 1];
    values[2 * i] = x * cosines[i] - y * sines[i];
    values[2 * i + 1] = y * cosines[i] + x * sines[i];
  }
}

}  // namespace detail

AXIFORM_INLINE void rotate(RotaryPairs kind, HeadRows const& x, float const* angles, std::size_t pairs) noexcept {
  for (std::size_t row = 0; row < x.rows; ++row, angles += 2 * pairs)
    for (std::size_t head = 0; head < x.heads; ++head) {
      float* const values = x.values + row * x.stride + head * x.head_size;
      if (kind == RotaryPairs::halves) {
        detail::turn_halves(values, values + pairs, angles, angles + pairs, pairs);
      } else {
        detail::turn_neighbours(values, angles, angles + pairs, pairs);
      }
    }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
