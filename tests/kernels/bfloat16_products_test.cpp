// Products of bfloat16: where a panel has each weight, what a row is rounded to, and the bits of every sum against a plain model of the instruction, numbers
// below the normal ones among them.
#include <axiform/core/memory.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/packed_pairs.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include "support/executor.hpp"
#include "support/random_floats.hpp"

namespace {

using namespace axiform;

constexpr bool has_tiles = simd::bfloat16_products == simd::Bfloat16Products::of_tiles;

// What the instruction takes a number for, and gives: a zero of its sign where it is below the normal ones. Elsewhere floats are what they are.
float without_subnormals(float value) {
  return simd::has_bfloat16_products && std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
}

float multiply_add(float a, float b, float sum) {
  if (!simd::has_fma) return a * b + sum;
  return without_subnormals(std::fma(without_subnormals(a), without_subnormals(b), without_subnormals(sum)));
}

bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

// bfloat16 of any bits: infinities, NaN, subnormals; or of like size, whose sums round and cancel.
std::vector<float> bfloat16_numbers(std::size_t count, std::uint64_t seed, bool any) {
  Philox const random(seed);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t const bits = random(0, i)[0];
    // Exponents of the second kind lie around those whose products are the least normal numbers.
    values[i] = std::bit_cast<float>((any ? bits : (bits & 0x80ff0000u) | (56 + (bits & 15)) << 23) & 0xffff0000u);
  }
  return values;
}

// The sum of products of `k` numbers, as `gemm` has it.
float sum_of_products(float const* a, float const* b, std::size_t k) {
  float sum = 0.0f;
  if (has_tiles) {
    for (std::size_t first = 0; first < k; first += 32) {
      float even = 0.0f, odd = 0.0f;
      for (std::size_t i = first; i < std::min(k, first + 32); ++i)
        (i % 2 == 0 ? even : odd) = multiply_add(a[i], b[i], i % 2 == 0 ? even : odd);
      sum = without_subnormals(sum + without_subnormals(even + odd));
    }
    return sum;
  }
  for (std::size_t i = 0; i < k; ++i) sum = multiply_add(a[i], b[i], sum);
  // The pair of the last of an odd number is made of zeros.
  return simd::has_bfloat16_products && k % 2 != 0 ? sum + 0.0f : sum;
}

}  // namespace

TEST_CASE("pairs: every weight of a panel has a place of its own, the first of two inputs above the second") {
  for (std::size_t inputs : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{12}}) {
    std::vector<int> taken(inputs * kernels::panel_width);
    for (std::size_t input = 0; input < inputs; ++input)
      for (std::size_t column = 0; column < kernels::panel_width; ++column) ++taken.at(kernels::place_in_pairs(input, column, inputs));
    CHECK(taken == std::vector<int>(taken.size(), 1));
  }
  CHECK(kernels::place_in_pairs(0, 3, 2) == kernels::place_in_pairs(1, 3, 2) + 1);
  CHECK(kernels::place_in_pairs(4, 3, 5) == 4 * kernels::panel_width + 3);
}

TEST_CASE("pairs: parts of inputs and columns that were written are read and added, and nothing else changes") {
  constexpr std::size_t width = kernels::panel_width;
  for (std::size_t inputs : {std::size_t{6}, std::size_t{9}}) {
    auto const values = test::random_floats(inputs * width, 1);
    std::vector<std::uint16_t> panel(inputs * width, 0x4242);
    for (std::size_t first = 0; first < inputs; first += 4)
      kernels::write_pairs(values.data() + first * width + 1, width, first, std::min<std::size_t>(3, inputs - first), 1, width - 2, inputs,
                           panel.data());
    std::size_t wrong = 0;
    for (std::size_t column = 0; column < width; ++column) {
      std::vector<float> read(inputs), sums(inputs, 1.0f);
      kernels::read_pairs(panel.data(), column, inputs, read.data());
      kernels::add_pairs(panel.data(), column, inputs, sums.data());
      for (std::size_t i = 0; i < inputs; ++i) {
        bool const written = i % 4 < 3 && column > 0 && column + 1 < width;
        float const expected = written ? rounded_to(WeightFormat::bf16, values[i * width + column]) : float_from_bfloat16(0x4242);
        wrong += !same(read[i], expected) + !same(sums[i], 1.0f + expected);
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("bfloat16 products: a step is two sums, the upper halves first, each rounded to the nearest, without subnormals") {
  constexpr std::size_t steps = 20'000;
  for (bool any : {true, false}) {
    auto const a = bfloat16_numbers(2 * steps, 1, any), b = bfloat16_numbers(2 * steps, 2, any);
    auto sums = bfloat16_numbers(steps, 3, any);
    for (std::size_t i = 0; i < steps && !any; ++i) sums[i] *= 0x1p-63f;  // as large as the products
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < steps; ++i) {
      auto const pair = [&](std::vector<float> const& of) {
        std::uint32_t const upper = std::bit_cast<std::uint32_t>(of[2 * i]), lower = std::bit_cast<std::uint32_t>(of[2 * i + 1]) >> 16;
        return simd::broadcast(std::bit_cast<float>(upper | lower));
      };
      float const expected = multiply_add(a[2 * i + 1], b[2 * i + 1], multiply_add(a[2 * i], b[2 * i], sums[i]));
      wrong += !same(simd::multiply_pairs(pair(a), pair(b), simd::broadcast(sums[i])).get(0), expected);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("bfloat16 products: a row is rounded to the nearest, ties to even, with zeros behind it and for subnormals") {
  Philox const random(4);
  for (std::size_t k = 1; k <= 4 * simd::lanes + 1; ++k) {
    std::vector<float> row(k);
    for (std::size_t i = 0; i < k; ++i) {
      std::uint32_t const bits = random(k, i)[0];
      row[i] = std::bit_cast<float>(i % 3 == 0 ? (bits & 0xffff0000u) | 0x8000u : i % 3 == 1 ? bits & 0x80ffffffu : bits);
    }
    std::vector<float> words(kernels::words_of_row(k) + 1, 1.0f);
    kernels::round_to_pairs(row.data(), k, words.data());
    std::size_t wrong = words.back() != 1.0f;
    for (std::size_t i = 0; i < 2 * kernels::words_of_row(k); ++i) {
      std::uint32_t const word = std::bit_cast<std::uint32_t>(words[i / 2]);
      float const expected = i < k ? rounded_to(WeightFormat::bf16, without_subnormals(row[i])) : 0.0f;
      wrong += !same(std::bit_cast<float>(i % 2 == 0 ? word & 0xffff0000u : word << 16), expected);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("bfloat16 products: every sum has the bits of the model, for any rows, inputs and threads, subnormals among them") {
  constexpr std::size_t n = kernels::panel_width + 3;
  for (std::size_t k : {std::size_t{1}, std::size_t{2}, std::size_t{31}, std::size_t{64}, std::size_t{600}, std::size_t{2301}}) {
    std::size_t const m = 103;  // with tiles of 16 rows: some by two, one alone, and a last one of a few
    // Sizes around the least normal number and its root, so that products and sums fall below it and rise again.
    auto const a = bfloat16_numbers(m * k, k, false), weight = bfloat16_numbers(n * k, k + 1, false);
    std::vector<float> panels(kernels::packed_floats(k, n));
    kernels::pack_panels(k, n, weight.data(), k, 1, panels.data(), 0, kernels::panel_count(n));
    std::vector<std::uint16_t> b(panels.size());
    for (std::size_t place = 0; place < panels.size(); place += k * kernels::panel_width)
      kernels::write_pairs(panels.data() + place, kernels::panel_width, 0, k, 0, kernels::panel_width, k, b.data() + place);
    std::vector<float> expected(m * n);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        expected[i * n + j] = sum_of_products(a.data() + i * k, weight.data() + j * k, k);
      }
    for (std::size_t rows : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{17}, std::size_t{51}, m})
      for (std::size_t threads : {1, 3}) {
        TestExecutor executor(threads);
        std::vector<float> found(rows * n, -1.0f);
        Buffer scratch(kernels::gemm_scratch_bytes(WeightFormat::bf16, rows, k) + 1);
        for (std::size_t first = 0; first + rows <= m; first += rows) {
          kernels::gemm(rows, n, k, a.data() + first * k, k, {b.data(), WeightFormat::bf16}, found.data(), n, {}, executor,
                        static_cast<std::byte*>(scratch.data()));
          std::size_t wrong = 0;
          for (std::size_t i = 0; i < rows * n; ++i) wrong += !same(found[i], expected[first * n + i]);
          CHECK(wrong == 0);
        }
      }
  }
}

TEST_CASE("bfloat16 products: results that are rounded for the next product are those of their floats, also of sums of nothing") {
  if (!kernels::can_round_results(WeightFormat::bf16)) return;
  using kernels::PairRows;
  for (std::size_t k : {std::size_t{0}, std::size_t{70}, std::size_t{300}})
    for (std::size_t n : {std::size_t{3}, std::size_t{64}, std::size_t{100}, std::size_t{192}}) {
      // As many as the next product takes, too.
      auto const weight = test::random_floats(kernels::packed_floats(std::max(k, n), n), 1), bias = test::random_floats(n, 2);
      std::vector<std::uint16_t> b(weight.size());
      for (std::size_t i = 0; i < b.size(); ++i) b[i] = bfloat16_from_float(weight[i]);
      for (std::size_t m : {1, 2, 3, 20, 70})
        for (std::size_t threads : {1, 3}) {
          CAPTURE(k);
          CAPTURE(n);
          CAPTURE(m);
          CAPTURE(threads);
          TestExecutor executor(threads);
          auto const a = test::random_floats(m * k + 1, 3);
          Buffer const scratch(kernels::gemm_scratch_bytes(WeightFormat::bf16, m, k)), expected_memory(PairRows{m, n, nullptr}.bytes()),
              found_memory(PairRows{m, n, nullptr}.bytes());
          PairRows const expected{m, n, static_cast<float*>(expected_memory.data())}, found{m, n, static_cast<float*>(found_memory.data())};
          std::vector<float> floats(m * n), next(m * n), next_of_rounded(m * n);
          auto const multiply = [&](float const* rows, std::size_t inputs, void* memory, kernels::Epilogue const& behind, float* target) {
            kernels::gemm(m, n, inputs, rows, inputs, {b.data(), WeightFormat::bf16}, target, n, behind, executor,
                          static_cast<std::byte*>(memory));
          };
          kernels::Epilogue epilogue{.bias = bias.data(), .activation = Activation::gelu};
          multiply(a.data(), k, scratch.data(), epilogue, floats.data());
          if (k == 0) CHECK(floats.back() != 0.0f);
          kernels::detail::round_rows(floats.data(), n, 0, m, expected);
          epilogue.rounded = static_cast<std::byte*>(found_memory.data());
          multiply(a.data(), k, scratch.data(), epilogue, nullptr);
          std::size_t wrong = 0;
          for (std::size_t row = 0; row < m; ++row)
            for (std::size_t chunk = 0; chunk < found.chunks(); ++chunk)
              wrong += std::memcmp(found.at(row, chunk), expected.at(row, chunk), PairRows::chunk_words * sizeof(float)) != 0;
          CHECK(wrong == 0);
          multiply(floats.data(), n, expected_memory.data(), {}, next.data());
          multiply(nullptr, n, found_memory.data(), {}, next_of_rounded.data());
          CHECK(std::ranges::equal(next, next_of_rounded, same));
        }
    }
}

#if defined(AXIFORM_HAS_AMX)

TEST_CASE("bfloat16 products: by vectors, where a process may not use tiles, they have the bits of tiles") {
  if (!simd::may_use_tiles()) return;
  for (std::size_t k : {std::size_t{32}, std::size_t{77}, std::size_t{768}}) {
    constexpr std::size_t m = 77, n = 2 * kernels::panel_width + 5;
    auto const a = bfloat16_numbers(m * k, k, false), weight = bfloat16_numbers(kernels::packed_floats(k, n), k + 1, false);
    std::vector<std::uint16_t> b(weight.size());
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = bfloat16_from_float(weight[i]);
    Buffer scratch(kernels::PairRows{m, k, nullptr}.bytes());
    kernels::PairRows const rows{m, k, static_cast<float*>(scratch.data())};
    kernels::detail::round_rows(a.data(), k, 0, m, rows);
    std::vector<float> by_tiles(m * n), by_vectors(m * n);
    kernels::Epilogue const epilogue;
    kernels::detail::PairProduct{rows, n, b.data(), by_tiles.data(), n, epilogue}.run_by_tiles(0, m, 0, kernels::panel_count(n));
    kernels::detail::PairProduct{rows, n, b.data(), by_vectors.data(), n, epilogue}.run_by_vectors(0, m, 0, kernels::panel_count(n));
    CHECK(std::ranges::equal(by_tiles, by_vectors, same));
  }
}

#endif
