/// @file
/// SHA-256, by which contents of files are told apart.
///
///     Sha256 hash;
///     hash.add(bytes);
///     std::cout << in_hexadecimal(hash.digest());   // what sha256sum prints
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <bit>
#endif

namespace axiform {

/// What SHA-256 makes of bytes.
using Sha256Digest = std::array<std::byte, 32>;

/// The SHA-256 of bytes that come one piece after another (FIPS 180-4).
class Sha256 {
 public:
  /// Goes on with `bytes`.
  void add(std::span<std::byte const> bytes) noexcept;
  /// Of all bytes so far.
  Sha256Digest digest() const noexcept;

 private:
  void add_block(std::byte const* block) noexcept;

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> rest_{};  // bytes that do not fill a block yet
  std::uint64_t size_ = 0;            // of all bytes
};

/// Two digits a byte, in lower case.
std::string in_hexadecimal(std::span<std::byte const> bytes);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
inline constexpr std::array<std::uint32_t, 64> sha256_constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

}  // namespace detail

AXIFORM_INLINE void Sha256::add_block(std::byte const* block) noexcept {
  std::array<std::uint32_t, 64> words;
  for (std::size_t i = 0; i < 16; ++i) {
    words[i] = 0;
    for (std::size_t j = 0; j < 4; ++j) words[i] = words[i] << 8 | std::to_integer<std::uint32_t>(block[4 * i + j]);
  }
  for (std::size_t i = 16; i < 64; ++i) {
    std::uint32_t const a = words[i - 15], b = words[i - 2];
    words[i] =
        words[i - 16] + words[i - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (std::size_t i = 0; i < 64; ++i) {
    std::uint32_t const first =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + detail::sha256_constants[i] + words[i];
    std::uint32_t const second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  std::array<std::uint32_t, 8> const sums{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state_[i] += sums[i];
}

AXIFORM_INLINE void Sha256::add(std::span<std::byte const> bytes) noexcept {
  std::size_t const waiting = size_ % 64;
  size_ += bytes.size();
  if (waiting != 0) {
    std::size_t const taken = std::min(bytes.size(), 64 - waiting);
    std::ranges::copy(bytes.first(taken), rest_.begin() + static_cast<std::ptrdiff_t>(waiting));
    bytes = bytes.subspan(taken);
    if (waiting + taken < 64) return;
    add_block(rest_.data());
  }
  for (; bytes.size() >= 64; bytes = bytes.subspan(64)) add_block(bytes.data());
  std::ranges::copy(bytes, rest_.begin());
}

AXIFORM_INLINE Sha256Digest Sha256::digest() const noexcept {
  Sha256 last = *this;
  std::array<std::byte, 72> end{std::byte{0x80}};  // one bit, zeros, and the length in bits in the last eight bytes of a block
  std::size_t const zeros = (119 - size_ % 64) % 64;
  for (std::size_t i = 0; i < 8; ++i) end[1 + zeros + i] = static_cast<std::byte>(size_ * 8 >> (56 - 8 * i));
  last.add(std::span(end).first(9 + zeros));
  Sha256Digest result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<std::byte>(last.state_[i / 4] >> (24 - 8 * (i % 4)));
  return result;
}

AXIFORM_INLINE std::string in_hexadecimal(std::span<std::byte const> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (std::byte const byte : bytes) {
    result += digits[std::to_integer<unsigned>(byte) >> 4];
    result += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return result;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
