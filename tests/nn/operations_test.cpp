// Norms and gated feed-forward blocks as transformers computes them in float64 (tests/fixtures/nn).
#include <axiform/core/context.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/ops/rms_norm.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::fill_parameters;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double tolerance = 2e-5;

RmsNorm<axes::Hidden> rms_norm_of(Goldens const& golden, std::string const& name, float added) {
  auto const weight = golden.reals(name + (added == 0.0F ? ".weight" : ".gemma_weight"));
  RmsNorm<axes::Hidden> norm(weight.size(), static_cast<float>(golden.real(name + ".epsilon")));
  std::vector<float> values(weight.begin(), weight.end());
  for (float& value : values) value += added;
  for_each_parameter(norm, [&](std::string_view, ParameterRef const& parameter) { parameter.write_rows(0, values); });
  return norm;
}

}  // namespace

TEST_CASE("RMS norm: rows that are large, small, zero or have one large element give Llama's output, and Gemma's with weights of 1 + w") {
  Goldens const golden(goldens::operations);
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    for (std::string const width : {"1", "7", "64", "100"}) {
      CAPTURE(width);
      std::string const name = "rms_norm.width" + width;
      auto const x = golden.tensor<axes::Tokens, axes::Hidden>(name + ".input");
      CHECK(largest_difference(rms_norm_of(golden, name, 0.0F)(x, context), golden.reals(name + ".output")) < tolerance);
      if (golden.has(name + ".gemma_output"))
        CHECK(largest_difference(rms_norm_of(golden, name, 1.0F)(x, context), golden.reals(name + ".gemma_output")) < tolerance);
    }
  }
}

TEST_CASE("RMS norm: heads of a row are normalised in place, each as a row by itself, whatever lies between the rows") {
  Goldens const golden(goldens::operations);
  Context context;
  for (std::string const width : {"1", "7", "64"}) {
    std::string const name = "rms_norm.width" + width;
    auto const norm = rms_norm_of(golden, name, 0.0F);
    auto const rows = golden.tensor<axes::Tokens, axes::Hidden>(name + ".input");
    auto const expected = norm(rows, context);
    std::size_t const size = rows.columns(), heads = 3, stride = heads * size + 5;
    std::vector<float> values(2 * stride, -7.0F);  // six rows as two tokens of three heads
    for (std::size_t row = 0; row < 6; ++row) std::ranges::copy(rows.row(row), values.data() + row / heads * stride + row % heads * size);
    norm.normalize_heads(
        TensorView<float, axes::Tokens, axes::Hidden>(values.data(), Shape<axes::Tokens, axes::Hidden>(2, heads * size), stride), context);
    for (std::size_t row = 0; row < 6; ++row) {
      float const* const head = values.data() + row / heads * stride + row % heads * size;
      CHECK(std::equal(head, head + size, expected.row(row).begin()));
    }
    CHECK(std::count(values.begin(), values.end(), -7.0F) == 10);
  }
}

TEST_CASE("RMS norm: other lengths are refused") {
  Context context;
  RmsNorm<axes::Hidden> const norm(4, 1e-5F);
  Tensor<float, axes::Tokens, axes::Hidden> x(std::size_t{2}, std::size_t{6});
  CHECK_THROWS_WITH_AS(norm(x, context), "RmsNorm<Hidden>: found a tensor [2, 6], expected rows of 4", ShapeError);
  CHECK_THROWS_AS(norm.normalize_heads(x.view(), context), ShapeError);
}

TEST_CASE("gated feed-forward: with SiLU it gives Llama's output, with the approximate GELU that of T5 1.1, the residual added behind") {
  Goldens const golden(goldens::operations);
  DynamicDimensions const d{20, 2, 10, 28};
  Context context = Context::with_threads(2);
  auto const x = golden.tensor<axes::Tokens, axes::Hidden>("gated.input");
  for (auto const& [activation, name] : {std::pair{Activation::silu, "silu"}, std::pair{Activation::gelu_tanh, "gelu_tanh"}}) {
    auto mlp = GatedMlp<DynamicDimensions>::create(d, activation);
    fill_parameters(mlp, golden,
                    [](std::string_view parameter) { return "gated." + std::string(parameter.substr(0, parameter.find('.'))); });
    auto expected = golden.reals("gated." + std::string(name) + ".output");
    CHECK(largest_difference(mlp(x, context), expected) < tolerance);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(x.data()[i]);
    CHECK(largest_difference(mlp(x, context, add_residual(x)), expected) < tolerance);
  }
}
