// GPT-2 against transformers in float64, with and without the key-value cache.
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/gpt2_heads.hpp>
#include <axiform/models/load.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double gpt2_tolerance = 2e-5;        // of hidden states, end to end
constexpr double logit_tolerance = 1e-4;  // logits are sums of some 36 such

void check_cases(char const* fixture) {
  Context context = Context::with_threads(2);
  auto const gpt2 = load<Gpt2<>>(goldens::models / fixture, context);
  Goldens const golden(goldens::models / fixture / "goldens.safetensors");
  for (int i = 0; golden.has("case" + std::to_string(i) + ".ids"); ++i) {
    CAPTURE(i);
    std::string const name = "case" + std::to_string(i);
    auto const ids = golden.ids(name + ".ids");
    Capture capture;
    context.observe(&capture);
    auto const states = gpt2(ids, context);
    context.observe(nullptr);
    if (golden.has(name + ".last_hidden_state"))
      CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < gpt2_tolerance);
    auto const logits = gpt2.logits(states, context);
    if (golden.has(name + ".logits")) CHECK(largest_difference(logits.elements(), golden.reals(name + ".logits")) < logit_tolerance);
    if (golden.has(name + ".last_logits"))
      CHECK(largest_difference(logits.row(ids.size() - 1), golden.reals(name + ".last_logits")) < logit_tolerance);
    goldens::check_captured(capture, golden, name, gpt2.decoder.layers.size(), gpt2_tolerance);
  }
}

}  // namespace

static_assert(parameter_count<Gpt2<Gpt2Small>> == 124'439'808);
static_assert(parameter_count<Gpt2<Gpt2Medium>> == 354'823'168);
static_assert(parameter_count<Gpt2<Gpt2Large>> == 774'030'080);
static_assert(parameter_count<Gpt2<Gpt2Xl>> == 1'557'611'200);
static_assert(parameter_count<Gpt2<DistilGpt2>> == 81'912'576);
static_assert(Gpt2<Gpt2Small>::parameter_count({}, Gpt2Small::sizes, HeadWeights::own) == 124'439'808 + 50'257 * 768);
static_assert(key_value_bytes_per_token<Gpt2<Gpt2Small>> == 2 * 12 * 768 * 4);
static_assert(flops_per_token<Gpt2<Gpt2Small>, 0> == 2 * (84'934'656 + 38'597'376));
static_assert(CausalLanguageModel<Gpt2<>> && CausalLanguageModel<Gpt2<Gpt2Small>>);

TEST_CASE("gpt2: logits, hidden states and attentions are transformers'") { check_cases("gpt2-tiny"); }

TEST_CASE("gpt2: prefixes, buffers, half precision and shards all load") {
  for (char const* fixture : {"gpt2-prefixed", "gpt2-f16", "gpt2-bf16", "gpt2-sharded"}) {
    CAPTURE(fixture);
    check_cases(fixture);
  }
}

TEST_CASE("gpt2: a head of its own gives transformers' logits and tokens, and is counted") {
  check_cases("gpt2-untied");
  Context context;
  auto const [gpt2, report] = load_with_report<Gpt2<>>(goldens::models / "gpt2-untied", context);
  CHECK(gpt2.lm_head.weights() == HeadWeights::own);
  CHECK(std::ranges::find(report.loaded, "lm_head.weight") != report.loaded.end());
  CHECK(count_parameters(gpt2) == Gpt2<>::parameter_count(gpt2.dimensions, gpt2.sizes, HeadWeights::own));
  Goldens const golden(goldens::models / "gpt2-untied" / "goldens.safetensors");
  auto expected = golden.ids("greedy.prompt");
  auto const prompt = expected;
  for (TokenId id : golden.ids("greedy.ids")) expected.push_back(id);
  CHECK(generate(gpt2, prompt, {.max_new_tokens = 10, .decoding = Decoding::greedy}, context).at(0) == expected);
}

TEST_CASE("gpt2: whose matrix the head has follows the file where the config errs, and is an error where the file lacks it") {
  Context context;
  std::vector<TokenId> const ids{3, 1, 4};
  auto const logits = [&](Gpt2<> const& gpt2) { return gpt2.logits(gpt2(ids, context), context); };
  auto const expected = logits(load<Gpt2<>>(goldens::models / "gpt2-untied", context));
  ChangedFixture const says_tied("gpt2-untied", {{"tie_word_embeddings", true}});
  auto const found = logits(load<Gpt2<>>(says_tied.directory(), context));
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
  CHECK(load<Gpt2<>>(goldens::models / "gpt2-prefixed", context).lm_head.weights() == HeadWeights::tied);  // the file has an equal lm_head
  ChangedFixture const lacks_head("gpt2-tiny", {{"tie_word_embeddings", false}});
  std::string message;
  try {
    load<Gpt2<>>(lacks_head.directory(), context);
  } catch (CheckpointError const& error) {
    message = error.what();
  }
  CHECK_MESSAGE(message.find("lm_head.weight: missing") != message.npos, message);
  // Without a language-model head there is nothing to tie or not to tie.
  ChangedFixture const bare("gpt2-tiny", {{"tie_word_embeddings", false}, {"architectures", {"GPT2Model"}}});
  CHECK(load<Gpt2<>>(bare.directory(), context).lm_head.weights() == HeadWeights::tied);
  ChangedFixture const classifier("gpt2-classifier", {{"tie_word_embeddings", false}});
  CHECK_NOTHROW(load<Gpt2ForSequenceClassification<>>(classifier.directory(), context));
}

TEST_CASE("gpt2: a token type adds its row of the token embedding") {
  Context context;
  auto const gpt2 = load<Gpt2<>>(goldens::models / "gpt2-tiny", context);
  Goldens const golden(goldens::models / "gpt2-tiny" / "goldens.safetensors");
  for (char const* name : {"token_types", "token_types_zero"}) {
    auto const ids = golden.ids(std::string(name) + ".ids");
    auto const types = golden.ids(std::string(name) + ".token_types");
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    Capture capture;
    context.observe(&capture);
    auto const states = gpt2({.ids = ids, .sequences = sequences, .token_types = types}, context);
    context.observe(nullptr);
    CHECK(largest_difference(gpt2.logits(states, context), golden.reals(std::string(name) + ".logits")) < logit_tolerance);
    CHECK(largest_difference(capture.attention(1), golden.reals(std::string(name) + ".attentions.1")) < gpt2_tolerance);
  }
}

TEST_CASE("gpt2: greedy generation chooses transformers' tokens") {
  Context context;
  auto const gpt2 = load<Gpt2<>>(goldens::models / "gpt2-tiny", context);
  Goldens const golden(goldens::models / "gpt2-tiny" / "goldens.safetensors");
  for (int i = 0; i < 3; ++i) {
    std::string const name = "greedy" + std::to_string(i);
    auto expected = golden.ids(name + ".prompt");
    auto const prompt = expected;
    for (TokenId id : golden.ids(name + ".ids")) expected.push_back(id);
    auto const found = generate(gpt2, prompt, {.max_new_tokens = 20, .decoding = Decoding::greedy}, context);
    CHECK(found.at(0) == expected);
  }
  auto expected = golden.ids("greedy_until.prompt");
  auto const prompt = expected;
  for (TokenId id : golden.ids("greedy_until.ids")) expected.push_back(id);
  auto const found =
      generate(gpt2, prompt, {.max_new_tokens = 60, .decoding = Decoding::greedy, .end_of_text = golden.ids("greedy_until.end")}, context);
  CHECK(found.at(0) == expected);
}

TEST_CASE("gpt2: what cannot be run is refused by name") {
  Context context;
  auto const gpt2 = Gpt2<>::create({16, 2, 8, 32}, {.layers = 1, .vocabulary = 11, .positions = 8});
  CHECK_THROWS_WITH_AS(gpt2(std::vector<TokenId>{11}, context), "token id 11 at position 0: expected 0 to 10", ArgumentError);
  CHECK_THROWS_AS(gpt2(std::vector<TokenId>(9, 1), context), ArgumentError);
  auto cache = gpt2.make_cache(1, 4);
  std::vector<TokenId> const ids{1, 2, 3};
  auto const three = SequenceOffsets<axes::Tokens>::single(3);
  std::vector<std::size_t> const attended{2};
  CHECK_THROWS_WITH_AS(gpt2({.ids = ids, .sequences = three, .attended = attended}, context),
                       "token batch: found attended tokens, expected none: each token attends to all before it", ArgumentError);
  gpt2({.ids = ids, .sequences = three}, cache, context);
  CHECK_THROWS_WITH_AS(gpt2({.ids = ids, .sequences = three}, cache, context), "cache: found 6 tokens of sequence 0, expected at most 4",
                       ArgumentError);
  CHECK(cache.lengths()[0] == 3);
  CHECK_THROWS_AS(cache.truncate(0, 4), ArgumentError);
  CHECK_THROWS_AS(cache.fork(0, 1), ArgumentError);
}

TEST_CASE("gpt2: a cache that was made for another model is refused, and does not grow") {
  Context context;
  auto const gpt2 = Gpt2<>::create({64, 4, 16, 128}, {.layers = 4, .vocabulary = 11, .positions = 32});
  std::vector<TokenId> const ids{1, 2, 3};
  auto const three = SequenceOffsets<axes::Tokens>::single(3);
  auto const run = [&](CacheWidths const& widths) {
    KeyValueCache cache(widths, 1, 8);
    try {
      gpt2({.ids = ids, .sequences = three}, cache, context);
    } catch (...) {
      CHECK(cache.lengths()[0] == 0);
      throw;
    }
  };
  CHECK_NOTHROW(run({.layers = 4, .heads = 4, .head_size = 16}));
  CHECK_THROWS_WITH_AS(run({.layers = 1, .heads = 4, .head_size = 16}), "cache: found layer 1, expected one of the cache's 1", ArgumentError);
  CHECK_THROWS_AS(run({.layers = 4, .heads = 2, .head_size = 32}), ShapeError);
  CHECK_THROWS_AS(run({.layers = 4, .heads = 4, .head_size = 8}), ShapeError);
  CHECK_THROWS_AS(run({.layers = 0, .heads = 4, .head_size = 16}), ArgumentError);
}
