#include <axiform/kernels/codes.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace kernels = axiform::kernels;

namespace {

template <class Byte>
std::vector<Byte> random_codes(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<Byte> codes(count);
  for (auto& code : codes) code = static_cast<Byte>(generator() % 256);
  return codes;
}

}  // namespace

TEST_CASE("codes: products of bytes are exact for every remainder of rows and columns, the extremes too") {
  for (std::size_t const columns : {0, 1, 2, 7, 8, 9, 15, 16, 31, 33, 63, 64, 65, 127, 130})
    for (std::size_t const rows : {1, 3, 4, 5, 9}) {
      // Rows end with the memory, so that an address sanitizer sees a read beyond them.
      auto a = random_codes<std::int8_t>(rows * columns, 1), b = random_codes<std::int8_t>(3 * columns, 2);
      for (std::size_t k = 0; k < columns; ++k) a[k] = b[k] = -128;
      std::vector<std::int32_t> found(rows * 5, 77);
      kernels::byte_products(a.data(), columns, rows, b.data(), columns, 3, columns, found.data(), 5);
      bool is_exact = true;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < 5; ++j) {
          std::int32_t expected = j < 3 ? 0 : 77;
          for (std::size_t k = 0; j < 3 && k < columns; ++k) expected += a[i * columns + k] * b[j * columns + k];
          is_exact = is_exact && found[i * 5 + j] == expected;
        }
      CHECK_MESSAGE(is_exact, rows, " rows of ", columns);
    }
}

TEST_CASE("codes: the longest rows do not overflow") {
  constexpr std::size_t columns = 65536;
  std::vector<std::int8_t> const lowest(columns, -128), highest(columns, 127);
  std::int32_t found[2] = {};
  kernels::byte_products(lowest.data(), columns, 1, lowest.data(), columns, 1, columns, found, 1);
  kernels::byte_products(lowest.data(), columns, 1, highest.data(), columns, 1, columns, found + 1, 1);
  CHECK(found[0] == 128 * 128 * std::int32_t{columns});
  CHECK(found[1] == -128 * 127 * std::int32_t{columns});
}

TEST_CASE("codes: distances of bits are those counted one by one, for every remainder of bytes") {
  for (std::size_t const bytes : {1, 2, 7, 8, 9, 15, 16, 17, 48, 50}) {
    auto const a = random_codes<std::uint8_t>(5 * bytes, 3), b = random_codes<std::uint8_t>(4 * bytes, 4);
    std::vector<std::int32_t> found(20);
    kernels::bit_distances(a.data(), bytes, 5, b.data(), bytes, 4, bytes, found.data(), 4);
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 4; ++j) {
        std::int32_t expected = 0;
        for (std::size_t k = 0; k < 8 * bytes; ++k) expected += ((a[i * bytes + k / 8] ^ b[j * bytes + k / 8]) >> (k % 8)) & 1;
        CHECK(found[i * 4 + j] == expected);
      }
  }
}

TEST_CASE("codes: numbers outside of the ranges have the first code or the last, and so has what is no number") {
  constexpr float infinity = std::numeric_limits<float>::infinity(), not_a_number = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> const values{-infinity, -1.1f, -1.0f, -0.991f, 0.0f, 1.54f, 1.55f, 1.9f, infinity, not_a_number};
  std::vector<float> const lowest(values.size(), -1.0f), step(values.size(), 0.01f);
  std::vector<std::int8_t> codes(values.size());
  kernels::quantize_row(values.data(), lowest.data(), step.data(), values.size(), codes.data());
  CHECK(codes == std::vector<std::int8_t>{-128, -128, -128, -128, -28, 126, 127, 127, 127, -128});
  std::vector<float> const signs{1.0f, -1.0f, 0.0f, 1e-40f, not_a_number, infinity, -infinity, 2.0f, -0.0f, 3.0f};
  std::uint8_t bits[2] = {0xff, 0xff};
  kernels::pack_signs(signs.data(), signs.size(), bits);
  CHECK(bits[0] == 0b1001'0101);
  CHECK(bits[1] == 0b0100'0000);
}
