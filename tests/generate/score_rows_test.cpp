// What is asked of a whole row of scores, against the same in long double and by loops that look at one score after another.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <axiform/core/random.hpp>
#include <axiform/generate/beam_search.hpp>
#include <axiform/generate/log_probabilities.hpp>
#include <axiform/generate/sampler.hpp>
#include <axiform/generate/score_rows.hpp>

using namespace axiform;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Scores in [-scale, scale), other ones for each seed.
std::vector<float> row_of_scores(std::size_t count, float scale, std::uint64_t seed) {
  std::vector<float> scores(count);
  Philox const random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    auto const words = random(0, i);
    scores[i] = static_cast<float>(2 * uniform_from(words[0], words[1]) - 1) * scale;
  }
  return scores;
}

long double log_sum_exp_of(std::span<float const> scores) {
  long double const greatest = std::ranges::max(scores);
  long double sum = 0;
  for (float const score : scores) sum += std::exp(score - greatest);
  return greatest + std::log(sum);
}

}  // namespace

TEST_CASE("log_sum_exp: rows of any length and spread agree with long double") {
  for (std::size_t const count : {1u, 7u, 8u, 9u, 16u, 255u, 256u, 257u, 1000u, 58101u})
    for (float const scale : {0.0f, 0.01f, 3.0f, 40.0f, 2000.0f}) {
      CAPTURE(count);
      CAPTURE(scale);
      auto scores = row_of_scores(count, scale, 1);
      long double const expected = log_sum_exp_of(scores);
      CHECK(std::abs(log_sum_exp(scores) - expected) <= 4e-16L * (1 + std::abs(expected)));

      scores.insert(scores.begin() + static_cast<std::ptrdiff_t>(count / 2), -infinity);  // what cannot come adds nothing
      CHECK(std::abs(log_sum_exp(scores) - expected) <= 4e-16L * (1 + std::abs(expected)));
    }
}

TEST_CASE("log_sum_exp: every exponent of its terms is right") {
  for (int i = 0; i <= 70800; ++i) {
    double const x = -i / 100.0;
    long double const expected = std::exp(static_cast<long double>(x));
    REQUIRE(std::abs(axiform::detail::exp_of_nonpositive(x) - expected) <= 6e-16L * expected);
  }
}

TEST_CASE("log_sum_exp: what is no number is named, and so is a row without a finite logit") {
  auto scores = row_of_scores(300, 3, 2);
  scores[261] = not_a_number;
  CHECK_THROWS_WITH_AS(log_sum_exp(scores), "logits: found NaN for token 261", ArgumentError);
  CHECK_THROWS_WITH_AS(to_log_probabilities(scores), "logits: found NaN for token 261", ArgumentError);
  CHECK_THROWS_WITH_AS(report_token(scores, 0, 1), "logits: found NaN for token 261", ArgumentError);
  CHECK_THROWS_WITH_AS(log_sum_exp(std::vector<float>(20, -infinity)), "logits: found no finite logit", ArgumentError);
  CHECK_THROWS_WITH_AS(log_sum_exp(std::vector<float>{1, infinity, 2}), "logits: found no finite logit", ArgumentError);
  CHECK_THROWS_WITH_AS(log_sum_exp(std::vector<float>{-infinity, not_a_number}), "logits: found NaN for token 1", ArgumentError);
  CHECK_THROWS_WITH_AS(log_sum_exp({}), "logits: found no finite logit", ArgumentError);
}

TEST_CASE("greedy: the first of the greatest is found wherever it stands, beside what is no number") {
  for (std::size_t const count : {1u, 15u, 16u, 17u, 1023u, 1024u, 1025u, 5000u})
    for (std::size_t const place : {std::size_t{0}, count / 3, count - 1}) {
      CAPTURE(count);
      CAPTURE(place);
      auto scores = row_of_scores(count, 3, 3);
      scores[place] = 5;
      for (std::size_t i = place + 1; i < count; i += 7) scores[i] = 5;
      if (place > 0) scores[place - 1] = not_a_number;
      CHECK(most_probable(scores) == static_cast<TokenId>(place));
      std::ranges::replace_if(
          scores, [](float score) { return score == score; }, -infinity);
      CHECK(most_probable(scores) == static_cast<TokenId>(place == 1 ? 1 : 0));
    }
  CHECK_THROWS_AS(most_probable(std::vector<float>(40, not_a_number)), ArgumentError);
}

TEST_CASE("beams: continuations are the best of all scores, the first beam's and the smallest ids among equals") {
  constexpr std::size_t vocabulary = 1000, beams = 3;
  GenerateOptions const options{.decoding = Decoding::beam_search, .num_beams = beams};
  Stopping const stopping(options);
  std::vector<TokenId> const prompt{0};
  // With few different numbers most scores are equal to others.
  for (float const steps : {2.0f, 10.0f, 1e6f}) {
    CAPTURE(steps);
    BeamSearch search(prompt, prompt, options, 20, stopping);
    for (std::uint64_t step = 0; step < 6; ++step) {
      struct Scored {
        double score;
        std::size_t beam;
        TokenId id;
      };
      std::vector<Scored> all;
      std::vector<std::vector<float>> rows;
      for (std::size_t b = 0; b < search.beams().size(); ++b) {
        auto& row = rows.emplace_back(row_of_scores(vocabulary, 1, 100 * step + b));
        for (float& score : row) score = std::round(score * steps) / steps;
        auto log_probabilities = row;
        to_log_probabilities(log_probabilities);
        for (std::size_t i = 0; i < vocabulary; ++i)
          all.push_back({search.beams()[b].score + log_probabilities[i], b, static_cast<TokenId>(i)});
      }
      std::ranges::sort(all, [](auto const& a, auto const& b) {
        return a.score > b.score || (a.score == b.score && std::pair(a.beam, a.id) < std::pair(b.beam, b.id));
      });
      for (std::size_t b = rows.size(); b-- > 0;) search.read(b, rows[b]);  // in any order
      search.advance();
      REQUIRE(search.beams().size() == beams);
      for (std::size_t b = 0; b < beams; ++b) {
        CHECK(search.beams()[b].score == all[b].score);
        CHECK(search.beams()[b].parent == all[b].beam);
        CHECK(search.beams()[b].ids.back() == all[b].id);
      }
    }
    CHECK_THROWS_AS(search.advance(), ArgumentError);  // nothing was read
    std::vector<float> row(vocabulary);
    CHECK_THROWS_AS(search.read(beams, row), ArgumentError);
  }
}
