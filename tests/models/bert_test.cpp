// BERT against transformers in float64: random weights, and MiniLM's real ones.
#include <axiform/core/context.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/load.hpp>
#include <doctest/doctest.h>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

// The end-to-end bound of the design; the fixture's hidden states are of magnitude 1 to 4, so it is about 20 ulp.
constexpr double tolerance = 2e-5;

struct Tiny : Dimensions<Const<40>, Const<5>, Const<8>, Const<72>> {
  static constexpr ModelSizes sizes{.layers = 3, .vocabulary = 97, .positions = 144, .token_types = 2};
};

template <class D>
void check_cases(char const* fixture) {
  Context context = Context::with_threads(2);
  auto const bert = load<Bert<D>>(goldens::models / fixture, context);
  Goldens const golden(goldens::models / fixture / "goldens.safetensors");
  for (int i = 0; golden.has("case" + std::to_string(i) + ".ids"); ++i) {
    CAPTURE(i);
    std::string const name = "case" + std::to_string(i);
    auto const ids = golden.ids(name + ".ids");
    auto const token_types = golden.ids(name + ".token_types");
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    Capture capture;
    context.observe(&capture);
    auto const states = bert({.ids = ids, .sequences = sequences, .token_types = token_types}, context);
    context.observe(nullptr);
    CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < tolerance);
    if (bert.pooler) {
      CHECK(largest_difference(bert.pool(states, sequences, context), golden.reals(name + ".pooler_output")) < tolerance);
    }
    goldens::check_captured(capture, golden, name, bert.encoder.layers.size(), tolerance);
  }
}

}  // namespace

static_assert(parameter_count<Bert<BertBase>> == 109'482'240);
static_assert(parameter_count<Bert<BertLarge>> == 335'141'888);
static_assert(parameter_count<Bert<MiniLmL6>> == 22'713'216);
static_assert(parameter_count<Bert<MiniLmL12>> == 33'360'000);
static_assert(parameter_count<Bert<BgeSmall>> == 33'360'000);
// 85 M weights of products in 12 layers, two operations each, and 4 * 128 * 768 * 12 for attention.
static_assert(flops_per_token<Bert<BertBase>, 128> == 2 * 84'934'656 + 4'718'592);

TEST_CASE("bert: ids are a list, a vector, or integers of 64 bits") {
  Context context;
  auto const bert = Bert<Tiny>::create();
  std::vector<TokenId> const ids{1, 2, 3};
  auto const expected = bert(ids, context);
  auto const same = [&](auto const& found) { return std::ranges::equal(found.elements(), expected.elements()); };
  CHECK(same(bert({1, 2, 3}, context)));
  CHECK(same(bert(std::vector<std::int64_t>{1, 2, 3}, context)));
  auto const sequences = SequenceOffsets<axes::Tokens>::single(3);
  CHECK(same(bert({.ids = ids, .sequences = sequences}, context)));
  CHECK_THROWS_WITH_AS(bert(std::vector<std::int64_t>{1, std::int64_t{1} << 40}, context),
                       "id 1099511627776 at position 1: expected 0 to 2147483647", ArgumentError);
  CHECK(bert.pool(bert(ids, context), sequences, context).rows() == 1);  // a temporary goes straight into the pooler
}

TEST_CASE("bert: dimensions of the checkpoint give transformers' hidden states, attentions and pooler output") {
  check_cases<DynamicDimensions>("bert-tiny");
}

TEST_CASE("bert: dimensions of the type give the same") { check_cases<Tiny>("bert-tiny"); }

TEST_CASE("bert: legacy names, half precision, shards, other activations and a missing pooler all load") {
  for (char const* fixture : {"bert-legacy", "bert-f16", "bert-bf16", "bert-sharded", "bert-relu", "bert-gelu-new"}) {
    CAPTURE(fixture);
    check_cases<DynamicDimensions>(fixture);
  }
}

TEST_CASE("bert: a ragged batch is what its sequences are one by one") {
  Context context;
  auto const bert = load<Bert<>>(goldens::models / "bert-tiny", context);
  Goldens const golden(goldens::models / "bert-tiny" / "goldens.safetensors");
  auto const ids = golden.ids("batch.ids");
  auto const token_types = golden.ids("batch.token_types");
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
  auto const states = bert({.ids = ids, .sequences = sequences, .token_types = token_types}, context);
  CHECK(largest_difference(states.elements(), golden.reals("batch.last_hidden_state")) < tolerance);
  CHECK(largest_difference(bert.pool(states, sequences, context), golden.reals("batch.pooler_output")) < tolerance);
}

TEST_CASE("bert: MiniLM's real weights give transformers' hidden states, attention and embeddings") {
  Context context = Context::with_threads(2);
  auto const bert = load<Bert<MiniLmL6>>(std::filesystem::path(AXIFORM_MODELS) / "minilm-l6", context);
  Goldens const golden(goldens::models / "minilm" / "goldens.safetensors");
  for (int i = 0; golden.has("sentence" + std::to_string(i) + ".ids"); ++i) {
    CAPTURE(i);
    std::string const name = "sentence" + std::to_string(i);
    auto const ids = golden.ids(name + ".ids");
    Capture capture;
    context.observe(&capture);
    auto const states = bert(ids, context);
    context.observe(nullptr);
    std::vector<double> mean(384);
    for (std::size_t row = 0; row < states.rows(); ++row)
      for (std::size_t column = 0; column < mean.size(); ++column) mean[column] += states(row, column);
    double norm = 0;
    for (double value : mean) norm += value * value;
    std::vector<float> embedding;
    for (double value : mean) embedding.push_back(static_cast<float>(value / std::sqrt(norm)));
    CHECK(largest_difference(embedding, golden.reals(name + ".embedding")) < 1e-6);
    if (!golden.has(name + ".last_hidden_state")) continue;
    CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < tolerance);
    auto const& map = capture.attention(5);
    std::vector<float> average(map.length<1>() * map.length<2>());
    for (std::size_t head = 0; head < map.length<0>(); ++head)
      for (std::size_t at = 0; at < average.size(); ++at) average[at] += map.data()[head * average.size() + at] / 12;
    CHECK(largest_difference(average, golden.reals(name + ".last_attention_mean")) < 1e-6);
  }
}

TEST_CASE("bert: parameters counted one by one are those of the type") {
  CHECK(count_parameters(Bert<MiniLmL6>::create()) == parameter_count<Bert<MiniLmL6>>);
  CHECK(count_parameters(Bert<Tiny>::create()) == parameter_count<Bert<Tiny>>);
}

TEST_CASE("bert: what cannot be run is refused by name") {
  Context context;
  auto const bert = Bert<Tiny>::create({.pooler = Pooler::absent});
  auto const run = [&](std::vector<TokenId> const& ids, std::vector<TokenId> const& types, SequenceOffsets<axes::Tokens> const& sequences) {
    bert({.ids = ids, .sequences = sequences, .token_types = types}, context);
  };
  auto const one = SequenceOffsets<axes::Tokens>::single(1);
  CHECK_THROWS_WITH_AS(run({97}, {}, one), "token id 97 at position 0: expected 0 to 96", ArgumentError);
  CHECK_THROWS_WITH_AS(run({-1}, {}, one), "token id -1 at position 0: expected 0 to 96", ArgumentError);
  CHECK_THROWS_WITH_AS(run({1}, {2}, one), "token type 2 at position 0: expected 0 to 1", ArgumentError);
  CHECK_THROWS_AS(run({1, 2}, {}, one), ShapeError);
  CHECK_THROWS_AS(run({1}, {0, 0}, one), ShapeError);
  std::vector<TokenId> const many(145, 1);
  CHECK_THROWS_WITH_AS(bert(many, context), "sequence 0: found 145 tokens, expected at most the model's 144 positions", ArgumentError);
  CHECK_THROWS_AS(bert.pool(bert(std::vector<TokenId>{1}, context), one, context), ArgumentError);
  CHECK(bert(std::vector<TokenId>{}, context).rows() == 0);
}

TEST_CASE("bert: without token types none is added, and any that is asked for is refused") {
  Context context;
  auto const bert = Bert<>::create({8, 2, 4, 16}, {.layers = 1, .vocabulary = 5, .positions = 4, .token_types = 0});
  std::vector<TokenId> const ids{1, 2};
  std::vector<TokenId> const types{0, 0};
  auto const two = SequenceOffsets<axes::Tokens>::single(2);
  CHECK_NOTHROW(bert(ids, context));
  CHECK_THROWS_WITH_AS(bert({.ids = ids, .sequences = two, .token_types = types}, context),
                       "token type 0 at position 0: expected none, the table is empty", ArgumentError);
}
