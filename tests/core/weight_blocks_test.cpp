// Blocks of weights: the bytes and the floats that the Python package gguf has, as recorded by fixtures/core/make_blocks.py.
#include <axiform/core/block_panels.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/weight_blocks.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace axiform;

namespace {

std::vector<WeightFormat> const block_formats{WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k};

// What floats are once they were written in a format, and the root of the mean of the squares of what is lost.
std::vector<float> rounded(WeightFormat format, std::vector<float> const& values) {
  std::vector<std::byte> blocks(bytes_of(format, values.size()));
  std::vector<float> result(values.size());
  write_blocks(format, values.data(), values.size(), blocks.data());
  read_blocks(format, blocks.data(), values.size(), result.data());
  return result;
}
double error_of(WeightFormat format, std::vector<float> const& values) {
  auto const found = rounded(format, values);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(static_cast<double>(found[i] - values[i]), 2);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

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
  for (WeightFormat format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1}) {
    CAPTURE(name_of(format));
    auto const blocks = read<std::byte>(file, bytes_of(format, count));
    auto const floats = read<float>(file, count);
    std::vector<std::byte> written(blocks.size());
    write_blocks(format, values.data(), count, written.data());
    std::size_t const size = bytes_of(format, weights_of_group);
    for (std::size_t i = 0; i < count / weights_of_group; ++i)
      if (std::memcmp(written.data() + i * size, blocks.data() + i * size, size) != 0) FAIL_CHECK("block " << i << " differs");
    std::vector<float> read_back(count);
    read_blocks(format, blocks.data(), count, read_back.data());
    CHECK(same_bytes(read_back, floats));
  }
  std::size_t const of_q4_k = read<std::uint32_t>(file, 1)[0] * std::size_t{256};
  auto const blocks = read<std::byte>(file, bytes_of(WeightFormat::q4_k, of_q4_k));
  auto const floats = read<float>(file, of_q4_k);
  std::vector<float> read_back(of_q4_k);
  read_blocks(WeightFormat::q4_k, blocks.data(), of_q4_k, read_back.data());
  CHECK(same_bytes(read_back, floats));
  CHECK(file.peek() == std::ifstream::traits_type::eof());
}

TEST_CASE("weight blocks: q4_k loses less than q4_1 in fewer bits, and nothing of what it can hold") {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> values(256 * 64);
  for (float& value : values) value = normal(generator);
  CHECK(error_of(WeightFormat::q4_k, values) < 0.95 * error_of(WeightFormat::q4_1, values));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= std::exp2(static_cast<float>(i / 32 % 4));  // groups that differ
  CHECK(error_of(WeightFormat::q4_k, values) < 0.95 * error_of(WeightFormat::q4_1, values));

  // Every number of 4 bits in each group; scales and minima of 6 bits, the greatest of them 63, and scales of blocks that halves hold.
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t const group = i / 32 % 8;
    auto const scale = static_cast<float>(group == 3 ? 63 : 20 + 5 * group), minimum = static_cast<float>(group == 5 ? 63 : 9 * group);
    values[i] = 0.125f * scale * static_cast<float>(i * 7 % 16) - 0.5f * minimum;
  }
  CHECK(same_bytes(rounded(WeightFormat::q4_k, values), values));

  auto const constant = rounded(WeightFormat::q4_k, std::vector<float>(256, -0.3f));
  for (float const value : constant) CHECK(std::abs(value + 0.3f) < 1e-3f);
  auto const positive = rounded(WeightFormat::q4_k, std::vector<float>(256, 0.7f));
  for (float const value : positive) CHECK(std::abs(value - 0.7f) < 1e-3f);
}

TEST_CASE("weight blocks: zeroed memory is zeros, and infinities do no harm") {
  for (WeightFormat format : block_formats) {
    std::size_t const weights = weights_of_block(format);
    std::vector<std::byte> block(bytes_of(format, weights));
    std::vector<float> values(weights, 1.0f);
    read_blocks(format, block.data(), weights, values.data());
    for (float value : values) CHECK(value == 0.0f);
    float const infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (float odd : {infinity, -infinity, nan, std::numeric_limits<float>::denorm_min()}) {
      values.assign(weights, 0.5f);
      values[3] = odd;
      write_blocks(format, values.data(), weights, block.data());  // for the sanitizers
    }
  }
}

TEST_CASE("weight blocks: their bytes, the rows that cannot be kept in them, and parts of rows that are refused") {
  CHECK(bytes_of(WeightFormat::q8_0, 64) == 68);
  CHECK(bytes_of(WeightFormat::q4_0, 64) == 36);
  CHECK(bytes_of(WeightFormat::q4_1, 64) == 40);
  CHECK(bytes_of(WeightFormat::q4_k, 512) == 288);
  CHECK(format_of_rows(WeightFormat::q4_k, 576) == WeightFormat::q4_1);
  for (WeightFormat format : block_formats) {
    CHECK(is_in_blocks(format));
    std::size_t const weights = weights_of_block(format);
    CHECK(format_of_rows(format, 3 * weights) == format);
    CHECK(format_of_rows(format, 97) == WeightFormat::bf16);
    CHECK(bytes_of(format, weights) <= most_bytes_of_block);
    CHECK(bytes_of(format, weights) == parts_of_block(format).bytes());
    CHECK(weights <= most_weights_of_block);
    CHECK_NOTHROW(check_whole_blocks(format, weights, 2 * weights));
    CHECK_THROWS_AS(check_whole_blocks(format, 1, 2 * weights), ArgumentError);
    CHECK_THROWS_AS(check_whole_blocks(format, weights, 2 * weights - 1), ArgumentError);
  }
  for (WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::f16}) {
    CHECK_FALSE(is_in_blocks(format));
    CHECK(format_of_rows(format, 97) == format);
  }
}
