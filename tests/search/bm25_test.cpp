// Words, BM25 and fusion against Python's unicodedata, bm25s and exact fractions (tests/fixtures/search/make_search.py).
#include <doctest/doctest.h>
#include <axiform/search/bm25.hpp>
#include <axiform/search/fusion.hpp>
#include <axiform/search/words.hpp>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/files.hpp"

using namespace axiform;

namespace {

Json search_fixture() { return read_json(std::filesystem::path(AXIFORM_FIXTURES) / "search" / "search.json"); }

std::vector<std::string> fixture_texts() { return search_fixture()["texts"].get<std::vector<std::string>>(); }

bool are_same_hits(std::vector<SearchHit> const& a, std::vector<SearchHit> const& b) {
  return std::ranges::equal(a, b, [](SearchHit const& x, SearchHit const& y) { return x.index == y.index && x.score == y.score; });
}

}  // namespace

TEST_CASE("words: letters and digits in lower case, composed, ideographs and hiragana by themselves, as the reference cuts them") {
  Json const fixture = search_fixture();
  for (std::size_t i = 0; i < fixture["words"].size(); ++i) {
    auto const text = fixture["texts"][i].get<std::string>();
    CAPTURE(text);
    CHECK(words_of(text) == fixture["words"][i].get<std::vector<std::string>>());
  }
}

TEST_CASE("words: bytes that are not UTF-8 separate words") {
  CHECK(words_of("one\xFFtwo\xE6\x9D three") == std::vector<std::string>{"one", "two", "three"});
  CHECK(words_of(std::string("a\0b", 3)) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("bm25: scores and order are those of bm25s with Lucene's formula, for any k1 and b") {
  Json const fixture = search_fixture();
  Bm25 const bm25(fixture_texts());
  CHECK(bm25.size() == 55);
  for (Json const& entry : fixture["bm25"]) {
    auto const query = entry["query"].get<std::string>();
    CAPTURE(query);
    Bm25Options const options{.top_k = 1000, .k1 = entry["k1"].get<double>(), .b = entry["b"].get<double>()};
    auto const hits = bm25.search(query, options);
    REQUIRE(hits.size() == entry["hits"].size());
    for (std::size_t i = 0; i < hits.size(); ++i) {
      CHECK(std::abs(hits[i].score - entry["hits"][std::to_string(hits[i].index)].get<double>()) < 2e-6);
      if (i > 0) CHECK((hits[i - 1].score > hits[i].score || (hits[i - 1].score == hits[i].score && hits[i - 1].index < hits[i].index)));
    }
    Bm25Options few = options;
    few.top_k = 2;
    auto best = hits;
    best.resize(std::min<std::size_t>(2, hits.size()));
    CHECK(are_same_hits(bm25.search(query, few), best));
  }
}

TEST_CASE("bm25: texts that are added in any order, or come from another index, give the same index") {
  auto const texts = fixture_texts();
  Bm25 const expected(texts);
  Bm25Builder backwards;
  for (std::size_t i = texts.size(); i-- > 0;) backwards.add(i, texts[i]);
  Bm25Builder from_another;
  std::vector<std::string> others{"gone tower", "words that nobody has"};
  others.insert(others.end(), texts.begin() + 10, texts.end());
  std::vector<std::uint32_t> places{Bm25Builder::left_out, Bm25Builder::left_out};
  for (std::uint32_t i = 10; i < texts.size(); ++i) places.push_back(i);
  from_another.add(Bm25(others), places);
  for (std::size_t i = 0; i < 10; ++i) from_another.add(i, texts[i]);
  for (Bm25 const& found : {std::move(backwards).finish(texts.size()), std::move(from_another).finish(texts.size())}) {
    CHECK(std::ranges::equal(found.arrays().words, expected.arrays().words));
    CHECK(std::ranges::equal(found.arrays().word_ends, expected.arrays().word_ends));
    CHECK(std::ranges::equal(found.arrays().posting_ends, expected.arrays().posting_ends));
    CHECK(std::ranges::equal(found.arrays().texts, expected.arrays().texts));
    CHECK(std::ranges::equal(found.arrays().counts, expected.arrays().counts));
    CHECK(std::ranges::equal(found.arrays().lengths, expected.arrays().lengths));
  }
}

TEST_CASE("bm25: no texts, no words, absurd options, and arrays that do not fit together") {
  CHECK(Bm25().search("word").empty());
  CHECK(Bm25(std::vector<std::string>{"", "!"}).search("word").empty());
  Bm25 const bm25(std::vector<std::string>{"one two", "two three"});
  CHECK(bm25.word_count() == 3);
  CHECK_THROWS_WITH_AS(bm25.search("two", {.top_k = 0}), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(bm25.search("two", {.k1 = -1}), "k1: found -1.000000, expected a number from 0", ArgumentError);
  CHECK_THROWS_WITH_AS(bm25.search("two", {.b = 1.5}), "b: found 1.500000, expected a number from 0 to 1", ArgumentError);
  CHECK_THROWS_AS(bm25.search("two", {.k1 = std::numeric_limits<double>::quiet_NaN()}), ArgumentError);
  CHECK_THROWS_AS(Bm25Builder().add(bm25, std::vector<std::uint32_t>{1}), ArgumentError);

  auto const damaged = [&](auto const& damage) {
    Bm25Arrays arrays = bm25.arrays();
    damage(arrays);
    return test::message_of<FormatError>([&] { Bm25(arrays, nullptr, "file").search("two"); });
  };
  std::vector<std::uint64_t> const ends{3, 2, 11};
  std::vector<std::uint32_t> const texts{0, 0, 7, 1};
  CHECK(damaged([&](Bm25Arrays& a) { a.word_ends = ends; }) == "file: words: found ends that are not in order within the words' bytes");
  CHECK(damaged([](Bm25Arrays& a) { a.word_ends = a.word_ends.first(2); }) ==
        "file: words: found ends that are not in order within the words' bytes");
  CHECK(damaged([](Bm25Arrays& a) { a.posting_ends = {}; }) == "file: words: found the postings of 0, expected 3");
  CHECK(damaged([](Bm25Arrays& a) { a.counts = a.counts.first(1); }) ==
        "file: words: found ends that are not in order within the postings");
  CHECK(damaged([&](Bm25Arrays& a) { a.texts = texts; }) ==
        "file: words: found the text 7 among the postings of \"two\", expected one of 2");
  std::string const disordered = "twothreeone";
  std::vector<std::uint64_t> const disordered_ends{3, 8, 11};
  CHECK(damaged([&](Bm25Arrays& a) { a.words = disordered, a.word_ends = disordered_ends; }) ==
        "file: words: found \"three\" behind \"two\"");
  std::vector<std::uint32_t> const zeros{0, 0};
  CHECK(damaged([&](Bm25Arrays& a) { a.lengths = zeros; }) == "no exception");  // no number that is none
}

TEST_CASE("fusion: sums and order are those of exact fractions, whatever the scores of the rankings") {
  Json const fixture = search_fixture();
  for (Json const& entry : fixture["fused"]) {
    std::vector<std::vector<SearchHit>> rankings;
    for (Json const& ranking : entry["rankings"]) {
      rankings.emplace_back();
      for (auto const index : ranking.get<std::vector<std::size_t>>())
        rankings.back().push_back({.index = index, .score = std::numeric_limits<float>::quiet_NaN()});
    }
    auto const order = entry["order"].get<std::vector<std::size_t>>();
    auto const fused = reciprocal_rank_fusion(rankings, {.top_k = 100, .k = entry["k"].get<double>()});
    REQUIRE(fused.size() == order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      CHECK(fused[i].index == order[i]);
      CHECK(std::abs(fused[i].score - entry["scores"][i].get<double>()) < 1e-7);
    }
  }
  std::vector<std::vector<SearchHit>> const repeated{{{.index = 3}, {.index = 3}, {.index = 4}}};
  auto const fused = reciprocal_rank_fusion(repeated);
  REQUIRE(fused.size() == 2);
  CHECK(fused[0].score == doctest::Approx(1 / 61.0));
  CHECK(fused[1].score == doctest::Approx(1 / 63.0));
  CHECK(reciprocal_rank_fusion({}).empty());
  CHECK_THROWS_WITH_AS(reciprocal_rank_fusion(repeated, {.top_k = 0}), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(reciprocal_rank_fusion(repeated, {.k = -1}), "k: found -1.000000, expected a number from 0", ArgumentError);
}
