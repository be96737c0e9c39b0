// Blocks of weights: the bytes and the floats that the Python package gguf has, as recorded by fixtures/core/make_blocks.py.
#include <axiform/core/error.hpp>
#include <axiform/core/weight_blocks.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

using namespace axiform;

namespace {

std::vector<WeightFormat> const block_formats{WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1};

template <class T>
std::vector<T> read(std::ifstream& file, std::size_t count) {
  std::vector<T> values(count);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  REQUIRE(file);
  return values;
}

template <class T>
bool same_bytes(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace

TEST_CASE("weight blocks: floats become the bytes that gguf makes of them, and these the floats that it reads") {
  std::ifstream file(AXIFORM_FIXTURES "/core/blocks.bin", std::ios::binary);
  std::size_t const count = read<std::uint32_t>(file, 1)[0];
  auto const values = read<float>(file, count);
  for (WeightFormat format : block_formats) {
    CAPTURE(name_of(format));
    auto const blocks = read<std::byte>(file, bytes_of(format, count));
    auto const floats = read<float>(file, count);
    std::vector<std::byte> written(blocks.size());
    write_blocks(format, values.data(), count, written.data());
    std::size_t const size = bytes_of(format, weights_of_block);
    for (std::size_t i = 0; i < count / weights_of_block; ++i)
      if (std::memcmp(written.data() + i * size, blocks.data() + i * size, size) != 0) FAIL_CHECK("block " << i << " differs");
    std::vector<float> read_back(count);
    read_blocks(format, blocks.data(), count, read_back.data());
    CHECK(same_bytes(read_back, floats));
  }
  CHECK(file.peek() == std::ifstream::traits_type::eof());
}

TEST_CASE("weight blocks: zeroed memory is zeros, and infinities do no harm") {
  for (WeightFormat format : block_formats) {
    std::vector<std::byte> block(bytes_of(format, weights_of_block));
    std::vector<float> values(weights_of_block, 1.0f);
    read_blocks(format, block.data(), weights_of_block, values.data());
    for (float value : values) CHECK(value == 0.0f);
    float const infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (float odd : {infinity, -infinity, nan, std::numeric_limits<float>::denorm_min()}) {
      values.assign(weights_of_block, 0.5f);
      values[3] = odd;
      write_blocks(format, values.data(), weights_of_block, block.data());  // for the sanitizers
    }
  }
}

TEST_CASE("weight blocks: their bytes, the rows that cannot be kept in them, and parts of rows that are refused") {
  CHECK(bytes_of(WeightFormat::q8_0, 64) == 68);
  CHECK(bytes_of(WeightFormat::q4_0, 64) == 36);
  CHECK(bytes_of(WeightFormat::q4_1, 64) == 40);
  for (WeightFormat format : block_formats) {
    CHECK(is_in_blocks(format));
    CHECK(format_of_rows(format, 96) == format);
    CHECK(format_of_rows(format, 97) == WeightFormat::bf16);
    CHECK(bytes_of(format, weights_of_block) <= most_bytes_of_block);
    CHECK_NOTHROW(check_whole_blocks(format, 32, 64));
    CHECK_THROWS_AS(check_whole_blocks(format, 1, 64), ArgumentError);
    CHECK_THROWS_AS(check_whole_blocks(format, 32, 63), ArgumentError);
  }
  for (WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::f16}) {
    CHECK_FALSE(is_in_blocks(format));
    CHECK(format_of_rows(format, 97) == format);
  }
}
