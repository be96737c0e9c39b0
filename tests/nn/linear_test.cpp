// Linear and LayerNorm: fixed and free lengths, epilogues, and what is refused.
#include <axiform/core/context.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace axiform;

namespace {

template <Axis Rows, Axis Columns>
Tensor<float, Rows, Columns> random_tensor(Shape<Rows, Columns> shape, unsigned seed) {
  Tensor<float, Rows, Columns> tensor(shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float& value : tensor.elements()) value = normal(random);
  return tensor;
}

// x * Wᵀ + b in double, from the parameters that `visit` shows.
template <class L, class X>
std::vector<double> reference(L& linear, X const& x) {
  std::vector<std::vector<float>> weight;
  std::vector<float> bias;
  for_each_parameter(linear, [&](std::string_view name, ParameterRef const& parameter) {
    for (std::size_t row = 0; row < parameter.rows(); ++row) {
      std::vector<float> values(parameter.columns());
      parameter.read_row(row, values);
      if (name == "weight") weight.push_back(values);
      else bias = values;
    }
  });
  std::vector<double> result;
  for (std::size_t row = 0; row < x.rows(); ++row)
    for (std::size_t out = 0; out < bias.size(); ++out) {
      double sum = bias[out];
      for (std::size_t in = 0; in < x.columns(); ++in) sum += static_cast<double>(x(row, in)) * weight[out][in];
      result.push_back(sum);
    }
  return result;
}

template <class L>
void randomise(L& layer) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for_each_parameter(layer, [&](std::string_view, ParameterRef const& parameter) {
    std::vector<float> row(parameter.columns());
    for (std::size_t r = 0; r < parameter.rows(); ++r) {
      for (float& value : row) value = normal(random);
      parameter.write_rows(r, row);
    }
  });
}

void check_close(std::span<float const> found, std::vector<double> const& expected) {
  REQUIRE(found.size() == expected.size());
  // Sums of at most 200 products of unit normals: rounding stays far below 1e-4, an element out of place does not.
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-4);
}

}  // namespace

TEST_CASE("linear: fixed and free lengths agree with a float64 product and with each other bit by bit") {
  Context context = Context::with_threads(2);
  for (std::size_t rows : {1, 2, 7, 13}) {
    auto const x = random_tensor(Shape<axes::Tokens, Const<37>>(rows), 1);
    Linear<Const<37>, Const<70>> fixed;
    Linear<axes::Hidden, axes::Inner> free({37}, {70});
    randomise(fixed);
    randomise(free);
    auto const y = fixed(x, context);
    check_close(y.elements(), reference(fixed, x));
    auto const y_free = free(x, context);
    CHECK(std::ranges::equal(y.elements(), y_free.elements()));
  }
}

TEST_CASE("linear: the activation comes before the residual") {
  Context context;
  auto const x = random_tensor(Shape<axes::Tokens, Const<20>>(5), 1);
  auto const residual = random_tensor(Shape<axes::Tokens, Const<33>>(5), 2);
  Linear<Const<20>, Const<33>> layer;
  randomise(layer);
  auto expected = reference(layer, x);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = std::max(expected[i], 0.0) + residual.elements()[i];
  auto const behind = layer(x, context, relu, add_residual(residual)), before = layer(x, context, add_residual(residual), relu);
  check_close(behind.elements(), expected);
  check_close(before.elements(), expected);
  auto const kept = add_residual(residual.copy());  // a temporary, which the epilogue keeps
  auto const behind_kept = layer(x, context, relu, kept);
  check_close(behind_kept.elements(), expected);
}

TEST_CASE("linear: a temporary goes straight into the next layer, and what was moved from is refused") {
  Context context;
  auto const x = random_tensor(Shape<axes::Tokens, Const<20>>(5), 1);
  Linear<Const<20>, Const<33>> up;
  Linear<Const<33>, Const<20>, Bias::absent> down;  // made from its type, as its siblings are
  randomise(up);
  randomise(down);
  auto const inner = up(x, context);
  auto const expected = down(inner, context);
  auto const found = down(up(x, context), context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
  auto const moved = std::move(up);
  CHECK_THROWS_AS(up(x, context), ShapeError);
  CHECK(moved(x, context).columns() == 33);
}

TEST_CASE("linear: free lengths that differ are refused with both shapes") {
  Context context;
  Linear<axes::Hidden, axes::Inner> const layer({8}, {4});
  Tensor<float, axes::Tokens, axes::Hidden> const x(std::size_t{2}, std::size_t{9});
  CHECK_THROWS_WITH_AS(layer(x, context), "Linear<Hidden, Inner>: found a tensor [2, 9], expected [Tokens, 8]", ShapeError);
  Tensor<float, axes::Tokens, axes::Hidden> const right(std::size_t{2}, std::size_t{8});
  Tensor<float, axes::Tokens, axes::Inner> const residual(std::size_t{3}, std::size_t{4});
  CHECK_THROWS_WITH_AS(layer(right, context, add_residual(residual)), "add_residual: found [3, 4], expected [2, 4]", ShapeError);
  CHECK_THROWS_AS((Linear<axes::Hidden, axes::Inner>({std::size_t{1} << 40}, {std::size_t{1} << 40})), ShapeError);
}

TEST_CASE("layer norm: rows have the weight's standard deviation and the bias's mean") {
  Context context = Context::with_threads(3);
  auto const x = random_tensor(Shape<axes::Tokens, Const<300>>(200), 3);
  LayerNorm<Const<300>> const norm(1e-12f);
  auto const y = norm(x, context);
  for (std::size_t row = 0; row < y.rows(); ++row) {
    double sum = 0, squares = 0;
    for (float value : y.row(row)) sum += value, squares += static_cast<double>(value) * value;
    CHECK(std::abs(sum / 300) < 1e-6);
    CHECK(std::abs(squares / 300 - 1) < 1e-5);
  }
  LayerNorm<axes::Hidden> const other({299}, 1e-5f);
  CHECK_THROWS_AS(other(x, context), ShapeError);
}

TEST_CASE("initialize: the same seed gives the same weights with any number of threads, another seed others") {
  auto const weights = [](std::uint64_t seed, std::size_t threads) {
    Context context = Context::with_threads(threads);
    Linear<Const<300>, Const<200>> layer;
    initialize(layer, {.seed = seed}, context);
    std::vector<float> all;
    for_each_parameter(layer, [&](std::string_view, ParameterRef const& parameter) {
      std::vector<float> row(parameter.columns());
      for (std::size_t r = 0; r < parameter.rows(); ++r) parameter.read_row(r, row), all.insert(all.end(), row.begin(), row.end());
    });
    return all;
  };
  auto const first = weights(1, 1);
  CHECK(first == weights(1, 3));
  CHECK(first != weights(2, 1));
  double squares = 0;
  for (float value : first) squares += static_cast<double>(value) * value;
  CHECK(std::sqrt(squares / (300 * 200)) == doctest::Approx(0.02).epsilon(0.02));
}
