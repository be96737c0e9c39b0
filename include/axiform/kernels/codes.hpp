/// @file
/// Embeddings in a byte or a bit a number: how rows of floats become codes, and how codes are compared. All of it is exact in integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <bit>
#include <cstring>

#include <axiform/simd/bytes.hpp>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// target = the step, of 256 from -128 to 127, that each number of a row falls in; numbers outside fall in the first or the last, and what is no number
/// in the first.
/// @param lowest,step [columns], where the steps of a column begin, and how wide they are.
void quantize_row(float const* values, float const* lowest, float const* step, std::size_t columns, std::int8_t* target) noexcept;

/// target = a bit for each number of a row, set where it is greater than 0: the first is the highest bit of the first byte. Bits behind the last are 0.
void pack_signs(float const* values, std::size_t columns, std::uint8_t* target) noexcept;

/// result[i][j] = the product of row i of a and row j of b, exactly.
///
/// @param a      [a_rows, columns], rows `a_stride` bytes apart; @param b likewise.
/// @param result [a_rows, b_rows], rows `result_stride` integers apart.
/// @pre   columns <= 65536, so that no product is greater than an integer can be.
void byte_products(std::int8_t const* a, std::size_t a_stride, std::size_t a_rows, std::int8_t const* b, std::size_t b_stride,
                   std::size_t b_rows, std::size_t columns, std::int32_t* result, std::size_t result_stride) noexcept;

/// result[i][j] = the number of bits in which row i of a and row j of b differ (their Hamming distance).
///
/// @param a      [a_rows, bytes], rows `a_stride` bytes apart; @param b likewise.
/// @param result [a_rows, b_rows], rows `result_stride` integers apart.
void bit_distances(std::uint8_t const* a, std::size_t a_stride, std::size_t a_rows, std::uint8_t const* b, std::size_t b_stride,
                   std::size_t b_rows, std::size_t bytes, std::int32_t* result, std::size_t result_stride) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

// `Left` rows of a with all rows of b. A row of b is loaded once for all of them.
template <std::size_t Left>
void byte_products_strip(std::int8_t const* a, std::size_t a_stride, std::int8_t const* b, std::size_t b_stride, std::size_t b_rows,
                         std::size_t columns, std::int32_t* result, std::size_t result_stride) noexcept {
  std::size_t const whole = columns / simd::byte_lanes * simd::byte_lanes, rest = columns - whole;
  simd::ByteSums sums[Left];
  auto const sum_up = [&](auto load, auto load_partial) {
    for (simd::ByteSums& sum : sums) sum = simd::no_byte_sums();
    for (std::size_t k = 0; k < whole; k += simd::byte_lanes) {
      simd::Bytes const right = load(k);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Left; ++i) sums[i] = simd::add_products(sums[i], simd::load_left(a + i * a_stride + k), right);
    }
    if (rest == 0) return;
    simd::Bytes const right = load_partial();
    for (std::size_t i = 0; i < Left; ++i)
      sums[i] = simd::add_products(sums[i], simd::load_left_partial(a + i * a_stride + whole, rest), right);
  };
  // What the bias of the right operand adds to each row is its product with zeros.
  std::uint32_t bias[Left] = {};
  if constexpr (simd::right_bias != 0) {
    constexpr std::int8_t zeros[simd::byte_lanes] = {};
    sum_up([&](std::size_t) { return simd::load_right(zeros); }, [&] { return simd::load_right(zeros); });
    for (std::size_t i = 0; i < Left; ++i) bias[i] = simd::total(sums[i]);
  }
  for (std::size_t j = 0; j < b_rows; ++j) {
    std::int8_t const* const row = b + j * b_stride;
    sum_up([&](std::size_t k) { return simd::load_right(row + k); }, [&] { return simd::load_right_partial(row + whole, rest); });
    for (std::size_t i = 0; i < Left; ++i) result[i * result_stride + j] = static_cast<std::int32_t>(simd::total(sums[i]) - bias[i]);
  }
}

}  // namespace detail

AXIFORM_INLINE void quantize_row(float const* values, float const* lowest, float const* step, std::size_t columns,
                                 std::int8_t* target) noexcept {
  for (std::size_t i = 0; i < columns; ++i) {
    float const place = (values[i] - lowest[i]) / step[i];
    float const within = place > 0.0f ? place < 255.0f ? place : 255.0f : 0.0f;
    target[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(within) - 128);
  }
}

AXIFORM_INLINE void pack_signs(float const* values, std::size_t columns, std::uint8_t* target) noexcept {
  for (std::size_t first = 0; first < columns; first += 8) {
    unsigned bits = 0;
    std::size_t const count = std::min<std::size_t>(8, columns - first);
    for (std::size_t i = 0; i < count; ++i) bits |= (values[first + i] > 0.0f ? 128u : 0u) >> i;
    target[first / 8] = static_cast<std::uint8_t>(bits);
  }
}

AXIFORM_INLINE void byte_products(std::int8_t const* a, std::size_t a_stride, std::size_t a_rows, std::int8_t const* b,
                                  std::size_t b_stride, std::size_t b_rows, std::size_t columns, std::int32_t* result,
                                  std::size_t result_stride) noexcept {
  std::size_t const whole = a_rows / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4)
    detail::byte_products_strip<4>(a + i * a_stride, a_stride, b, b_stride, b_rows, columns, result + i * result_stride, result_stride);
  for (std::size_t i = whole; i < a_rows; ++i)
    detail::byte_products_strip<1>(a + i * a_stride, a_stride, b, b_stride, b_rows, columns, result + i * result_stride, result_stride);
}

AXIFORM_INLINE void bit_distances(std::uint8_t const* a, std::size_t a_stride, std::size_t a_rows, std::uint8_t const* b,
                                  std::size_t b_stride, std::size_t b_rows, std::size_t bytes, std::int32_t* result,
                                  std::size_t result_stride) noexcept {
  constexpr std::size_t word = sizeof(std::uint64_t);
  std::size_t const whole = bytes / word * word, rest = bytes - whole;
  auto const load = [](std::uint8_t const* source, std::size_t count) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, source, count);
    return bits;
  };
  for (std::size_t i = 0; i < a_rows; ++i)
    for (std::size_t j = 0; j < b_rows; ++j) {
      std::uint8_t const *const left = a + i * a_stride, *const right = b + j * b_stride;
      int distance = 0;
      for (std::size_t k = 0; k < whole; k += word) distance += std::popcount(load(left + k, word) ^ load(right + k, word));
      if (rest != 0) distance += std::popcount(load(left + whole, rest) ^ load(right + whole, rest));
      result[i * result_stride + j] = distance;
    }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
