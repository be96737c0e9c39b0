// Sampling: the distribution after temperature, top-k and top-p against transformers' processors, and draws against it.
#include <axiform/generate/options.hpp>
#include <axiform/generate/sampler.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;

TEST_CASE("sampler: probabilities are transformers' for every combination of temperature, top-k and top-p") {
  Goldens const golden(goldens::models / "gpt2-tiny" / "goldens.safetensors");
  std::size_t const count = golden.number("sampling.count");
  REQUIRE(count >= 20);
  Sampler sampler;
  for (std::size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    std::string const name = "sampling" + std::to_string(i);
    auto const wide = golden.reals(name + ".logits");
    std::vector<float> const logits(wide.begin(), wide.end());
    auto const options = golden.reals(name + ".options");
    auto const expected = golden.reals(name + ".probabilities");
    auto const candidates = sampler.distribution(
        logits, {.temperature = options[0], .top_k = static_cast<std::size_t>(options[1]), .top_p = options[2]});
    std::vector<double> found(expected.size());
    for (auto const& candidate : candidates) found[static_cast<std::size_t>(candidate.id)] = candidate.probability;
    // The options pass through float32 in the reference; probabilities agree to its precision.
    for (std::size_t id = 0; id < found.size(); ++id) {
      CHECK(std::abs(found[id] - expected[id]) < 1e-6);
      CHECK((found[id] == 0) == (expected[id] == 0));
    }
  }
}

TEST_CASE("sampler: draws follow the distribution (chi-squared over 100 000 draws)") {
  std::vector<float> const logits{0.5f, -1.0f, 2.0f, 1.0f, 0.0f, -3.0f, 1.5f};
  SamplingOptions const options{.temperature = 0.8, .top_k = 6, .top_p = 0.97};
  Sampler sampler;
  std::vector<double> expected(logits.size());
  for (auto const& candidate : sampler.distribution(logits, options)) expected[static_cast<std::size_t>(candidate.id)] = candidate.probability;
  std::vector<double> drawn(logits.size());
  std::size_t const draws = 100000;
  for (std::size_t i = 0; i < draws; ++i) {
    auto const words = Philox(11)(0, i);
    ++drawn[static_cast<std::size_t>(sampler.draw(logits, options, uniform_from(words[0], words[1])))];
  }
  double chi_squared = 0;
  std::size_t degrees = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (expected[id] == 0) {
      CHECK(drawn[id] == 0);
      continue;
    }
    double const mean = expected[id] * draws;
    chi_squared += (drawn[id] - mean) * (drawn[id] - mean) / mean;
    ++degrees;
  }
  REQUIRE(degrees == 5);        // one falls to top-k, one to top-p
  CHECK(chi_squared < 23.5);    // 4 degrees of freedom, p = 1e-4; the seed is fixed, so it passes or fails for good
}

TEST_CASE("sampler: the ends of [0, 1) draw the first and the last possible token") {
  std::vector<float> const logits{-std::numeric_limits<float>::infinity(), 1.0f, 1.0f, -std::numeric_limits<float>::infinity()};
  Sampler sampler;
  CHECK(sampler.draw(logits, {.top_k = 0}, 0.0) == 1);
  CHECK(sampler.draw(logits, {.top_k = 0}, std::nextafter(1.0, 0.0)) == 2);
}

TEST_CASE("sampler: absurd options and logits are refused") {
  std::vector<float> const logits{1.0f, 2.0f};
  Sampler sampler;
  double const nan = std::nan("");
  for (double temperature : {0.0, -1.0, nan, static_cast<double>(std::numeric_limits<double>::infinity())})
    CHECK_THROWS_AS(sampler.distribution(logits, {.temperature = temperature}), ArgumentError);
  for (double top_p : {0.0, -0.1, 1.1, nan}) CHECK_THROWS_AS(sampler.distribution(logits, {.top_p = top_p}), ArgumentError);
  std::vector<float> const not_numbers{1.0f, std::nanf("")};
  CHECK_THROWS_AS(sampler.distribution(not_numbers, {}), ArgumentError);
  std::vector<float> const nothing(3, -std::numeric_limits<float>::infinity());
  CHECK_THROWS_AS(sampler.distribution(nothing, {}), ArgumentError);
  CHECK(most_probable(nothing) == 0);
  CHECK_THROWS_AS(most_probable({}), ArgumentError);
}

TEST_CASE("greedy: the smallest id among equals") { CHECK(most_probable(std::vector<float>{1.0f, 3.0f, 3.0f}) == 1); }
