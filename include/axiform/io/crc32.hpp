/// @file
/// CRC-32, the checksum of zip archives.
///
///     Crc32 checksum;
///     checksum.add(bytes);
///     std::cout << checksum.value();
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(io)
#include <array>
#include <bit>
#include <cstring>
#endif

namespace axiform {

/// The CRC-32 of bytes that come one piece after another: the polynomial 0x04C11DB7, reflected (ISO 3309, ITU-T V.42).
class Crc32 {
 public:
  /// Goes on with `bytes`.
  void add(std::span<std::byte const> bytes) noexcept;
  std::uint32_t value() const noexcept { return ~state_; }  ///< Of all bytes so far.

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// crc32_tables[k][b]: what the byte b does to the state when k bytes follow it. Eight bytes at a time (M. Kounavis, F. Berry 2005).
inline constexpr auto crc32_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0xedb88320u : 0u);
    tables[0][byte] = state;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte) tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xff];
  return tables;
}();

}  // namespace detail

AXIFORM_INLINE void Crc32::add(std::span<std::byte const> bytes) noexcept {
  static_assert(std::endian::native == std::endian::little, "the first of eight bytes is the lowest of the word");
  auto const& tables = detail::crc32_tables;
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    word ^= state_;
    state_ = 0;
    for (std::size_t i = 0; i < 8; ++i) state_ ^= tables[7 - i][word >> 8 * i & 0xff];
    bytes = bytes.subspan(8);
  }
  for (std::byte const byte : bytes) state_ = state_ >> 8 ^ tables[0][(state_ ^ static_cast<std::uint32_t>(byte)) & 0xff];
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
