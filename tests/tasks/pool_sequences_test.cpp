// Poolings on numbers that can be checked by hand; the hidden model of a TextEmbedder.
#include <doctest/doctest.h>
#include <axiform/tasks/pool_sequences.hpp>
#include <axiform/tasks/text_embedder.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace axiform;

namespace {

// Three tokens, none, and one.
Tensor<float, axes::Tokens, Const<2>> states() {
  Tensor<float, axes::Tokens, Const<2>> result(4);
  std::ranges::copy(std::vector<float>{3, -4, 1, 6, 2, 1, -2, 1}, result.data());
  return result;
}
SequenceOffsets<axes::Tokens> const three_sequences = SequenceOffsets<axes::Tokens>::of_lengths({3, 0, 1});

std::vector<float> pooled(std::vector<Pooling> const& poolings, std::size_t skipped = 0) {
  Context context = Context::with_threads(2);
  auto const result = pool_sequences(states(), three_sequences, poolings, skipped, context);
  CHECK(result.columns() == 2 * poolings.size());
  return {result.elements().begin(), result.elements().end()};
}

// A model in the eyes of TextEmbedder: the lengths of the texts.
struct Lengths {
  struct Rows {
    std::vector<std::vector<float>> values;
    std::vector<float> const& row(std::size_t index) const { return values[index]; }
  };
  Rows embed(std::span<std::string_view const> texts, EmbedOptions const& options, int& calls) const {
    ++calls;
    Rows rows;
    for (std::string_view const text : texts) rows.values.push_back({static_cast<float>(text.size()), static_cast<float>(calls)});
    if (options.role == TextRole::query) throw StoppedError("stopped");
    return rows;
  }
  std::size_t dimensions() const { return 2; }
  std::size_t max_length() const { return 9; }
};

}  // namespace

TEST_CASE("pool sequences: each pooling over all tokens, with zeros for an empty sequence") {
  using enum Pooling;
  CHECK(pooled({mean}) == std::vector<float>{2, 1, 0, 0, -2, 1});
  CHECK(pooled({first_token}) == std::vector<float>{3, -4, 0, 0, -2, 1});
  CHECK(pooled({last_token}) == std::vector<float>{2, 1, 0, 0, -2, 1});
  CHECK(pooled({maximum}) == std::vector<float>{3, 6, 0, 0, -2, 1});
  auto const root = static_cast<float>(1 / std::sqrt(3.0));
  CHECK(pooled({mean_sqrt_length}) == std::vector<float>{6 * root, 3 * root, 0, 0, -2, 1});
  auto const sixth = static_cast<float>(1.0 / 6);
  CHECK(pooled({weighted_mean}) == std::vector<float>{(3 + 2 + 6) * sixth, (-4 + 12 + 3) * sixth, 0, 0, -2, 1});
  CHECK(pooled({maximum, first_token}) == std::vector<float>{3, 6, 3, -4, 0, 0, 0, 0, -2, 1, -2, 1});
}

TEST_CASE("pool sequences: skipped tokens do not count, and weights stay those of the places") {
  using enum Pooling;
  CHECK(pooled({mean}, 1) == std::vector<float>{1.5, 3.5, 0, 0, 0, 0});
  CHECK(pooled({first_token}, 1) == std::vector<float>{1, 6, 0, 0, -2, 1});  // where nothing is left, the sequence's own first
  CHECK(pooled({last_token}, 1) == std::vector<float>{2, 1, 0, 0, 0, 0});
  CHECK(pooled({maximum}, 2) == std::vector<float>{2, 1, 0, 0, 0, 0});
  auto const fifth = static_cast<float>(1.0 / 5);
  CHECK(pooled({weighted_mean}, 1) == std::vector<float>{(2 + 6) * fifth, (12 + 3) * fifth, 0, 0, 0, 0});
  CHECK(pooled({mean}, 100) == std::vector<float>{0, 0, 0, 0, 0, 0});
}

TEST_CASE("pool sequences: one pooling is normalised, and sequences that do not fill the rows are refused") {
  Context context;
  auto const unit = pool_sequences(states(), three_sequences, Pooling::first_token, Normalization::unit_length, context);
  CHECK(unit(0, 0) == doctest::Approx(0.6));
  CHECK(unit(0, 1) == doctest::Approx(-0.8));
  CHECK(unit(1, 0) == 0);
  auto const short_sequences = SequenceOffsets<axes::Tokens>::of_lengths({3});
  CHECK_THROWS_AS(pool_sequences(states(), short_sequences, Pooling::mean, Normalization::none, context), ShapeError);
}

TEST_CASE("text embedder: hides any model that embeds, shares it among copies, and passes on options and exceptions") {
  TextEmbedder const embedder(Lengths{}, 0);
  TextEmbedder const copy = embedder;
  CHECK(embedder.dimensions() == 2);
  CHECK(embedder.max_length() == 9);
  CHECK(embedder.embed("three") == std::vector<float>{5, 1});
  CHECK(copy.embed({"a", "bc"}) == std::vector<std::vector<float>>{{1, 2}, {2, 2}});
  CHECK(embedder.embed(std::vector<std::string>{"", "xy"}) == std::vector<std::vector<float>>{{0, 3}, {2, 3}});
  CHECK(copy.embed(std::vector<std::string>()).empty());
  CHECK_THROWS_AS(copy.embed("a", {.role = TextRole::query}), StoppedError);
}
