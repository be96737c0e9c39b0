// What a Marian, a BART, an mBART and a T5 write beside sources is what transformers recorded, from tests/fixtures/generate.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/encoder_decoder_recipes.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/recorded_generation.hpp"

using namespace axiform;
using recorded::ids;

namespace {

// All cases of a checkpoint; whatever runs together.
template <class Model>
void check_translations(std::string const& name) {
  Context context = Context::with_threads(2);
  auto const model = load<Model>(recorded::folder / name, context);
  std::size_t texts = 0;
  for (Json const& one : recorded::cases("sequence_to_sequence.json")) {
    if (one.at("model") != name) continue;
    CAPTURE(dump_json(one.at("options")));
    std::vector<std::vector<TokenId>> sources;
    for (Json const& source : one.at("sources")) sources.push_back(ids(source));
    GenerateOptions const options = recorded::options(one);
    Json const& expected = one.at("sequences");
    REQUIRE(expected.size() == sources.size() * options.num_return_sequences);
    for (std::size_t s = 0; auto const& of_source : generate_batch(model, sources, options, context))
      for (auto const& text : of_source) {
        CHECK(text.ids == ids(expected[s]));
        if (options.has_beams()) {
          double const score = one.at("scores")[s].get<double>();  // of up to 18 logits, each within 1e-5
          CHECK(std::abs(text.beam_score - score) < 2e-5 * std::max(1.0, std::abs(score)));
        }
        ++s, ++texts;
      }
  }
  CHECK(texts > 90);
}

}  // namespace

TEST_CASE("sequence to sequence: Marian's texts and their scores are transformers', greedily and with beams, for each setting") {
  check_translations<Marian<>>("marian");
}

TEST_CASE("sequence to sequence: BART's texts and their scores are transformers', greedily and with beams, for each setting") {
  check_translations<Bart<>>("bart");
}

TEST_CASE("sequence to sequence: mBART's texts and their scores are transformers', greedily and with beams, for each setting") {
  check_translations<MBart<>>("mbart");
}

TEST_CASE("sequence to sequence: T5's texts and their scores are transformers', greedily and with beams, for each setting") {
  check_translations<T5<>>("t5");
}
