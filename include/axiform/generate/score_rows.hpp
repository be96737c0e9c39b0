/// @file
/// What is asked of a whole row of scores, a number for each entry of the vocabulary: the greatest of them, and their softmax's denominator.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <axiform/core/config.hpp>

// The loops below are written so that compilers turn them into registers of any width: lanes that are kept apart have one order of summation, and
// no operation depends on the instruction set. So a row has the same bits with each of them.
AXIFORM_BEGIN_KERNELS

namespace axiform::detail {

/// The greatest score that is a number; minus infinity where there is none.
inline float greatest_of(std::span<float const> scores) noexcept {
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> greatest;
  greatest.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + lanes <= scores.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) greatest[lane] = scores[i + lane] > greatest[lane] ? scores[i + lane] : greatest[lane];
  for (; i < scores.size(); ++i) greatest[0] = scores[i] > greatest[0] ? scores[i] : greatest[0];
  for (std::size_t half = lanes / 2; half != 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane)
      greatest[lane] = greatest[lane + half] > greatest[lane] ? greatest[lane + half] : greatest[lane];
  return greatest[0];
}

/// e^x for -708 <= x <= 0 to 3 units of the last place; of NaN it is one.
[[gnu::always_inline]] inline double exp_of_nonpositive(double x) noexcept {
  constexpr double to_integer = 0x1.8p52;  // added, it leaves an integer in the lowest bits
  double const shifted = x * 0x1.71547652b82fep0 + to_integer;
  double const n = shifted - to_integer;
  double const r = (x - n * 0x1.62e42fefa0000p-1) - n * 0x1.cf79abc9e3b3ap-40;  // |r| <= ln 2 / 2
  // Taylor's series up to r^12, whose next term is below 2e-16.
  double p = 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) << 52) + (std::uint64_t{1023} << 52));
}

/// The sum of e^(score - greatest); NaN where a score is.
inline double sum_of_exponentials(std::span<float const> scores, float greatest) noexcept {
  constexpr std::size_t lanes = 8, most = 256;
  constexpr double least = -708;  // e to it is next to nothing, and a normal number
  std::array<double, lanes> sums{};
  std::array<double, most> terms;
  for (std::size_t first = 0; first < scores.size(); first += most) {
    std::size_t const count = std::min(most, scores.size() - first), padded = (count + lanes - 1) / lanes * lanes;
    // Loops of their own: GCC 12 makes two ways of one that has both, for less than the limit and for more.
    for (std::size_t i = 0; i < count; ++i) {
      double const below = static_cast<double>(scores[first + i]) - static_cast<double>(greatest);
      terms[i] = below < least ? least : below;
    }
    for (std::size_t i = 0; i < count; ++i) terms[i] = exp_of_nonpositive(terms[i]);
    for (std::size_t i = count; i < padded; ++i) terms[i] = 0;
    for (std::size_t i = 0; i < padded; i += lanes)
      for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += terms[i + lane];
  }
  for (std::size_t half = lanes / 2; half != 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

/// score = score - shift, rounded once.
inline void subtract(std::span<float> scores, double shift) noexcept {
  for (float& score : scores) score = static_cast<float>(static_cast<double>(score) - shift);
}

}  // namespace axiform::detail

AXIFORM_END_KERNELS
