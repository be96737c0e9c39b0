// Products with weights in blocks: the bits of a reference in plain C++, for any rows, columns, epilogue and threads.
#include <axiform/core/block_panels.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/block_scales.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packed_blocks.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "support/executor.hpp"
#include "support/random_floats.hpp"

using namespace axiform;
using test::random_floats;
using kernels::Epilogue;

namespace {

std::vector<WeightFormat> const block_formats{WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k};

// Blocks of any bits, with scales of at most 2 in magnitude, some of them subnormal: more than rounding gives.
std::vector<std::byte> random_blocks(WeightFormat format, std::size_t weights, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::byte> blocks(bytes_of(format, weights));
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(generator());
  BlockParts const parts = parts_of_block(format);
  std::size_t const size = parts.bytes();
  for (std::size_t i = 0; i < blocks.size() / size; ++i)
    for (std::size_t j = 0; j < parts.halves; ++j) {
      auto const half = static_cast<std::uint16_t>((generator() & 0x8000u) | generator() % 0x4000u);
      std::memcpy(blocks.data() + i * size + 2 * j, &half, 2);
    }
  return blocks;
}

// A matrix [n, k] in blocks, and packed.
struct Matrix {
  WeightFormat format;
  std::size_t n, k;
  std::vector<std::byte> rows, packed;

  Matrix(WeightFormat of, std::size_t outputs, std::size_t inputs)
      : format(of), n(outputs), k(inputs), rows(random_blocks(of, n * k, 1)), packed(bytes_of(of, kernels::packed_block_weights(k, n))) {
    for (std::size_t o = 0; o < n; ++o)
      pack_blocks(format, row(o), layout().panels(format, packed.data()), o, 0, k / weights_of_block(format));
  }
  kernels::BlockLayout layout() const { return {k, n}; }
  std::byte const* row(std::size_t output) const { return rows.data() + output * bytes_of(format, k); }
};

float half_at(std::byte const* source) {
  std::uint16_t half;
  std::memcpy(&half, source, sizeof half);
  return float_from_half(half);
}

// a * b + c as the instruction set's fma has it.
float fused(float a, float b, float c) { return simd::has_fma ? std::fma(a, b, c) : a * b + c; }

// A group of an output: what its weights are.
struct Group {
  float scale, minimum;
  int numbers[32];
};

Group group_of(Matrix const& b, std::size_t output, std::size_t g) {
  Group group{};
  if (b.format == WeightFormat::q4_k) {
    std::byte const* const block = b.row(output) + g / 8 * 144;
    std::size_t const place = g % 8;
    auto const byte = [=](std::size_t i) { return std::to_integer<int>(block[4 + i]); };
    int scale = byte(place) & 63, minimum = byte(place + 4) & 63;
    if (place >= 4) {  // as ggml's get_scale_min_k4 has it
      scale = (byte(place + 4) & 15) | (byte(place - 4) >> 6 << 4);
      minimum = (byte(place + 4) >> 4) | (byte(place) >> 6 << 4);
    }
    group.scale = half_at(block) * static_cast<float>(scale);
    group.minimum = -(half_at(block + 2) * static_cast<float>(minimum));
    for (std::size_t i = 0; i < 32; ++i) group.numbers[i] = std::to_integer<int>(block[16 + place / 2 * 32 + i] >> 4 * (place % 2)) & 15;
    return group;
  }
  std::byte const* const block = b.row(output) + g * bytes_of(b.format, 32);
  bool const has_minimum = b.format == WeightFormat::q4_1;
  group.scale = half_at(block);
  if (has_minimum) group.minimum = half_at(block + 2);
  for (std::size_t i = 0; i < 32; ++i) {
    std::byte const pair = block[(has_minimum ? 4 : 2) + i % 16];
    group.numbers[i] = b.format == WeightFormat::q8_0
                           ? static_cast<std::int8_t>(block[2 + i])
                           : std::to_integer<int>(i < 16 ? pair & std::byte{15} : pair >> 4) - (has_minimum ? 0 : 8);
  }
  return group;
}

// The product of a row with an output, as kernels/integer_product.hpp says.
float reference(Matrix const& b, float const* a, std::size_t output) {
  bool const has_minimum = parts_of_block(b.format).halves == 2;
  float sum = 0.0f;
  for (std::size_t g = 0; g < b.k / 32; ++g, a += 32) {
    float greatest = 0.0f;
    for (std::size_t i = 0; i < 32; ++i) greatest = std::max(greatest, std::abs(a[i]));
    float const scale = greatest < 0x1p-100f ? 0.0f : greatest / 127.0f;
    float const inverse = greatest < 0x1p-100f ? 0.0f : 127.0f / greatest;
    Group const group = group_of(b, output, g);
    int product = 0, total = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      int const number = static_cast<int>(std::nearbyint(a[i] * inverse));
      product += number * group.numbers[i];
      total += number;
    }
    sum = fused(static_cast<float>(product) * scale, group.scale, sum);
    if (has_minimum) sum = fused(group.minimum, scale * static_cast<float>(total), sum);
  }
  return sum;
}

// Rows of A, and their product with a matrix as the reference has it.
struct Expected {
  std::size_t a_stride, c_stride, c_size;
  std::vector<float> a, c;

  Expected(Matrix const& b, std::size_t m)
      : a_stride(b.k + 3), c_stride(b.n + 5), c_size(m * c_stride + 1), a(random_floats(m * a_stride + 1, 2)), c(c_size, 12345.0f) {
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < b.n; ++j) c[1 + i * c_stride + j] = reference(b, a.data() + 1 + i * a_stride, j);
  }
};

std::byte* scratch_for(WeightFormat format, std::size_t m, std::size_t k) {
  static std::vector<std::byte> memory;
  memory.assign(kernels::gemm_scratch_bytes(format, m, k) + 64, std::byte{0xee});
  return memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64);
}

// Whether the product of the first `m` rows has the bits expected, and leaves what is between the rows of C.
bool same_as_reference(Matrix const& b, Expected const& expected, std::size_t m, Executor& executor) {
  std::vector<float> found(expected.c_size, 12345.0f);
  kernels::gemm(m, b.n, b.k, expected.a.data() + 1, expected.a_stride, {b.packed.data(), b.format}, found.data() + 1, expected.c_stride, {},
                executor, scratch_for(b.format, m, b.k));
  return std::memcmp(expected.c.data(), found.data(), m * expected.c_stride * sizeof(float)) == 0 &&
         std::all_of(found.begin() + std::ptrdiff_t(1 + m * expected.c_stride), found.end(), [](float value) { return value == 12345.0f; });
}

}  // namespace

TEST_CASE("packed blocks: what was packed is unpacked, whole and in parts, and no memory is needed but that of whole panels of blocks") {
  for (WeightFormat format : block_formats)
    for (std::size_t n : {1u, 16u, 35u}) {
      Matrix const matrix(format, n, 5 * weights_of_block(format));
      CHECK(matrix.packed.size() == (n + 15) / 16 * 16 * bytes_of(format, matrix.k));
      std::size_t const size = parts_of_block(format).bytes();
      CHECK(size == bytes_of(format, weights_of_block(format)));
      for (std::size_t o = 0; o < n; ++o)
        for (auto const& [first, count] : {std::pair<std::size_t, std::size_t>{0, 5}, {0, 1}, {2, 3}, {4, 1}}) {
          std::vector<std::byte> blocks(count * size);
          unpack_blocks(format, matrix.layout().panels(format, matrix.packed.data()), o, first, count, blocks.data());
          REQUIRE(std::memcmp(blocks.data(), matrix.row(o) + first * size, blocks.size()) == 0);
        }
    }
}

TEST_CASE("packed blocks: the layout is the same for every instruction set") {
  // Output 17 is the second of the second panel; inputs 32 to 63 are the second of three groups.
  Matrix const matrix(WeightFormat::q8_0, 33, 96);
  std::byte const* const block = matrix.row(17) + bytes_of(WeightFormat::q8_0, 32);
  std::size_t const group = 1 * 3 + 1;
  for (std::size_t i = 0; i < 32; ++i) CHECK(matrix.packed[group * 512 + i / 4 * 64 + 1 * 4 + i % 4] == (block[2 + i] ^ std::byte{0x80}));
  for (std::size_t i = 0; i < 2; ++i) CHECK(matrix.packed[3 * 3 * 512 + (group * 16 + 1) * 2 + i] == block[i]);

  Matrix const small(WeightFormat::q4_1, 33, 96);
  std::byte const* const pairs = small.row(17) + bytes_of(WeightFormat::q4_1, 32);
  for (std::size_t i = 0; i < 16; ++i) CHECK(small.packed[group * 256 + i / 4 * 64 + 1 * 4 + i % 4] == pairs[4 + i]);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(small.packed[3 * 3 * 256 + (group * 32 + 1) * 2 + i] == pairs[i]);
    CHECK(small.packed[3 * 3 * 256 + (group * 32 + 16 + 1) * 2 + i] == pairs[2 + i]);
  }

  // Of q4_k the second of three blocks, and its groups 4 and 5, whose numbers the third 32 bytes have.
  Matrix const large(WeightFormat::q4_k, 33, 768);
  std::byte const* const whole = large.row(17) + 144;
  for (std::size_t i = 0; i < 32; ++i)
    for (std::size_t half = 0; half < 2; ++half) {
      std::byte const packed = large.packed[(group * 8 + 4 + half) * 256 + i % 16 / 4 * 64 + 1 * 4 + i % 4];
      CHECK((packed >> (i < 16 ? 0 : 4) & std::byte{15}) == (whole[16 + 64 + i] >> (half == 0 ? 0 : 4) & std::byte{15}));
    }
  std::byte const* const scales = large.packed.data() + 3 * 3 * 2048 + group * 256;
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(scales[1 * 2 + i] == whole[i]);
    CHECK(scales[32 + 1 * 2 + i] == whole[2 + i]);
  }
  for (std::size_t i = 0; i < 12; ++i) CHECK(scales[64 + i / 4 * 64 + 1 * 4 + i % 4] == whole[4 + i]);
}

TEST_CASE("packed blocks: scales and minima of a panel as floats are those of its groups") {
  for (WeightFormat format : block_formats) {
    Matrix const matrix(format, 35, 3 * weights_of_block(format));
    kernels::with_block_weights(format, [&]<class Blocks>(Blocks) {
      constexpr std::size_t of_group = kernels::TileScales<Blocks>::group_elements, first = Blocks::groups_of_block;
      std::vector<float> found(2 * Blocks::groups_of_block * of_group);
      auto const panels = matrix.layout().panels(format, matrix.packed.data());
      kernels::widen_scales<Blocks>(panels.scales + (2 * 3 + 1) * Blocks::block_scale_bytes, 2, 0, found.data());
      for (std::size_t g = 0; g < 2 * Blocks::groups_of_block; ++g)
        for (std::size_t lane = 0; lane < 3; ++lane) {
          Group const group = group_of(matrix, 32 + lane, first + g);
          CHECK(found[g * of_group + lane] == group.scale);
          if (Blocks::has_minimum) CHECK(found[g * of_group + 16 + lane] == group.minimum);
        }
    });
  }
}

TEST_CASE("gemm: weights in blocks give the bits of the reference, for every remainder of rows, columns and groups") {
  SerialExecutor executor;
  for (WeightFormat format : block_formats) {
    CAPTURE(name_of(format));
    for (std::size_t n = 1; n <= 102; n += n < 36 ? 1 : 11) {
      Matrix const b(format, n, weights_of_block(format) * (1 + n % 3));
      Expected const expected(b, 27);
      for (std::size_t m = 1; m <= 27; m += m < 14 ? 1 : 3) CHECK(same_as_reference(b, expected, m, executor));
    }
    std::size_t const step = weights_of_block(format);
    for (std::size_t k = step; k <= 2048; k += step + k / (5 * step) * step) {  // in one part and in several
      Matrix const b(format, 67, k);
      Expected const expected(b, 13);
      for (std::size_t m : {1u, 2u, 5u, 13u}) CHECK(same_as_reference(b, expected, m, executor));
    }
    Matrix const b(format, 51, step == 32 ? 1056 : 1280);
    CHECK(same_as_reference(b, Expected(b, 301), 301, executor));  // several blocks of rows
  }
}

TEST_CASE(
    "gemm: weights in blocks give the bits of the reference with every epilogue and on any number of threads, a residual in place "
    "included") {
  std::size_t const m = 50;
  for (WeightFormat format : block_formats)
    for (std::size_t n : {5u, 99u, 576u}) {
      std::size_t const k = format == WeightFormat::q4_k ? 512 : 320;
      Matrix const b(format, n, k);
      auto const a = random_floats(m * k, 2), bias = random_floats(n, 3), residual = random_floats(m * n, 4);
      std::vector<float> products(m * n);
      for (std::size_t i = 0; i < m * n; ++i) products[i] = reference(b, a.data() + i / n * k, i % n);
      for (auto kind : {Activation::none, Activation::gelu})
        for (bool with_residual : {false, true}) {
          std::vector<float> expected = products;
          for (std::size_t i = 0; i < m * n; ++i) expected[i] += bias[i % n];
          kernels::activate_rows(kind, expected.data(), n, m, n);
          for (std::size_t i = 0; with_residual && i < m * n; ++i) expected[i] += residual[i];
          for (std::size_t threads : {1u, 2u, 3u, 16u}) {
            TestExecutor executor(threads);
            for (std::size_t rows : {std::size_t{1}, std::size_t{4}, std::size_t{15}, m}) {
              std::vector<float> found(rows * n), in_place(residual.begin(), residual.begin() + std::ptrdiff_t(rows * n));
              Epilogue epilogue{
                  .bias = bias.data(), .activation = kind, .residual = with_residual ? residual.data() : nullptr, .residual_stride = n};
              auto const run = [&](std::vector<float>& c) {
                kernels::gemm(rows, n, k, a.data(), k, {b.packed.data(), format}, c.data(), n, epilogue, executor,
                              scratch_for(format, rows, k));
                return std::memcmp(expected.data(), c.data(), c.size() * sizeof(float)) == 0;
              };
              CHECK(run(found));
              if (!with_residual) continue;
              epilogue.residual = in_place.data();
              CHECK(run(in_place));
            }
          }
        }
    }
}

TEST_CASE("gemm: rows of tiny numbers are zeros to weights in blocks, and those with an infinity or NaN give NaN") {
  SerialExecutor executor;
  for (WeightFormat format : block_formats) {
    std::size_t const k = 2 * weights_of_block(format);
    Matrix const b(format, 20, k);
    std::vector<float> a(4 * k, 1.0f), c(4 * 20);
    std::fill_n(a.begin(), k, 0x1p-101f);
    a[k + 33] = std::numeric_limits<float>::infinity();
    a[2 * k + 5] = -std::numeric_limits<float>::quiet_NaN();
    std::fill_n(a.begin() + std::ptrdiff_t(3 * k), k, 0x1p+100f);
    kernels::gemm(4, 20, k, a.data(), k, {b.packed.data(), format}, c.data(), 20, {}, executor, scratch_for(format, 4, k));
    for (std::size_t j = 0; j < 20; ++j) {
      CHECK(c[j] == 0.0f);
      CHECK(std::isnan(c[20 + j]));
      CHECK(std::isnan(c[40 + j]));
      CHECK_FALSE(std::isnan(c[60 + j]));
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
