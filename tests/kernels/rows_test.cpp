#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/layer_norm.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/kernels/softmax.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace kernels = axiform::kernels;
namespace simd = axiform::simd;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float guard = 777.25F;

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }
bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) { return same_bits(x, y); });
}

// `count` floats from a normal distribution, the same for the same seed on every machine.
std::vector<float> random_values(std::size_t count, unsigned seed, double mean = 0.0, double deviation = 1.0) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (auto& value : values) {
    double sum = 0.0;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(generator()) / 4294967296.0;
    value = static_cast<float>(mean + deviation * (sum - 6.0));
  }
  return values;
}

std::vector<double> reference_softmax(std::vector<float> const& scores, double scale) {
  double maximum = -HUGE_VAL, total = 0.0;
  for (float const score : scores) maximum = std::max(maximum, scale * static_cast<double>(score));
  std::vector<double> result(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) total += result[i] = std::exp(scale * static_cast<double>(scores[i]) - maximum);
  for (auto& value : result) value /= total;
  return result;
}

std::vector<double> reference_layer_norm(std::vector<float> const& x, std::vector<float> const& weight, std::vector<float> const& bias,
                                         double epsilon) {
  double mean = 0.0, variance = 0.0;
  for (float const value : x) mean += static_cast<double>(value);
  mean /= static_cast<double>(x.size());
  for (float const value : x) variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  variance /= static_cast<double>(x.size());
  std::vector<double> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    result[i] =
        (static_cast<double>(x[i]) - mean) / std::sqrt(variance + epsilon) * static_cast<double>(weight[i]) + static_cast<double>(bias[i]);
  return result;
}

double greatest_difference(std::vector<float> const& values, std::vector<double> const& expected) {
  REQUIRE(values.size() == expected.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double const difference = std::abs(static_cast<double>(values[i]) - expected[i]);
    worst = difference <= worst ? worst : difference;  // a NaN is taken over
  }
  return worst;
}

std::vector<float> softmax_of(std::vector<float> scores, float scale) {
  kernels::softmax_row(scores.data(), scores.size(), scores.size(), scale);
  return scores;
}

}  // namespace

TEST_CASE("softmax: every count at every alignment agrees with float64 and touches nothing beyond the padding") {
  for (std::size_t count = 0; count <= 67; ++count) {
    for (std::size_t offset = 0; offset < simd::lanes; ++offset) {
      for (std::size_t const padding :
           {std::size_t{0}, std::size_t{1}, (simd::lanes - count % simd::lanes) % simd::lanes, 2 * simd::lanes + 1}) {
        CAPTURE(count);
        CAPTURE(offset);
        CAPTURE(padding);
        auto const scores = random_values(count, static_cast<unsigned>(count), 0.0, 20.0);
        std::vector<float> row(offset, guard);
        row.insert(row.end(), scores.begin(), scores.end());
        row.insert(row.end(), padding, padding % 2 == 0 ? not_a_number : 1e30F);
        row.insert(row.end(), simd::lanes, guard);
        kernels::softmax_row(row.data() + offset, count, count + padding, 0.125F);

        std::vector<float> const probabilities(row.begin() + static_cast<long>(offset), row.begin() + static_cast<long>(offset + count));
        CHECK(greatest_difference(probabilities, reference_softmax(scores, 0.125)) <= 2e-7);
        CHECK(same_bits(probabilities, softmax_of(scores, 0.125F)));  // whatever the padding and the alignment
        for (std::size_t i = 0; i < padding; ++i) CHECK(same_bits(row[offset + count + i], 0.0F));
        for (std::size_t i = 0; i < row.size(); ++i)
          if (i < offset || i >= offset + count + padding) CHECK(row[i] == guard);
      }
    }
  }
}

TEST_CASE("softmax: probabilities keep their relative accuracy and their sum in long rows") {
  for (std::size_t const count : {128, 1000, 4096}) {
    auto const scores = random_values(count, 5, 3.0, 30.0);
    auto const expected = reference_softmax(scores, 0.125);
    auto const probabilities = softmax_of(scores, 0.125F);
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(static_cast<double>(probabilities[i]) == doctest::Approx(expected[i]).epsilon(4e-6));
      sum += static_cast<double>(probabilities[i]);
    }
    CHECK(std::abs(sum - 1.0) < 1e-6);
  }
}

TEST_CASE("softmax: masked scores get zero, and a row of nothing else gets zeros") {
  for (std::size_t count = 1; count <= 35; ++count) {
    auto const probabilities = softmax_of(std::vector<float>(count, -infinity), 0.125F);
    for (float const p : probabilities) CHECK(same_bits(p, 0.0F));

    for (std::size_t visible = 0; visible < count; ++visible) {
      std::vector<float> scores(count, -infinity);
      scores[visible] = -3e38F;
      auto const one = softmax_of(scores, 8.0F);
      for (std::size_t i = 0; i < count; ++i) CHECK(same_bits(one[i], i == visible ? 1.0F : 0.0F));
    }
  }
}

TEST_CASE("softmax: NaN and +infinity make the whole row NaN, wherever they are") {
  for (std::size_t count = 1; count <= 35; ++count) {
    for (std::size_t place = 0; place < count; ++place) {
      for (float const bad : {not_a_number, infinity}) {
        for (float const others : {1.0F, -infinity}) {
          std::vector<float> scores(count, others);
          scores[place] = bad;
          auto const probabilities = softmax_of(scores, 1.0F);
          CHECK(std::all_of(probabilities.begin(), probabilities.end(), [](float p) { return std::isnan(p); }));
        }
      }
    }
  }
}

TEST_CASE("softmax: scores that are far apart neither overflow nor turn to NaN") {
  CHECK(softmax_of({3e38F, -3e38F}, 8.0F) == std::vector<float>{1.0F, 0.0F});
  CHECK(softmax_of({1e30F, 1e30F}, 8.0F) == std::vector<float>{0.5F, 0.5F});
  CHECK(softmax_of({5.0F}, 0.125F) == std::vector<float>{1.0F});
}

TEST_CASE("layer norm: every number of columns at every alignment agrees with float64 and touches nothing else") {
  for (std::size_t columns = 1; columns <= 67; ++columns) {
    for (std::size_t offset = 0; offset < simd::lanes; ++offset) {
      CAPTURE(columns);
      CAPTURE(offset);
      std::size_t const rows = 3, x_stride = columns + offset, y_stride = columns + 1;
      auto const x = random_values(offset + rows * x_stride, static_cast<unsigned>(columns), 0.5, 2.0);
      auto const weight = random_values(columns + offset, 1, 1.0, 0.3), bias = random_values(columns + offset, 2);
      std::vector<float> y(offset + rows * y_stride + simd::lanes, guard);
      kernels::layer_norm(x.data() + offset, x_stride, weight.data() + offset, bias.data() + offset, 1e-12F, y.data() + offset, y_stride,
                          rows, columns);
      for (std::size_t i = 0; i < rows; ++i) {
        auto const x_row = x.begin() + static_cast<long>(offset + i * x_stride);
        auto const y_row = y.begin() + static_cast<long>(offset + i * y_stride);
        auto const expected =
            reference_layer_norm({x_row, x_row + static_cast<long>(columns)}, {weight.begin() + static_cast<long>(offset), weight.end()},
                                 {bias.begin() + static_cast<long>(offset), bias.end()}, 1e-12);
        CHECK(greatest_difference({y_row, y_row + static_cast<long>(columns)}, expected) <= 2e-6);
        CHECK(y_row[static_cast<long>(columns)] == guard);
      }
      for (std::size_t i = 0; i < offset; ++i) CHECK(y[i] == guard);
      for (std::size_t i = offset + rows * y_stride; i < y.size(); ++i) CHECK(y[i] == guard);
    }
  }
}

TEST_CASE("layer norm: rows of models' widths are within 1e-6 of float64, also far from zero") {
  for (std::size_t const columns : {384, 768, 1024, 3072}) {
    for (double const mean : {0.0, 10.0, 1000.0}) {
      CAPTURE(columns);
      CAPTURE(mean);
      auto const x = random_values(columns, 9, mean, 1.0);
      std::vector<float> const weight(columns, 1.0F), bias(columns, 0.0F);
      std::vector<float> y(columns);
      kernels::layer_norm(x.data(), columns, weight.data(), bias.data(), 1e-5F, y.data(), columns, 1, columns);
      CHECK(greatest_difference(y, reference_layer_norm(x, weight, bias, 1e-5)) <= 1e-6);
    }
  }
}

TEST_CASE("layer norm: a row of equal elements gives the bias, even with an epsilon of 1e-12") {
  for (std::size_t const columns : {1, 7, 100, 768}) {
    for (float const value : {0.0F, 0.1F, -3.3F, 1000.7F}) {
      std::vector<float> const x(columns, value), weight(columns, 2.0F), bias(columns, 0.25F);
      std::vector<float> y(columns);
      kernels::layer_norm(x.data(), columns, weight.data(), bias.data(), 1e-12F, y.data(), columns, 1, columns);
      // What rounding the mean leaves is below 2^-24 of a rounding error of the value; 1 / sqrt(epsilon) makes it 1e6 times greater.
      for (float const result : y) CHECK(std::abs(result - 0.25F) <= 1e-6F + 1e-8F * std::abs(value));
    }
  }
}

TEST_CASE("layer norm: a row has the same bits alone, among others and in place") {
  std::size_t const rows = 5, columns = 83;
  auto const x = random_values(rows * columns, 3), weight = random_values(columns, 4), bias = random_values(columns, 5);
  std::vector<float> together(x.size()), in_place = x;
  kernels::layer_norm(x.data(), columns, weight.data(), bias.data(), 1e-5F, together.data(), columns, rows, columns);
  kernels::layer_norm(in_place.data(), columns, weight.data(), bias.data(), 1e-5F, in_place.data(), columns, rows, columns);
  CHECK(same_bits(together, in_place));
  for (std::size_t i = 0; i < rows; ++i) {
    std::vector<float> alone(columns);
    kernels::layer_norm(x.data() + i * columns, 0, weight.data(), bias.data(), 1e-5F, alone.data(), 0, 1, columns);
    CHECK(same_bits(alone, {together.begin() + static_cast<long>(i * columns), together.begin() + static_cast<long>((i + 1) * columns)}));
  }
}

TEST_CASE("layer norm: without a bias it has the bits of a bias of zeros") {
  std::size_t const rows = 3;
  for (std::size_t const columns : {1U, 16U, 83U}) {
    auto const x = random_values(rows * columns, 3), weight = random_values(columns, 4);
    std::vector<float> const zeros(columns, 0.0F);
    std::vector<float> with(x.size()), without(x.size());
    kernels::layer_norm(x.data(), columns, weight.data(), zeros.data(), 1e-5F, with.data(), columns, rows, columns);
    kernels::layer_norm(x.data(), columns, weight.data(), nullptr, 1e-5F, without.data(), columns, rows, columns);
    CHECK(same_bits(with, without));
  }
}

TEST_CASE("layer norm: NaN and infinity stay in their row") {
  std::size_t const columns = 20;
  std::vector<float> const weight(columns, 1.0F), bias(columns, 0.0F);
  for (float const bad : {not_a_number, infinity}) {
    auto x = random_values(3 * columns, 6);
    x[columns + 17] = bad;
    std::vector<float> y(3 * columns);
    kernels::layer_norm(x.data(), columns, weight.data(), bias.data(), 1e-5F, y.data(), columns, 3, columns);
    for (std::size_t j = 0; j < columns; ++j) {
      CHECK(std::isfinite(y[j]));
      CHECK(std::isnan(y[columns + j]));
      CHECK(std::isfinite(y[2 * columns + j]));
    }
  }
}

TEST_CASE("rows: sums and multiples are exact at every count and alignment") {
  for (std::size_t count = 0; count <= 67; ++count) {
    for (std::size_t offset = 0; offset < simd::lanes; ++offset) {
      auto const source = random_values(offset + count, 1), before = random_values(offset + count + 3, 2);
      auto expected = before, target = before;
      for (std::size_t i = 0; i < count; ++i) expected[offset + i] = before[offset + i] + source[offset + i];
      kernels::add_row(source.data() + offset, target.data() + offset, count);
      CHECK(same_bits(target, expected));

      for (std::size_t i = 0; i < count; ++i) expected[offset + i] *= 0.37F;
      kernels::scale_row(target.data() + offset, count, 0.37F);
      CHECK(same_bits(target, expected));
    }
  }
}
