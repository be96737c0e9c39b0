// Products with weights in blocks: the bits of the product with floats of the same values, for any rows, columns, epilogue and threads.
#include <axiform/core/executor.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packed_blocks.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "support/executor.hpp"
#include "support/random_floats.hpp"

using namespace axiform;
using test::random_floats;
using kernels::Epilogue;

namespace {

std::vector<WeightFormat> const block_formats{WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1};

// Blocks of any bits, with scales of at most 2 in magnitude, some of them subnormal: more than rounding gives.
std::vector<std::byte> random_blocks(WeightFormat format, std::size_t weights, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::byte> blocks(bytes_of(format, weights));
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(generator());
  std::size_t const size = bytes_of(format, weights_of_block), halves = format == WeightFormat::q4_1 ? 2 : 1;
  for (std::size_t i = 0; i < weights / weights_of_block; ++i)
    for (std::size_t j = 0; j < halves; ++j) {
      auto const half = static_cast<std::uint16_t>((generator() & 0x8000u) | generator() % 0x4000u);
      std::memcpy(blocks.data() + i * size + 2 * j, &half, 2);
    }
  return blocks;
}

// A matrix [n, k] packed in blocks, and as floats.
struct Matrix {
  WeightFormat format;
  std::size_t n, k;
  std::vector<std::byte> rows, packed;
  std::vector<float> floats;

  Matrix(WeightFormat of, std::size_t outputs, std::size_t inputs)
      : format(of), n(outputs), k(inputs), rows(random_blocks(of, n * k, 1)), packed(bytes_of(of, kernels::packed_floats(k, n))) {
    std::vector<float> values(n * k);
    read_blocks(format, rows.data(), n * k, values.data());
    std::size_t const row = bytes_of(format, k);
    for (std::size_t o = 0; o < n; ++o) kernels::pack_blocks(format, rows.data() + o * row, k, o, 0, k / 32, packed.data());
    floats.resize(kernels::packed_floats(k, n));
    kernels::pack_panels(k, n, values.data(), k, 1, floats.data(), 0, kernels::panel_count(n));
  }
};

// Whether the two products have the same bits, and both leave what is between the rows of C.
bool same_as_floats(Matrix const& b, std::size_t m, Epilogue const& epilogue, Executor& executor) {
  std::size_t const a_stride = b.k + 3, c_stride = b.n + 5;
  auto const a = random_floats(m * a_stride + 1, 2);
  std::vector<float> expected(m * c_stride + 1, 12345.0f), found = expected;
  SerialExecutor serial;
  kernels::gemm(m, b.n, b.k, a.data() + 1, a_stride, b.floats.data(), expected.data() + 1, c_stride, epilogue, serial);
  kernels::gemm(m, b.n, b.k, a.data() + 1, a_stride, {b.packed.data(), b.format}, found.data() + 1, c_stride, epilogue, executor);
  return std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("packed blocks: what was packed is unpacked, whole and in parts, and widened to the floats that it stands for") {
  for (WeightFormat format : block_formats)
    for (std::size_t n : {std::size_t{1}, kernels::panel_width, 2 * kernels::panel_width + 3}) {
      Matrix const matrix(format, n, 160);
      std::size_t const size = bytes_of(format, weights_of_block);
      for (std::size_t o = 0; o < n; ++o)
        for (auto const& [first, count] : {std::pair<std::size_t, std::size_t>{0, 5}, {0, 1}, {2, 3}, {4, 1}}) {
          std::vector<std::byte> blocks(count * size);
          kernels::unpack_blocks(format, matrix.packed.data(), 160, o, first, count, blocks.data());
          REQUIRE(std::memcmp(blocks.data(), matrix.rows.data() + (o * 5 + first) * size, blocks.size()) == 0);
        }
      alignas(64) static float floats[160 * kernels::panel_width];
      for (std::size_t panel = 0; panel < n / kernels::panel_width; ++panel) {
        kernels::widen_groups(format, matrix.packed.data() + bytes_of(format, panel * kernels::panel_width * 160), 160, floats);
        CHECK(std::memcmp(floats, matrix.floats.data() + panel * 160 * kernels::panel_width, sizeof floats) == 0);
      }
    }
}

TEST_CASE("gemm: weights in blocks give the bits of floats with the same values, for every remainder of rows, columns and blocks") {
  SerialExecutor executor;
  for (WeightFormat format : block_formats) {
    CAPTURE(name_of(format));
    for (std::size_t n = 1; n <= 2 * simd::lanes + 1; ++n) {
      Matrix const b(format, n, 32 + 32 * (n % 3));
      for (std::size_t m = 1; m <= 31; m += m < 20 ? 1 : 3) CHECK(same_as_floats(b, m, {}, executor));
    }
    for (std::size_t n = kernels::panel_width - 1; n <= 4 * kernels::panel_width + 1; n += simd::lanes / 2 - 1) {
      Matrix const b(format, n, 64);
      for (std::size_t m = 1; m <= 31; m += m < 20 ? 1 : 3) CHECK(same_as_floats(b, m, {}, executor));
    }
    for (std::size_t k = 32; k <= 2048; k += 32 + k / 160 * 32) {  // in one part and in several
      Matrix const b(format, kernels::panel_width * 2 + 3, k);
      for (std::size_t m : {1u, 2u, 5u, 13u, 50u}) CHECK(same_as_floats(b, m, {}, executor));
    }
    CHECK(same_as_floats(Matrix(format, 2 * kernels::panel_width + 3, 2560), 701, {}, executor));  // several blocks of rows
  }
}

TEST_CASE(
    "gemm: weights in blocks give the bits of floats with every epilogue and on any number of threads, a residual in place included") {
  std::size_t const m = 50, k = 320;
  for (WeightFormat format : block_formats)
    for (std::size_t n : {std::size_t{5}, 3 * kernels::panel_width + 3, 9 * kernels::panel_width}) {
      Matrix const b(format, n, k);
      auto const bias = random_floats(n, 3), residual = random_floats(m * n, 4);
      for (auto kind : {Activation::none, Activation::gelu})
        for (bool with_residual : {false, true})
          for (std::size_t threads : {1u, 2u, 3u, 16u}) {
            TestExecutor executor(threads);
            Epilogue epilogue{
                .bias = bias.data(), .activation = kind, .residual = with_residual ? residual.data() : nullptr, .residual_stride = n};
            for (std::size_t rows : {std::size_t{1}, std::size_t{4}, std::size_t{15}, m}) {
              CHECK(same_as_floats(b, rows, epilogue, executor));
              if (!with_residual) continue;
              auto const a = random_floats(rows * k, 5);
              std::vector<float> expected(rows * n), in_place(residual.begin(), residual.begin() + std::ptrdiff_t(rows * n));
              kernels::gemm(rows, n, k, a.data(), k, b.floats.data(), expected.data(), n, epilogue, executor);
              Epilogue other = epilogue;
              other.residual = in_place.data();
              kernels::gemm(rows, n, k, a.data(), k, {b.packed.data(), format}, in_place.data(), n, other, executor);
              CHECK(std::memcmp(expected.data(), in_place.data(), expected.size() * sizeof(float)) == 0);
            }
          }
    }
}

TEST_CASE("gemm: a product of no inputs with weights in blocks is zeros, and one of no rows or columns nothing") {
  SerialExecutor executor;
  std::vector<float> c(6, -1.0f);
  kernels::gemm(2, 3, 0, nullptr, 0, {nullptr, WeightFormat::q4_1}, c.data(), 3, {}, executor);
  CHECK(c == std::vector<float>(6, 0.0f));
  kernels::gemm(0, 5, 32, nullptr, 32, {nullptr, WeightFormat::q8_0}, nullptr, 5, {}, executor);
  kernels::gemm(5, 0, 32, nullptr, 32, {nullptr, WeightFormat::q8_0}, nullptr, 0, {}, executor);
}
