// Rerankers against sentence-transformers' CrossEncoder (tests/fixtures/sentences/make_sentences.py).
#include <doctest/doctest.h>
#include <axiform/tasks/reranker.hpp>

#include <cmath>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/goldens.hpp"

using namespace axiform;

namespace {

std::filesystem::path const fixtures = std::filesystem::path(AXIFORM_FIXTURES) / "sentences";

struct Case {
  Json json = read_json(fixtures / "cases.json");
  std::string query = json["texts"][0];
  std::vector<std::string> passages = json["passages"].get<std::vector<std::string>>();
  goldens::Goldens golden{fixtures / "goldens.safetensors"};
};

}  // namespace

TEST_CASE(
    "reranker: scores, logits and order are those of CrossEncoder, of BERT and of RoBERTa, also where a pair is cut and for equal "
    "passages") {
  Case const given;
  Context context = Context::with_threads(2);
  for (std::string const name : {"reranker", "reranker-roberta"}) {
    CAPTURE(name);
    bool const is_roberta = name == "reranker-roberta";
    auto const reranker = Reranker<>::from_directory(is_roberta ? fixtures / name : goldens::models / "bert-regression", context);
    CHECK(reranker.activation() == (is_roberta ? ScoreActivation::none : ScoreActivation::sigmoid));  // RoBERTa's config names it
    auto const scores = reranker.scores(given.query, given.passages, {}, context);
    CHECK(goldens::largest_difference(scores, given.golden.reals(name + ".scores")) < 1e-5);
    auto const logits = reranker.scores(given.query, given.passages, {.activation = ScoreActivation::none}, context);
    CHECK(goldens::largest_difference(logits, given.golden.reals(name + ".logits")) < 2e-5);
    auto const hits = reranker.rank(given.query, given.passages, context);
    auto const order = given.golden.ids(name + ".order");
    REQUIRE(hits.size() == order.size());
    for (std::size_t i = 0; i < hits.size(); ++i) {
      CHECK(hits[i].index == static_cast<std::size_t>(order[i]));
      CHECK(hits[i].score == scores[hits[i].index]);
    }
    CHECK(scores[1] == scores[5]);
    CHECK(reranker.rank(given.query, given.passages, {.top_k = 2}, context).size() == 2);
    CHECK(reranker.rank(given.query, given.passages, {.top_k = 100}, context).size() == 6);
  }
}

TEST_CASE("reranker: a pair's score has the same bits alone, in any batch and on any number of threads") {
  Case const given;
  Context context = Context::with_threads(3);
  Context one;
  auto const reranker = Reranker<>::from_directory(goldens::models / "bert-regression", context);
  std::vector<std::string> many;
  for (std::size_t i = 0; i < 40; ++i) many.push_back(given.passages[i % 6] + std::string(i % 5, '!'));
  many.push_back("\xff\xfe");
  many.push_back(std::string(100'000, 'a'));
  auto const expected = reranker.scores(given.query, many, {}, one);
  for (std::size_t batch : {1, 7, 32}) CHECK(reranker.scores(given.query, many, {.batch_size = batch}, context) == expected);
  for (std::size_t i = 0; i < many.size(); ++i) CHECK(reranker.scores(given.query, std::vector{many[i]}, {}, context)[0] == expected[i]);
  CHECK(reranker.rank(given.query, std::vector<std::string>(), context).empty());
  CHECK_THROWS_AS(reranker.scores(given.query, many, {.batch_size = 0}, context), ArgumentError);
  CHECK_THROWS_WITH_AS(reranker.rank(given.query, many, {.top_k = 0}, context), "top_k: found 0, expected at least 1", ArgumentError);
  std::stop_source source;
  CHECK_THROWS_AS(
      reranker.rank(given.query, many,
                    {.batch_size = 2, .stop = source.get_token(), .progress = [&](Progress const&) { source.request_stop(); }}, context),
      StoppedError);
}

TEST_CASE("reranker: a model of several labels is refused") {
  Context context;
  CHECK_THROWS_WITH_AS(Reranker<>::from_directory(goldens::models / "bert-single-label", context),
                       "reranker: found a model of 3 labels, expected 1, the score", CheckpointError);
}
