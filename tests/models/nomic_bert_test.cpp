// nomic-bert against transformers in float64: the encoder, its heads, under the names of nomic's own code, of transformers and of GGUF.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

// As transformers has it, of nomic-embed-text-v1.5, and a pooler, which that checkpoint does not have.
static_assert(parameter_count<NomicBert<NomicEmbed>> == 136'731'648 + 768 * 768 + 768);

namespace {

constexpr double nomic_tolerance = 2e-5;  // the end-to-end bound, for states and logits of magnitude 1 to 20

}  // namespace

TEST_CASE("nomic-bert: hidden states and attentions are transformers', with segments, alone and in batches, on any number of threads") {
  auto const directory = goldens::models / "nomic-tiny";
  Goldens const golden(directory / "goldens.safetensors");
  Context one;
  auto const nomic = load<NomicBert<>>(directory, one);
  auto const from_gguf = load<NomicBert<>>(goldens::models / "gguf" / "nomic-tiny.gguf", one);
  std::size_t cases = 0;
  for (; golden.has("case" + std::to_string(cases) + ".ids"); ++cases) {
    std::string const name = "case" + std::to_string(cases);
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids"), types = golden.ids(name + ".token_types");
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    TokenBatch const batch{.ids = ids, .sequences = sequences, .token_types = types};
    Capture capture;
    one.observe(&capture);
    auto const states = nomic(batch, one);
    one.observe(nullptr);
    CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < nomic_tolerance);
    goldens::check_captured(capture, golden, name, nomic.encoder.layers.size(), nomic_tolerance);
    auto const of_gguf = from_gguf(batch, one);
    CHECK(std::ranges::equal(of_gguf.elements(), states.elements()));
  }
  CHECK(cases == 4);
  auto const ids = golden.ids("batch.ids"), types = golden.ids("batch.token_types");
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
  for (std::size_t threads : {1U, 2U, 3U}) {
    Context context = Context::with_threads(threads);
    auto const states = nomic({.ids = ids, .sequences = sequences, .token_types = types}, context);
    CHECK(largest_difference(states.elements(), golden.reals("batch.last_hidden_state")) < nomic_tolerance);
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      auto const length = sequences.length(s);
      auto const alone = SequenceOffsets<axes::Tokens>::single(length);
      auto const part = [&](auto const& values) { return std::span(values).subspan(sequences.offset(s), length); };
      auto const expected = nomic({.ids = part(ids), .sequences = alone, .token_types = part(types)}, one);
      for (std::size_t i = 0; i < length; ++i) REQUIRE(std::ranges::equal(states.row(sequences.offset(s) + i), expected.row(i)));
    }
  }
}

TEST_CASE("nomic-bert: logits of every head are transformers', under its names in files and in memory") {
  goldens::check_logits<BertForMaskedLm<DynamicDimensions, NomicBertRecipe>>({"nomic-mlm"});
  goldens::check_logits<BertForSequenceClassification<DynamicDimensions, NomicBertRecipe>>({"nomic-classifier"});
  goldens::check_logits<BertForTokenClassification<DynamicDimensions, NomicBertRecipe>>({"nomic-tokens"});
}

TEST_CASE("nomic-bert: there is no table of positions, and texts are as long as the config says") {
  Context context;
  auto const nomic = load<NomicBert<>>(goldens::models / "nomic-tiny", context);
  CHECK(nomic.positions() == 96);
  CHECK(nomic.embeddings.positions.rows() == 0);
  std::vector<TokenId> const ids(97, 1);
  CHECK_THROWS_AS(nomic(ids, context), ArgumentError);
  CHECK(nomic(std::vector<TokenId>(96, 1), context).rows() == 96);
}
