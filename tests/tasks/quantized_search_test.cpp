// Embeddings in bytes and bits against sentence-transformers' quantize_embeddings and numpy (tests/fixtures/retrieval/make_codes.py).
#include <doctest/doctest.h>
#include <axiform/tasks/quantized_search.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stop_token>
#include <string>
#include <vector>

#include "support/goldens.hpp"
#include "support/random_floats.hpp"

using namespace axiform;

namespace {

using FloatRows = Tensor<float, axes::Sequences, axes::Hidden>;

goldens::Goldens codes_fixture() { return goldens::Goldens(std::filesystem::path(AXIFORM_FIXTURES) / "retrieval" / "codes.safetensors"); }

template <class Element, class... Axes>
bool has_codes(Tensor<Element, Axes...> const& found, std::vector<TokenId> const& expected) {
  return std::ranges::equal(found.elements(), expected, [](Element a, TokenId b) { return TokenId{a} == b; });
}

// Rows of unit length with columns that matter more and less, as embeddings have them.
FloatRows embeddings_like(std::size_t rows, std::size_t columns, unsigned seed) {
  auto const random = axiform::test::random_floats(rows * columns, seed);
  FloatRows result(rows, columns);
  for (std::size_t i = 0; i < rows; ++i) {
    auto const row = result.row(i);
    for (std::size_t k = 0; k < columns; ++k) row[k] = (random[i * columns + k] + 0.1f) / static_cast<float>(1 + k / 8);
    double const length = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
    for (float& value : row) value = static_cast<float>(value / length);
  }
  return result;
}

// Codes and ranges of one's own.
template <class Ranges>
struct OwnCodes {
  TensorView<std::int8_t const, axes::Sequences, axes::Hidden> codes;
  Ranges ranges;
};
static_assert(Int8Rows<OwnCodes<FloatRows>>);
static_assert(!Int8Rows<OwnCodes<Tensor<float, axes::Hidden>>>);

bool same_bits(std::vector<std::vector<SearchHit>> const& a, std::vector<std::vector<SearchHit>> const& b) {
  return std::ranges::equal(a, b, [](auto const& x, auto const& y) {
    return std::ranges::equal(x, y, [](SearchHit const& hit, SearchHit const& other) {
      return hit.index == other.index && std::memcmp(&hit.score, &other.score, sizeof(float)) == 0;
    });
  });
}

}  // namespace

TEST_CASE("quantized embeddings: codes, bits, products and distances are those of sentence-transformers and numpy") {
  auto const golden = codes_fixture();
  auto context = Context::with_threads(2);
  auto const corpus = golden.tensor<axes::Sequences, axes::Hidden>("corpus"),
             queries = golden.tensor<axes::Sequences, axes::Hidden>("queries");
  auto const ranges = golden.tensor<axes::Sequences, axes::Hidden>("ranges");
  auto const codes = quantize_int8(corpus, ranges, context), asked = quantize_int8(queries, ranges, context);
  CHECK(has_codes(codes.codes, golden.ids("int8")));
  CHECK(has_codes(to_unsigned(codes.codes), golden.ids("uint8")));
  CHECK(has_codes(quantize_int8(corpus, context).codes, golden.ids("int8.own_ranges")));
  auto const bits = quantize_binary(corpus, context), asked_bits = quantize_binary(queries, context);
  CHECK(has_codes(bits.bits, golden.ids("ubinary")));
  CHECK(has_codes(to_signed(bits.bits), golden.ids("binary")));
  CHECK(has_codes(to_signed(to_unsigned(codes.codes)), golden.ids("int8")));
  CHECK(has_codes(int8_dot(asked.codes, codes.codes), golden.ids("dot")));
  CHECK(has_codes(hamming_distances(asked_bits.bits, bits.bits), golden.ids("hamming")));
}

TEST_CASE("quantized embeddings: fixed lengths are in the types") {
  Context context;
  Tensor<float, axes::Sequences, Const<20>> const rows(3);
  auto const codes = quantize_int8(rows, context);
  auto const bits = quantize_binary(rows, context);
  static_assert(std::is_same_v<decltype(codes.codes), Tensor<std::int8_t, axes::Sequences, Const<20>>>);
  static_assert(std::is_same_v<decltype(bits.bits), Tensor<std::uint8_t, axes::Sequences, Const<3>>>);
  CHECK(codes.codes(2, 19) == -128);
  CHECK(bits.bits(2, 2) == 0);
  CHECK_THROWS_WITH_AS(column_ranges(Tensor<float, axes::Sequences, Const<4>>(1)),
                       "column_ranges: found 1 embeddings, expected at least 2, better thousands", ArgumentError);
  Tensor<float, Const<2>, axes::Hidden> const narrow(19);
  CHECK_THROWS_WITH_AS(quantize_int8(rows, narrow, context), "quantize_int8: ranges: found rows of 19, expected 20", ShapeError);
}

TEST_CASE("quantized search: with all rows as candidates, hits are those of semantic_search, bit by bit") {
  auto const golden = codes_fixture();
  auto context = Context::with_threads(2);
  auto const corpus = golden.tensor<axes::Sequences, axes::Hidden>("corpus"),
             queries = golden.tensor<axes::Sequences, axes::Hidden>("queries");
  for (auto const score : {ScoreFunction::cosine, ScoreFunction::dot}) {
    auto const exact = semantic_search(queries, corpus, {.top_k = 7, .score = score}, context);
    QuantizedSearchOptions const options{.top_k = 7, .rescore_multiplier = 100, .score = score};
    CHECK(same_bits(quantized_search(queries, quantize_int8(corpus, context), corpus, options, context), exact));
    CHECK(same_bits(quantized_search(queries, quantize_binary(corpus, context), corpus, options, context), exact));
  }
}

TEST_CASE("quantized search: without floats, scores are those of sentence-transformers' rescoring") {
  auto const golden = codes_fixture();
  Context context;
  auto const corpus = golden.tensor<axes::Sequences, axes::Hidden>("corpus"),
             queries = golden.tensor<axes::Sequences, axes::Hidden>("queries");
  auto const codes = quantize_int8(corpus, golden.tensor<axes::Sequences, axes::Hidden>("ranges"), context);
  auto const bits = quantize_binary(corpus, context);
  QuantizedSearchOptions const all{.top_k = 150};
  auto const check = [&](std::vector<std::vector<SearchHit>> const& found, std::vector<double> const& scores) {
    double worst = 0;
    for (std::size_t query = 0; query < found.size(); ++query) {
      CHECK(found[query].size() == 150);
      for (std::size_t i = 0; i < found[query].size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found[query][i].score) - scores[query * 150 + found[query][i].index]));
        if (i != 0) CHECK(found[query][i].score <= found[query][i - 1].score);
      }
    }
    CHECK(worst < 2e-6);
  };
  check(quantized_search(queries, codes, all, context), golden.reals("int8.scores"));
  check(quantized_search(queries, bits, all, context), golden.reals("binary.scores"));
}

TEST_CASE("quantized search: any threads and any rows per call give the same hits, views and one query too") {
  Context context;
  auto threads = Context::with_threads(3);
  auto const corpus = embeddings_like(3000, 96, 1), queries = embeddings_like(40, 96, 2);
  auto const codes = quantize_int8(corpus, context);
  auto const bits = quantize_binary(corpus, context);
  auto const by_bytes = quantized_search(queries, codes, corpus, {}, context),
             by_bits = quantized_search(queries, bits, corpus, {}, context);
  CHECK(same_bits(by_bytes, quantized_search(queries, codes, corpus, {}, threads)));
  CHECK(same_bits(by_bits, quantized_search(queries, bits, corpus, {}, threads)));
  Int8View<axes::Hidden> const view{codes.codes.view(), codes.ranges.view()};
  BinaryView<axes::Hidden> const bit_view{bits.bits.view(), bits.dimensions};
  CHECK(same_bits(by_bytes, quantized_search(queries, view, corpus, {}, threads)));
  CHECK(same_bits(by_bits, quantized_search(queries, bit_view, corpus, {}, threads)));
  Tensor<float, axes::Hidden> one(std::size_t{96});
  std::ranges::copy(queries.row(5), one.data());
  CHECK(same_bits({by_bytes[5]}, {quantized_search(one, codes, corpus, QuantizedSearchOptions{}, context)}));
  CHECK(same_bits({quantized_search(one, bits, QuantizedSearchOptions{}, context)}, {quantized_search(queries, bits, {}, threads)[5]}));
  // How much is found: all of it with bytes; bits weigh all columns alike, and want more candidates.
  auto const exact = semantic_search(queries, corpus, {}, context);
  CHECK(search_recall(exact, exact) == 1);
  CHECK(search_recall(by_bytes, exact) == 1);
  double const recall = search_recall(by_bits, exact);
  CHECK(recall > 0.05);
  CHECK(search_recall(quantized_search(queries, bits, corpus, {.rescore_multiplier = 40}, context), exact) > 4 * recall);
  CHECK(search_recall({{{.index = 1}, {.index = 2}}, {}}, {{{.index = 2}, {.index = 3}}, {{.index = 4}, {.index = 5}}}) == 0.25);
  CHECK_THROWS_WITH_AS(search_recall(exact, {}), "search_recall: found hits of 40 queries and of 0", ShapeError);
}

TEST_CASE("quantized search: errors, stopping, and corpora of no row") {
  Context context;
  auto const corpus = embeddings_like(9, 16, 1), queries = embeddings_like(2, 16, 2), wide = embeddings_like(2, 17, 3);
  auto const codes = quantize_int8(corpus, context);
  CHECK_THROWS_WITH_AS(quantized_search(wide, codes, {}, context), "quantized_search: found rows of 17 and of 16", ShapeError);
  CHECK_THROWS_WITH_AS(quantized_search(queries, codes, queries, {}, context),
                       "quantized_search: found 9 rows of codes and 2 of floats, expected as many", ShapeError);
  CHECK_THROWS_WITH_AS(quantized_search(queries, codes, corpus, {.top_k = 0}, context), "top_k: found 0, expected at least 1",
                       ArgumentError);
  CHECK_THROWS_WITH_AS(quantized_search(queries, codes, corpus, {.rescore_multiplier = 0}, context),
                       "rescore_multiplier: found 0, expected at least 1", ArgumentError);
  OwnCodes<FloatRows> own{codes.codes.view(), FloatRows(std::size_t{2}, std::size_t{16})};
  for (std::size_t end = 0; end < 2; ++end) std::ranges::copy(codes.ranges.row(end), own.ranges.row(end).begin());
  CHECK(same_bits(quantized_search(queries, own, {}, context), quantized_search(queries, codes, {}, context)));
  for (std::size_t const rows : {0U, 1U, 3U}) {
    own.ranges = FloatRows(rows, std::size_t{16});
    CHECK_THROWS_WITH_AS(quantized_search(queries, own, {}, context),
                         ("quantized_search: found ranges of " + std::to_string(rows) + " rows, expected 2").c_str(), ShapeError);
  }
  own.ranges = FloatRows(std::size_t{2}, std::size_t{15});
  CHECK_THROWS_WITH_AS(quantized_search(queries, own, {}, context), "quantized_search: ranges: found rows of 15, expected 16", ShapeError);
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_WITH_AS(quantized_search(queries, codes, corpus, {.stop = source.get_token()}, context), "search: stopped at query 0 of 2",
                       StoppedError);
  FloatRows const none(std::size_t{0}, std::size_t{16});
  for (auto const& hits : quantized_search(queries, quantize_binary(none, context), none, {}, context)) CHECK(hits.empty());
}
