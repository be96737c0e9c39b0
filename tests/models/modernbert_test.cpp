// ModernBERT against transformers in float64: the encoder, whose layers see a window or everything, its heads, and its bits.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/modernbert_heads.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

// Counts as transformers has them, of ModernBERT-base and -large.
static_assert(parameter_count<ModernBert<ModernBertBase>> == 149'014'272);
static_assert(parameter_count<ModernBertForMaskedLm<ModernBertBase>> == 149'655'232);
static_assert(parameter_count<ModernBertForMaskedLm<ModernBertLarge>> == 395'881'664);
// 22 layers of 4 * 768² + 3 * 768 * 1152 weights; 8 see 512 tokens, 14 see 129.
static_assert(flops_per_token<ModernBert<ModernBertBase>, 512> ==
              22 * 2 * (4 * 768 * 768 + 3 * 768 * 1152) + 4 * 768 * (8 * 512 + 14 * 129));

namespace {

struct SmallModernBert : Dimensions<Const<32>, Const<4>, Const<8>, Const<24>> {
  static constexpr ModelSizes sizes{.layers = 4, .vocabulary = 61, .positions = 160, .token_types = 0};
};

constexpr double modernbert_tolerance = 2e-5;  // the end-to-end bound, for states and logits of magnitude 1 to 20

}  // namespace

TEST_CASE("ModernBERT: hidden states and attentions are transformers', in texts far longer than a window too") {
  auto const directory = goldens::models / "modernbert-tiny";
  Goldens const golden(directory / "goldens.safetensors");
  std::size_t values_in_file = 0;
  auto const file = SafetensorsFile::open(directory / "model.safetensors");
  for (TensorInfo const& tensor : file.tensors()) values_in_file += tensor.element_count();
  for (std::size_t threads : {1U, 2U}) {
    Context context = Context::with_threads(threads);
    auto const modernbert = load<ModernBert<>>(directory, context);
    CHECK(count_parameters(modernbert) == values_in_file);
    std::size_t cases = 0;
    for (; golden.has("case" + std::to_string(cases) + ".ids"); ++cases) {
      std::string const name = "case" + std::to_string(cases);
      CAPTURE(name);
      auto const ids = golden.ids(name + ".ids");
      Capture capture;
      context.observe(&capture);
      auto const states = modernbert(ids, context);
      context.observe(nullptr);
      CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < modernbert_tolerance);
      goldens::check_captured(capture, golden, name, modernbert.encoder.layers.size(), modernbert_tolerance);
      auto const unobserved = modernbert(ids, context);
      CHECK(std::ranges::equal(unobserved.elements(), states.elements()));
    }
    CHECK(cases == 5);
    auto const ids = golden.ids("batch.ids");
    auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
    auto const states = modernbert({.ids = ids, .sequences = sequences}, context);
    CHECK(largest_difference(states.elements(), golden.reals("batch.last_hidden_state")) < modernbert_tolerance);

    auto const partly = golden.ids("attended.ids");
    auto const one = SequenceOffsets<axes::Tokens>::single(partly.size());
    std::size_t const attended[]{20};
    auto const seen = modernbert({.ids = partly, .sequences = one, .attended = attended}, context);
    CHECK(largest_difference(seen.elements(), golden.reals("attended.last_hidden_state")) < modernbert_tolerance);
  }
}

TEST_CASE("ModernBERT: logits of every head are transformers', tied and untied, of the first token and of the mean") {
  goldens::check_logits<ModernBertForMaskedLm<>>({"modernbert-mlm", "modernbert-mlm-untied"});
  goldens::check_logits<ModernBertForSequenceClassification<>>({"modernbert-classifier", "modernbert-classifier-mean"});
  goldens::check_logits<ModernBertForTokenClassification<>>({"modernbert-tokens"});
  goldens::check_answers<ModernBertForQuestionAnswering<>>({"modernbert-qa"});
}

TEST_CASE("ModernBERT: the same bits alone, in any batch and with any number of threads, with its lengths in the type or free") {
  auto const directory = goldens::models / "modernbert-tiny";
  Goldens const golden(directory / "goldens.safetensors");
  Context one;
  auto const modernbert = load<ModernBert<>>(directory, one);
  auto const small = load<ModernBert<SmallModernBert>>(directory, one);
  auto const ids = golden.ids("case4.ids");
  auto const whole = modernbert(ids, one);
  auto const fixed = small(ids, one);
  CHECK(std::ranges::equal(fixed.elements(), whole.elements()));
  for (std::size_t threads : {1U, 2U, 3U, 5U}) {
    CAPTURE(threads);
    Context context = Context::with_threads(threads);
    std::vector<TokenId> together{7, 5, 3};
    together.insert(together.end(), ids.begin(), ids.end());
    together.insert(together.end(), 160, 9);
    auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({3, 0, ids.size(), 160});
    auto const states = modernbert({.ids = together, .sequences = sequences}, context);
    for (std::size_t i = 0; i < ids.size(); ++i) REQUIRE(std::ranges::equal(states.row(3 + i), whole.row(i)));
  }
}

TEST_CASE("ModernBERT: segments, long texts and wrong numbers of windows are refused") {
  Context context;
  auto const modernbert = load<ModernBert<>>(goldens::models / "modernbert-tiny", context);
  std::vector<TokenId> const ids(161, 1);
  auto const sequences = SequenceOffsets<axes::Tokens>::single(2);
  CHECK_THROWS_AS(modernbert(ids, context), ArgumentError);
  CHECK_THROWS_AS(modernbert({.ids = std::span(ids).first(2), .sequences = sequences, .token_types = std::span(ids).first(2)}, context),
                  ArgumentError);
  ModelSizes const sizes{.layers = 3, .vocabulary = 10, .positions = 16};
  CHECK_THROWS_AS(ModernBert<>::create({16, 2, 8, 20}, sizes, {.windows = {0, 3}}), ArgumentError);
  CHECK(ModernBert<>::create({16, 2, 8, 20}, sizes).encoder.layers[1].attention.most_keys(200) == 129);
}
