// Search and mining against brute force in numpy, float64 (tests/fixtures/sentences/make_sentences.py).
#include <doctest/doctest.h>
#include <axiform/tasks/semantic_search.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <axiform/core/random.hpp>

#include "support/goldens.hpp"

using namespace axiform;

namespace {

using Rows = Tensor<float, axes::Sequences, axes::Hidden>;

Rows rows_of(goldens::Goldens const& golden, std::string const& name) {
  auto const shape = golden.shape(name);
  Rows rows(shape.at(0), shape.at(1));
  std::ranges::transform(golden.reals(name), rows.data(), [](double value) { return static_cast<float>(value); });
  return rows;
}

// Any numbers: a sine of the index is as good as a random one.
Rows some_rows(std::size_t count, std::size_t columns, double seed) {
  Rows rows(count, columns);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows.data()[i] = static_cast<float>(std::sin(seed + 1.7 * static_cast<double>(i * i % 1013)));
  return rows;
}

goldens::Goldens fixture() { return goldens::Goldens(std::filesystem::path(AXIFORM_FIXTURES) / "sentences" / "goldens.safetensors"); }

// Equal by bits, so that NaN is equal to itself.
bool same_hits(std::vector<SearchHit> const& a, std::vector<SearchHit> const& b) {
  return std::ranges::equal(a, b, [](SearchHit const& x, SearchHit const& y) {
    return x.index == y.index && std::memcmp(&x.score, &y.score, sizeof(float)) == 0;
  });
}

}  // namespace

TEST_CASE("similarity: cos_sim and dot give numpy's scores, zeros and single embeddings too") {
  auto const golden = fixture();
  auto const corpus = rows_of(golden, "search.corpus"), queries = rows_of(golden, "search.queries");
  CHECK(goldens::largest_difference(cos_sim(queries, corpus), golden.reals("search.cosine.scores")) < 2e-7);
  CHECK(goldens::largest_difference(dot(queries, corpus), golden.reals("search.dot.scores")) < 1e-5);
  CHECK(cos_sim(corpus, corpus)(7, 7) == 0);  // a row of zeros
  Tensor<float, axes::Hidden> one(std::size_t{19});
  std::ranges::copy(queries.row(2), one.data());
  CHECK(cos_sim(one, corpus)(0, 60) == cos_sim(queries, corpus)(2, 60));
  CHECK(dot(corpus, one)(60, 0) == dot(queries, corpus)(2, 60));
  CHECK_THROWS_WITH_AS(cos_sim(queries, some_rows(1, 18, 0)), "cos_sim: found rows of 19 and of 18", ShapeError);
}

TEST_CASE("similarity: every remainder of rows and columns agrees with float64, and has the same bits in either order") {
  for (std::size_t columns : {1, 2, 3, 5, 8, 15, 16, 17, 33})
    for (std::size_t left : {1, 3, 4, 5, 9})
      for (std::size_t right : {1, 2, 3, 4, 7}) {
        auto const a = some_rows(left, columns, 1), b = some_rows(right, columns, 2);
        auto const found = dot(a, b), turned = dot(b, a);
        auto const cosines = cos_sim(a, b), turned_cosines = cos_sim(b, a);
        for (std::size_t i = 0; i < left; ++i)
          for (std::size_t j = 0; j < right; ++j) {
            double const expected = std::inner_product(a.row(i).begin(), a.row(i).end(), b.row(j).begin(), 0.0, std::plus<>(),
                                                       [](float x, float y) { return double(x) * y; });
            CHECK(std::abs(found(i, j) - expected) < 1e-5);
            CHECK(found(i, j) == turned(j, i));
            CHECK(cosines(i, j) == turned_cosines(j, i));
          }
      }
}

TEST_CASE("semantic search: finds numpy's best rows, equals by index, and scores are those of cos_sim and dot") {
  auto const golden = fixture();
  auto const corpus = rows_of(golden, "search.corpus"), queries = rows_of(golden, "search.queries");
  Context context = Context::with_threads(2);
  for (auto function : {ScoreFunction::cosine, ScoreFunction::dot}) {
    auto const scores = function == ScoreFunction::cosine ? cos_sim(queries, corpus) : dot(queries, corpus);
    auto const expected = golden.reals(function == ScoreFunction::cosine ? "search.cosine.scores" : "search.dot.scores");
    for (std::size_t top_k : {1, 5, 60, 61, 1000}) {
      auto const found = semantic_search(queries, corpus, {.top_k = top_k, .score = function}, context);
      REQUIRE(found.size() == 5);
      for (std::size_t q = 0; q < 5; ++q) {
        std::span const row(expected.data() + q * 61, 61);
        std::vector<std::size_t> order(61);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return row[a] > row[b] + 1e-9; });
        REQUIRE(found[q].size() == std::min<std::size_t>(top_k, 61));
        for (std::size_t i = 0; i < found[q].size(); ++i) {
          CHECK(found[q][i].index == order[i]);
          CHECK(found[q][i].score == scores(q, order[i]));
        }
      }
    }
  }
  // Query 3 is row 17: 40 is the same row, 50 has the same direction.
  auto const equal = semantic_search(queries, corpus, {.top_k = 3}, context)[3];
  CHECK(equal[0].index == 17);
  CHECK(equal[1].index == 40);
  CHECK(equal[2].index == 50);
  CHECK(equal[0].score == equal[2].score);
  Tensor<float, axes::Hidden> one(std::size_t{19});
  std::ranges::copy(queries.row(3), one.data());
  CHECK(same_hits(semantic_search(one, corpus, {.top_k = 3}, context), equal));
}

TEST_CASE("semantic search: the same bits for any number of threads, over many blocks, with numbers that are none") {
  auto corpus = some_rows(1003, 21, 3);
  auto const queries = some_rows(300, 21, 4);
  corpus(500, 3) = std::numeric_limits<float>::quiet_NaN();
  corpus(501, 3) = std::numeric_limits<float>::infinity();
  Context one;
  auto const expected = semantic_search(queries, corpus, {.top_k = 7, .score = ScoreFunction::dot}, one);
  auto const all = semantic_search(queries, corpus, {.top_k = 1003}, one);
  CHECK(all[0].size() == 1003);
  CHECK(std::isnan(all[0].back().score));
  for (std::size_t threads : {2, 3, 5}) {
    Context context = Context::with_threads(threads);
    auto const found = semantic_search(queries, corpus, {.top_k = 7, .score = ScoreFunction::dot}, context);
    CHECK(std::ranges::equal(found, expected, same_hits));
  }
}

TEST_CASE("semantic search: no query, no corpus, absurd options, and a search that is stopped") {
  Context context = Context::with_threads(2);
  auto const corpus = some_rows(600, 8, 1);
  CHECK(semantic_search(Rows(std::size_t{0}, std::size_t{8}), corpus, {}, context).empty());
  CHECK(semantic_search(corpus, Rows(std::size_t{0}, std::size_t{8}), {}, context)[5].empty());
  CHECK_THROWS_WITH_AS(semantic_search(corpus, corpus, {.top_k = 0}, context), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(semantic_search(corpus, some_rows(1, 7, 1), {}, context), "semantic_search: found rows of 8 and of 7", ShapeError);
  CHECK(semantic_search(corpus, some_rows(2, 8, 1), {.top_k = std::numeric_limits<std::size_t>::max()}, context)[0].size() == 2);
  std::stop_source source;
  std::vector<std::size_t> seen;
  SearchOptions const options{.stop = source.get_token(), .progress = [&](Progress const& progress) {
                                CHECK(progress.total == 600);
                                seen.push_back(progress.done);
                              }};
  semantic_search(corpus, corpus, options, context);
  CHECK(seen.back() == 600);
  CHECK(seen.size() > 1);
  source.request_stop();
  CHECK_THROWS_AS(semantic_search(corpus, corpus, options, context), StoppedError);
}

TEST_CASE("paraphrase mining: finds numpy's pairs, each once and best first") {
  auto const golden = fixture();
  auto const corpus = rows_of(golden, "search.corpus");
  for (std::size_t threads : {1, 3}) {
    Context context = Context::with_threads(threads);
    for (auto function : {ScoreFunction::cosine, ScoreFunction::dot}) {
      std::string const name = function == ScoreFunction::cosine ? "mining.cosine" : "mining.dot";
      auto const scores = golden.reals(name + ".scores");
      auto const indices = golden.ids(name + ".pairs");
      auto const found = paraphrase_mining(corpus, {.top_k = 4, .score = function}, context);
      REQUIRE(found.size() == scores.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(std::abs(found[i].score - scores[i]) < 1e-5);
        CHECK(found[i].first < found[i].second);
        if (i + 1 < found.size()) CHECK(found[i].score >= found[i + 1].score);
        // Zeros are as close to one as to another, and float32 need not agree with float64 on which are the first of them.
        bool const is_tie = (i > 0 && scores[i - 1] - scores[i] < 1e-6) || (i + 1 < scores.size() && scores[i] - scores[i + 1] < 1e-6);
        if (is_tie) continue;
        CHECK(found[i].first == static_cast<std::size_t>(indices[2 * i]));
        CHECK(found[i].second == static_cast<std::size_t>(indices[2 * i + 1]));
      }
      auto const best = paraphrase_mining(corpus, {.top_k = 4, .max_pairs = 5, .score = function}, context);
      REQUIRE(best.size() == 5);
      for (std::size_t i = 0; i < 5; ++i) CHECK((best[i].first == found[i].first && best[i].second == found[i].second));
      float const threshold = found[9].score;
      auto const above = paraphrase_mining(corpus, {.top_k = 4, .min_score = threshold, .score = function}, context);
      CHECK(above.size() ==
            static_cast<std::size_t>(std::ranges::count_if(found, [&](auto const& pair) { return pair.score >= threshold; })));
    }
  }
}

TEST_CASE("paraphrase mining: many rows with room for few pairs give the best of all pairs") {
  auto const rows = some_rows(500, 12, 5);
  Context context = Context::with_threads(2);
  auto const all = paraphrase_mining(rows, {.top_k = 499, .max_pairs = 1'000'000}, context);
  CHECK(all.size() == 500 * 499 / 2);
  auto const few = paraphrase_mining(rows, {.top_k = 499, .max_pairs = 100}, context);
  REQUIRE(few.size() == 100);
  for (std::size_t i = 0; i < 100; ++i)
    CHECK((few[i].first == all[i].first && few[i].second == all[i].second && few[i].score == all[i].score));
  CHECK(paraphrase_mining(Rows(std::size_t{0}, std::size_t{3}), {}, context).empty());
  CHECK(paraphrase_mining(some_rows(1, 3, 1), {}, context).empty());
  CHECK_THROWS_AS(paraphrase_mining(rows, {.max_pairs = 0}, context), ArgumentError);
  CHECK_THROWS_AS(paraphrase_mining(rows, {.top_k = 0}, context), ArgumentError);
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(paraphrase_mining(rows, {.stop = source.get_token()}, context), StoppedError);
}
