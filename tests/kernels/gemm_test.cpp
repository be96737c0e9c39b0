// The packed matrix product: packing, every remainder of its sizes, epilogues, formats of weights, what it must not write, and the same bits however it is
// split.
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/tiles_on_threads.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <axiform/core/memory.hpp>

#include "support/executor.hpp"
#include "support/random_floats.hpp"

namespace {

using namespace axiform;
using kernels::Epilogue;
using test::random_floats;

// A weight [n, k] in packed form.
std::vector<float> packed(std::size_t n, std::size_t k, std::vector<float> const& weight) {
  std::vector<float> panels(kernels::packed_floats(k, n), std::numeric_limits<float>::quiet_NaN());
  kernels::pack_panels(k, n, weight.data(), k, 1, panels.data(), 0, kernels::panel_count(n));
  return panels;
}

std::vector<float> product(std::size_t m, std::size_t n, std::size_t k, std::vector<float> const& a, std::vector<float> const& b,
                           Epilogue const& epilogue, Executor& executor) {
  std::vector<float> c(m * n);
  kernels::gemm(m, n, k, a.data(), k, b.data(), c.data(), n, epilogue, executor);
  return c;
}

bool same_bits(float const* a, float const* b, std::size_t count) { return std::memcmp(a, b, count * sizeof(float)) == 0; }

double activation_reference(Activation kind, double x) {
  switch (kind) {
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case Activation::relu:
      return x > 0.0 ? x : 0.0;
    case Activation::tanh:
      return std::tanh(x);
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    default:
      return x;
  }
}

// Compares a whole product with one in float64, A and C misaligned, with odd strides, and guards around C.
void check_product(std::size_t m, std::size_t n, std::size_t k) {
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  std::size_t const a_stride = k + 3;
  std::size_t const c_stride = n + 5;
  auto const a = random_floats(m * a_stride + 1, 1);
  auto const weight = random_floats(n * k, 2);
  auto const b = packed(n, k, weight);
  float const guard = 12345.0f;
  std::vector<float> c(m * c_stride + 1, guard);
  SerialExecutor executor;
  kernels::gemm(m, n, k, a.data() + 1, a_stride, b.data(), c.data() + 1, c_stride, {}, executor);

  bool close = true;
  bool guards_hold = c[0] == guard;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0.0;
      double magnitude = 0.0;
      for (std::size_t l = 0; l < k; ++l) {
        double const term = double(a[1 + i * a_stride + l]) * double(weight[j * k + l]);
        sum += term;
        magnitude += std::fabs(term);
      }
      // Each of the k steps rounds the sum, which is at most the magnitude, to 24 bits (twice without fma).
      close = close && std::fabs(double(c[1 + i * c_stride + j]) - sum) <= 1.2e-7 * double(k) * magnitude;
    }
    for (std::size_t j = n; j < c_stride; ++j) guards_hold = guards_hold && c[1 + i * c_stride + j] == guard;
  }
  CHECK(close);
  CHECK(guards_hold);
}

}  // namespace

TEST_CASE("packing: both orientations give the same panels, parts give the whole, padding is zero") {
  for (std::size_t n : {1, 7, 8, 16, 17, 64, 65, 150})
    for (std::size_t k : {1, 2, 15, 16, 33}) {
      auto const weight = random_floats(n * k, 3);
      std::vector<float> transposed(n * k);
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < k; ++i) transposed[i * n + j] = weight[j * k + i];
      auto const rows = packed(n, k, weight);
      std::vector<float> columns(rows.size(), -1.0f);
      for (std::size_t panel = kernels::panel_count(n); panel-- > 0;)
        kernels::pack_panels(k, n, transposed.data(), 1, n, columns.data(), panel, panel + 1);
      CHECK(same_bits(rows.data(), columns.data(), rows.size()));

      std::size_t const last = kernels::panel_count(n) - 1;
      bool zero = true;
      for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = n - last * kernels::panel_width; j < kernels::panel_width; ++j)
          zero = zero && rows[(last * k + i) * kernels::panel_width + j] == 0.0f;
      CHECK(zero);
    }
}

TEST_CASE("gemm: every remainder of rows, columns and k agrees with a float64 product, and nothing else is written") {
  for (std::size_t m = 1; m <= 13; ++m)
    for (std::size_t n = 1; n <= 2 * simd::lanes + 1; ++n) check_product(m, n, 1 + (m * 7 + n) % 13);
  for (std::size_t m = 1; m <= 13; ++m)
    for (std::size_t n = kernels::panel_width - 1; n <= 4 * kernels::panel_width + 1; n += simd::lanes / 2 - 1) check_product(m, n, 19);
  for (std::size_t k = 1; k <= 40; ++k) check_product(1 + k % 7, kernels::panel_width * 2 + 3, k);
  check_product(37, 133, 257);
}

TEST_CASE("gemm: bias, activation and residual follow the product in this order") {
  std::size_t const m = 9, k = 23;
  SerialExecutor executor;
  for (std::size_t n : {std::size_t{5}, kernels::panel_width, 3 * kernels::panel_width + 3, 9 * kernels::panel_width})
    for (auto kind : {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh, Activation::silu}) {
      auto const a = random_floats(m * k, 4);
      auto const b = packed(n, k, random_floats(n * k, 5));
      auto const bias = random_floats(n, 6);
      auto const residual = random_floats(m * (n + 3), 7);
      auto const plain = product(m, n, k, a, b, {}, executor);
      for (bool with_bias : {false, true})
        for (bool with_residual : {false, true}) {
          Epilogue epilogue{.bias = with_bias ? bias.data() : nullptr, .activation = kind};
          if (with_residual) {
            epilogue.residual = residual.data();
            epilogue.residual_stride = n + 3;
          }
          auto const fused = product(m, n, k, a, b, epilogue, executor);
          double worst = 0.0;
          for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) {
              double expected = activation_reference(kind, double(plain[i * n + j]) + (with_bias ? double(bias[j]) : 0.0));
              if (with_residual) expected += double(residual[i * (n + 3) + j]);
              worst = std::max(worst, std::fabs(expected - double(fused[i * n + j])));
            }
          CHECK(worst < 2e-6);  // sums of up to about 8, a few roundings
        }
    }
}

TEST_CASE("gemm: the residual may be the target itself") {
  std::size_t const m = 8, k = 31;
  SerialExecutor executor;
  for (std::size_t n : {std::size_t{3}, 2 * kernels::panel_width, 2 * kernels::panel_width + 1})
    for (auto kind : {Activation::none, Activation::gelu}) {
      auto const a = random_floats(m * k, 8);
      auto const b = packed(n, k, random_floats(n * k, 9));
      auto const bias = random_floats(n, 10);
      auto const residual = random_floats(m * n, 11);
      Epilogue epilogue{.bias = bias.data(), .activation = kind, .residual = residual.data(), .residual_stride = n};
      auto const apart = product(m, n, k, a, b, epilogue, executor);
      auto in_place = residual;
      epilogue.residual = in_place.data();
      kernels::gemm(m, n, k, a.data(), k, b.data(), in_place.data(), n, epilogue, executor);
      CHECK(same_bits(apart.data(), in_place.data(), apart.size()));
    }
}

TEST_CASE("gemm: a row has the same bits by itself, in any number of rows and on any number of threads") {
  std::size_t const most = 40, k = 95;
  for (std::size_t n : {std::size_t{2}, std::size_t{65}, 11 * kernels::panel_width + 5}) {
    auto const a = random_floats(most * k, 12);
    auto const b = packed(n, k, random_floats(n * k, 13));
    auto const bias = random_floats(n, 14);
    auto const residual = random_floats(most * n, 15);
    SerialExecutor serial;
    auto const whole = product(
        most, n, k, a, b, {.bias = bias.data(), .activation = Activation::gelu, .residual = residual.data(), .residual_stride = n}, serial);
    bool same = true;
    for (std::size_t first = 0; first < most; ++first)
      for (std::size_t m : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, most - first}) {
        if (first + m > most) continue;
        std::vector<float> c(m * n);
        kernels::gemm(m, n, k, a.data() + first * k, k, b.data(), c.data(), n,
                      {.bias = bias.data(), .activation = Activation::gelu, .residual = residual.data() + first * n, .residual_stride = n},
                      serial);
        same = same && same_bits(c.data(), whole.data() + first * n, m * n);
      }
    CHECK(same);
    for (std::size_t threads : {1, 2, 3, 7, 64}) {
      TestExecutor executor(threads);
      auto const split =
          product(most, n, k, a, b,
                  {.bias = bias.data(), .activation = Activation::gelu, .residual = residual.data(), .residual_stride = n}, executor);
      CHECK(same_bits(split.data(), whole.data(), whole.size()));
    }
  }
}

TEST_CASE("gemm: threads share rows and columns of large products without changing a bit") {
  std::size_t const k = 300;
  for (std::size_t m : {std::size_t{1}, std::size_t{4}, std::size_t{50}, std::size_t{129}}) {
    std::size_t const n = 500;
    auto const a = random_floats(m * k, 16);
    auto const b = packed(n, k, random_floats(n * k, 17));
    SerialExecutor serial;
    auto const whole = product(m, n, k, a, b, {}, serial);
    for (std::size_t threads : {2, 3, 5, 16}) {
      TestExecutor executor(threads);
      CHECK(same_bits(product(m, n, k, a, b, {}, executor).data(), whole.data(), whole.size()));
    }
  }
}

TEST_CASE("gemm: the parts that threads get cover each tile and panel once, and are some for each thread where there is much to do") {
  struct Threads final : Executor {
    explicit Threads(std::size_t threads) : count(threads) {}
    std::size_t count;
    std::size_t parts = 1;
    std::size_t concurrency() const noexcept override { return count; }
    void parallel_for(std::size_t tasks, FunctionRef<void(std::size_t)> task) override {
      parts = tasks;
      for (std::size_t i = tasks; i-- > 0;) task(i);
    }
  };
  for (std::size_t threads : {1, 2, 3, 8})
    for (std::size_t tiles : {1, 3, 22, 171})
      for (std::size_t panels : {1, 12, 48})
        for (std::size_t shares : {0, 1, 3000, 1000000}) {
          INFO(threads, " threads, ", tiles, " tiles, ", panels, " panels, ", shares, " shares");
          Threads executor(threads);
          std::vector<int> runs(tiles * panels);
          kernels::run_tiles(tiles, panels, shares, executor, [&](std::size_t first, std::size_t last, std::size_t from, std::size_t to) {
            for (std::size_t i = first; i < last; ++i)
              for (std::size_t j = from; j < to; ++j) ++runs[i * panels + j];
          });
          CHECK(runs == std::vector<int>(tiles * panels, 1));
          CHECK(executor.parts <= 4 * threads);
          CHECK((executor.parts > threads) == (threads > 1 && shares / 1024 >= 2 * threads));
        }
}

TEST_CASE("gemm: many long rows, whose k is taken in parts, have the bits of each row by itself") {
  std::size_t const m = 50, n = 2 * kernels::panel_width + 3, k = 2500;
  auto const a = random_floats(m * k, 20);
  auto const b = packed(n, k, random_floats(n * k, 21));
  auto const bias = random_floats(n, 22);
  auto const residual = random_floats(m * n, 23);
  SerialExecutor executor;
  for (auto kind : {Activation::none, Activation::relu})
    for (bool with_residual : {false, true}) {
      Epilogue epilogue{.bias = bias.data(), .activation = kind};
      if (with_residual) epilogue.residual = residual.data(), epilogue.residual_stride = n;
      auto const whole = product(m, n, k, a, b, epilogue, executor);
      bool same = true;
      for (std::size_t i = 0; i < m; ++i) {
        std::vector<float> row(n);
        if (with_residual) epilogue.residual = residual.data() + i * n;
        kernels::gemm(1, n, k, a.data() + i * k, k, b.data(), row.data(), n, epilogue, executor);
        same = same && same_bits(row.data(), whole.data() + i * n, n);
      }
      CHECK(same);
      if (!with_residual) continue;
      auto in_place = residual;
      epilogue.residual = in_place.data();
      kernels::gemm(m, n, k, a.data(), k, b.data(), in_place.data(), n, epilogue, executor);
      CHECK(same_bits(in_place.data(), whole.data(), whole.size()));
    }
}

TEST_CASE("gemm: an infinity or NaN in one row leaves the other rows alone") {
  std::size_t const m = 7, n = 37, k = 20;
  auto a = random_floats(m * k, 18);
  auto const b = packed(n, k, random_floats(n * k, 19));
  SerialExecutor executor;
  auto const clean = product(m, n, k, a, b, {}, executor);
  a[3 * k + 5] = std::numeric_limits<float>::infinity();
  a[3 * k + 6] = std::numeric_limits<float>::quiet_NaN();
  auto const spoilt = product(m, n, k, a, b, {}, executor);
  CHECK(same_bits(clean.data(), spoilt.data(), 3 * n));
  CHECK(same_bits(clean.data() + 4 * n, spoilt.data() + 4 * n, 3 * n));
  bool all_nan = true;
  for (std::size_t j = 0; j < n; ++j) all_nan = all_nan && std::isnan(spoilt[3 * n + j]);
  CHECK(all_nan);
}

TEST_CASE("gemm: empty products write nothing, or the epilogue alone") {
  SerialExecutor executor;
  kernels::gemm(0, 5, 3, nullptr, 3, nullptr, nullptr, 5, {}, executor);
  kernels::gemm(5, 0, 3, nullptr, 3, nullptr, nullptr, 0, {}, executor);
  std::vector<float> const bias{1.0f, 2.0f, 3.0f};
  std::vector<float> c(6, -1.0f);
  kernels::gemm(2, 3, 0, nullptr, 0, nullptr, c.data(), 3, {.bias = bias.data()}, executor);
  CHECK(c == std::vector<float>{1.0f, 2.0f, 3.0f, 1.0f, 2.0f, 3.0f});
}

namespace {

// The same panels of `k` inputs in a format, and as floats of the values that it keeps.
struct FormatPanels {
  std::vector<std::uint16_t> weights;
  std::vector<float> rounded;

  FormatPanels(WeightFormat format, std::size_t k, std::vector<float> const& panels) : weights(panels.size()), rounded(panels.size()) {
    constexpr std::size_t width = kernels::panel_width;
    if (format == WeightFormat::bf16)
      for (std::size_t place = 0; place < panels.size(); place += k * width)
        kernels::write_pairs(panels.data() + place, width, 0, k, 0, width, k, weights.data() + place);
    else
      kernels::write_weights(format, panels.data(), weights.data(), panels.size());
    for (std::size_t i = 0; i < panels.size(); ++i) rounded[i] = rounded_to(format, panels[i]);
  }
};

// Whether the product with weights in a format has the bits of the one with floats of the same values, rows rounded where those of bf16 are, and leaves what
// is between the rows of C. Tiles of AMX sum bf16 in another order, that of tests/kernels/bfloat16_products_test.cpp for one row: there each row has the bits
// of it by itself.
bool same_as_floats(WeightFormat format, std::size_t m, std::size_t n, std::size_t k, Epilogue const& epilogue, Executor& executor) {
  std::size_t const a_stride = k + 3, c_stride = n + 5;
  auto const a = random_floats(m * a_stride + 1, 24);
  FormatPanels const b(format, k, packed(n, k, random_floats(n * k, 25)));
  std::vector<float> expected(m * c_stride + 1, 12345.0f), found = expected;
  SerialExecutor serial;
  Buffer scratch(kernels::gemm_scratch_bytes(format, m, k) + 1);
  auto rows = a;
  if (format == WeightFormat::bf16 && simd::has_bfloat16_products)
    for (float& value : rows) value = rounded_to(format, value);
  if (format == WeightFormat::bf16 && simd::bfloat16_products == simd::Bfloat16Products::of_tiles) {
    for (std::size_t i = 0; i < m; ++i) {
      Epilogue of_row = epilogue;
      if (of_row.residual != nullptr) of_row.residual += i * of_row.residual_stride;
      kernels::gemm(1, n, k, a.data() + 1 + i * a_stride, a_stride, {b.weights.data(), format}, expected.data() + 1 + i * c_stride,
                    c_stride, of_row, serial, static_cast<std::byte*>(scratch.data()));
    }
  } else {
    kernels::gemm(m, n, k, rows.data() + 1, a_stride, b.rounded.data(), expected.data() + 1, c_stride, epilogue, serial);
  }
  kernels::gemm(m, n, k, a.data() + 1, a_stride, {b.weights.data(), format}, found.data() + 1, c_stride, epilogue, executor,
                static_cast<std::byte*>(scratch.data()));
  return same_bits(expected.data(), found.data(), expected.size());
}

}  // namespace

TEST_CASE("gemm: weights in bf16 and f16 give the bits of floats with the same values, for every remainder of rows, columns and k") {
  SerialExecutor executor;
  for (WeightFormat format : {WeightFormat::bf16, WeightFormat::f16}) {
    CAPTURE(name_of(format));
    for (std::size_t m = 1; m <= 13; ++m)
      for (std::size_t n = 1; n <= 2 * simd::lanes + 1; ++n) CHECK(same_as_floats(format, m, n, 1 + (m * 7 + n) % 13, {}, executor));
    for (std::size_t m = 1; m <= 13; ++m)
      for (std::size_t n = kernels::panel_width - 1; n <= 4 * kernels::panel_width + 1; n += simd::lanes / 2 - 1)
        CHECK(same_as_floats(format, m, n, 19, {}, executor));
    for (std::size_t k = 1; k <= 40; ++k) CHECK(same_as_floats(format, 1 + k % 7, kernels::panel_width * 2 + 3, k, {}, executor));
    CHECK(same_as_floats(format, 37, 133, 257, {}, executor));
    for (std::size_t m : {16, 32, 33, 50})
      CHECK(same_as_floats(format, m, 2 * kernels::panel_width + 3, 2500, {}, executor));  // k in parts
  }
}

TEST_CASE("gemm: weights in bf16 and f16 give the bits of floats with every epilogue and on any number of threads") {
  std::size_t const m = 50, k = 300;
  for (WeightFormat format : {WeightFormat::bf16, WeightFormat::f16})
    for (std::size_t n : {std::size_t{5}, 3 * kernels::panel_width + 3, 9 * kernels::panel_width}) {
      auto const bias = random_floats(n, 26);
      auto const residual = random_floats(m * n, 27);
      for (auto kind : {Activation::none, Activation::gelu})
        for (bool with_residual : {false, true})
          for (std::size_t threads : {1, 2, 3, 16}) {
            TestExecutor executor(threads);
            Epilogue const epilogue{
                .bias = bias.data(), .activation = kind, .residual = with_residual ? residual.data() : nullptr, .residual_stride = n};
            for (std::size_t rows : {std::size_t{1}, std::size_t{4}, m}) CHECK(same_as_floats(format, rows, n, k, epilogue, executor));
          }
    }
}

TEST_CASE("weights: every half and bfloat16 is loaded, added and read with its value, in vectors and one by one") {
  std::vector<std::uint16_t> all(65536 + 5);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  auto const same = [](float a, float b) { return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)); };
  for (WeightFormat format : {WeightFormat::bf16, WeightFormat::f16}) {
    std::vector<float> found(all.size(), -1.0f), sums(all.size(), 1.0f), every_third(all.size() / 3, -1.0f);
    kernels::read_weights(format, all.data(), 1, found.data(), found.size());
    kernels::add_weights(format, all.data(), 1, sums.data(), sums.size());
    kernels::read_weights(format, all.data(), 3, every_third.data(), every_third.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      float const value = format == WeightFormat::bf16 ? float_from_bfloat16(all[i]) : float_from_half(all[i]);
      wrong += !same(found[i], value) + !same(sums[i], 1.0f + value);
      if (i % 3 == 0 && i / 3 < every_third.size()) wrong += !same(every_third[i / 3], value);
    }
    CHECK(wrong == 0);
    std::vector<std::uint16_t> back(all.size());
    kernels::write_weights(format, found.data(), back.data(), back.size());
    for (std::size_t i = 0; i < all.size(); ++i) wrong += !std::isnan(found[i]) && back[i] != all[i];
    CHECK(wrong == 0);
  }
}
