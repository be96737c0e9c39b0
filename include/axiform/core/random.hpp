/// @file
/// Random numbers that are a function of a seed and a position: the same on every system, in any order, on any thread.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>

namespace axiform {

/// The counter-based generator Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
///
/// `Philox(seed)(stream, index)` are four independent 32-bit words; equal arguments give equal words everywhere.
class Philox {
 public:
  /// The generator of that seed. It has no state: a call changes nothing.
  explicit constexpr Philox(std::uint64_t seed) noexcept : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}

  /// The words at position `index` of stream `stream`.
  constexpr std::array<std::uint32_t, 4> operator()(std::uint64_t stream, std::uint64_t index) const noexcept {
    std::array<std::uint32_t, 4> counter{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                         static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
    auto key = key_;
    for (int round = 0; round < 10; ++round) {
      std::uint64_t const first = std::uint64_t{0xD2511F53} * counter[0];
      std::uint64_t const second = std::uint64_t{0xCD9E8D57} * counter[2];
      counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(second),
                 static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(first)};
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
    return counter;
  }

 private:
  std::array<std::uint32_t, 2> key_;
};

/// A number in [0, 1) with 53 random bits from two words.
constexpr double uniform_from(std::uint32_t high, std::uint32_t low) noexcept {
  std::uint64_t const bits = (std::uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

/// Four numbers from the standard normal distribution (Box and Muller 1958) from four words.
inline std::array<double, 4> normals_from(std::array<std::uint32_t, 4> const& words) noexcept {
  std::array<double, 4> normals;
  for (std::size_t i = 0; i < 4; i += 2) {
    double const radius = std::sqrt(-2.0 * std::log((words[i] + 0.5) * 0x1.0p-32));
    double const angle = 6.283185307179586 * (words[i + 1] * 0x1.0p-32);
    normals[i] = radius * std::cos(angle);
    normals[i + 1] = radius * std::sin(angle);
  }
  return normals;
}

}  // namespace axiform
