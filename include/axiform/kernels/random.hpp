/// @file
/// Many normal numbers at once: those that core/random.hpp gives one after another, with the same bits.
///
/// Logarithm, sine and cosine of the library are a call each, 55 ns for two numbers. Here they are series, which compilers turn into vectors, and
/// whose error is far below what a float tells apart: where it might decide which of two floats is nearest, once in some millions of numbers, the
/// library is asked. So the result is that of the library, and no table of goldens knows the difference. (The cosine of a quarter turn itself, 6e-17, one
/// number of 10^9, is known to 33 bits only.)
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/random.hpp>
#include <axiform/simd/arch.hpp>

#if AXIFORM_DEFINES(kernels)
#include <algorithm>
#include <array>
#include <bit>
#endif

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Fills `values`, [4 * groups], with `static_cast<float>(deviation * number)` of the numbers `normals_from(random(stream, first + g))`, four of each
/// group g.
/// @pre The numbers times `deviation` are normal floats, or zero.
void fill_normal(Philox const& random, std::uint64_t stream, std::uint64_t first, double deviation, float* values,
                 std::size_t groups) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

namespace detail {

inline constexpr std::size_t normal_pairs = 64;  // Of a pass: its arrays stay in the first-level cache.

// Exactly, and on every instruction set without a conversion: 2^52 and a whole number have it in their last bits.
[[gnu::always_inline]] inline double double_of(std::uint64_t whole) noexcept {
  return std::bit_cast<double>(whole | 0x4330000000000000) - 0x1.0p52;
}

// -2 ln(u), for u = (word + 1/2) / 2^32. With u = 2^e m, m in [sqrt(1/2), sqrt(2)), and s = (m - 1) / (m + 1): ln m = 2 (s + s^3 / 3 + s^5 / 5 + …).
[[gnu::always_inline]] inline double squared_radius(std::uint32_t word) noexcept {
  double const u = (double_of(word) + 0.5) * 0x1.0p-32;
  constexpr std::uint64_t half_root = 0x3fe6a09e667f3bcd, bias = 64;  // sqrt(1/2); more than any -e
  std::uint64_t const above = std::bit_cast<std::uint64_t>(u) - half_root + (bias << 52);
  double const e = double_of(above >> 52) - static_cast<double>(bias), m = std::bit_cast<double>((above & 0xfffffffffffff) + half_root);
  double const s = (m - 1) / (m + 1), z = s * s;
  double const series =
      z * (1.0 / 3 +
           z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * (1.0 / 17 + z / 19))))))));
  return -2 * (e * 0.69314718055994531 + 2 * (s + s * series));
}

struct SineAndCosine {
  double sine, cosine;
};

// Of 0 <= x <= 6.3: x less the nearest quarter turn, in [-pi/4, pi/4], is taken to 2^-86, and the series of Taylor end where they are exact to 2^-54.
[[gnu::always_inline]] inline SineAndCosine sine_and_cosine(double x) noexcept {
  double const shifted = x * 0.63661977236758134 + 0x1.8p52;  // quarter turns, in the last bits
  std::uint64_t const quarter = std::bit_cast<std::uint64_t>(shifted);
  double const turns = shifted - 0x1.8p52;
  double const r = (x - turns * 0x1.921fb544p0) - turns * 0x1.0b4611a626331p-34;  // the first product has few bits, and is exact
  double const z = r * r;
  double const of_sine =
      z * (-1.0 / 6 +
           z * (1.0 / 120 +
                z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800 + z * (1.0 / 6227020800 + z * (-1.0 / 1307674368000)))))));
  double const of_cosine =
      z * (-1.0 / 2 +
           z * (1.0 / 24 +
                z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 + z * (1.0 / 479001600 + z * (-1.0 / 87178291200)))))));
  double const sine = r + r * of_sine, cosine = 1 + of_cosine;
  // After one quarter sine is cosine, after two it is -sine, …
  std::uint64_t const odd = 0 - (quarter & 1), sine_bits = std::bit_cast<std::uint64_t>(sine),
                      cosine_bits = std::bit_cast<std::uint64_t>(cosine);
  std::uint64_t const first = (sine_bits & ~odd) | (cosine_bits & odd), second = (cosine_bits & ~odd) | (sine_bits & odd);
  return {std::bit_cast<double>(first ^ (quarter & 2) << 62), std::bit_cast<double>(second ^ ((quarter + 1) & 2) << 62)};
}

// The root of `count` numbers, in place; std::sqrt in a loop would look for errors.
inline void take_roots(double* numbers, std::size_t count) noexcept {
  using Doubles = xsimd::batch<double, simd::Arch>;
  for (std::size_t i = 0; i < count; i += Doubles::size) xsimd::sqrt(Doubles::load_unaligned(numbers + i)).store_unaligned(numbers + i);
}

}  // namespace detail

AXIFORM_INLINE void fill_normal(Philox const& random, std::uint64_t stream, std::uint64_t first, double deviation, float* values,
                                std::size_t groups) noexcept {
  using namespace detail;
  constexpr std::size_t most = normal_pairs / 2;
  constexpr double doubt = 0x1.0p-44;  // Some hundred times what series and library may err by.
  std::uint32_t words[4][most];
  double radii[2][most];
  for (std::size_t done = 0; done < groups; done += most) {
    std::size_t const count = std::min(most, groups - done);
    for (std::size_t g = 0; g < most; ++g) {
      std::array<std::uint32_t, 4> const group = random(stream, first + done + g);
      for (std::size_t i = 0; i < 4; ++i) words[i][g] = group[i];
    }
    for (std::size_t pair = 0; pair < 2; ++pair)
      for (std::size_t g = 0; g < most; ++g) radii[pair][g] = squared_radius(words[2 * pair][g]);
    take_roots(radii[0], 2 * most);
    float below[4][most], above[4][most];
    for (std::size_t pair = 0; pair < 2; ++pair)
      for (std::size_t g = 0; g < most; ++g) {
        auto const [sine, cosine] = sine_and_cosine(6.283185307179586 * (double_of(words[2 * pair + 1][g]) * 0x1.0p-32));
        double const x = deviation * (radii[pair][g] * cosine), y = deviation * (radii[pair][g] * sine);
        below[2 * pair][g] = static_cast<float>(x - x * doubt);
        above[2 * pair][g] = static_cast<float>(x + x * doubt);
        below[2 * pair + 1][g] = static_cast<float>(y - y * doubt);
        above[2 * pair + 1][g] = static_cast<float>(y + y * doubt);
      }
    float* const target = values + 4 * done;
    for (std::size_t g = 0; g < count; ++g)
      for (std::size_t i = 0; i < 4; ++i) target[4 * g + i] = below[i][g];
    for (std::size_t i = 0; i < 4; ++i) {
      if (std::equal(below[i], below[i] + count, above[i])) continue;
      for (std::size_t g = 0; g < count; ++g)
        if (below[i][g] != above[i][g])
          target[4 * g + i] = static_cast<float>(deviation * normals_from(random(stream, first + done + g))[i]);
    }
  }
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
