// MPNet, a family added from outside, against transformers in float64: the encoder, its heads, and a run-time choice among families.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double mpnet_tolerance = 2e-5;  // the end-to-end bound, for states and logits of magnitude 1 to 20

}  // namespace

TEST_CASE("mpnet: hidden states, attentions and pooler output are transformers', padding tokens in the text too") {
  Context context = Context::with_threads(2);
  auto const mpnet = load<Mpnet<>>(goldens::models / "mpnet-tiny", context);
  Goldens const golden(goldens::models / "mpnet-tiny" / "goldens.safetensors");
  for (int i = 0; golden.has("case" + std::to_string(i) + ".ids"); ++i) {
    std::string const name = "case" + std::to_string(i);
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids");
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    Capture capture;
    context.observe(&capture);
    auto const states = mpnet(ids, context);
    context.observe(nullptr);
    CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < mpnet_tolerance);
    CHECK(largest_difference(mpnet.pool(states, sequences, context), golden.reals(name + ".pooler_output")) < mpnet_tolerance);
    goldens::check_captured(capture, golden, name, mpnet.encoder.layers.size(), mpnet_tolerance);
  }
  auto const ids = golden.ids("batch.ids");
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
  auto const states = mpnet({.ids = ids, .sequences = sequences}, context);
  CHECK(largest_difference(states.elements(), golden.reals("batch.last_hidden_state")) < mpnet_tolerance);
}

TEST_CASE("mpnet: logits of every head are transformers', tied and untied") {
  goldens::check_logits<BertForMaskedLm<DynamicDimensions, MpnetRecipe>>({"mpnet-mlm", "mpnet-mlm-untied"});
  goldens::check_logits<BertForSequenceClassification<DynamicDimensions, MpnetRecipe>>({"mpnet-classifier"});
  goldens::check_logits<BertForTokenClassification<DynamicDimensions, MpnetRecipe>>({"mpnet-tokens"});
  goldens::check_answers<BertForQuestionAnswering<DynamicDimensions, MpnetRecipe>>({"mpnet-qa"});
}

TEST_CASE("mpnet: a model of another family is refused, and the message names both") {
  Context context;
  auto const refusal = [&](auto load_model) {
    try {
      load_model();
    } catch (CheckpointError const& error) {
      return std::string(error.what());
    }
    return std::string("loaded");
  };
  CHECK(
      refusal([&] { load<Bert<>>(goldens::models / "mpnet-tiny", context); })
          .ends_with(
              "config.json: model_type: found an MPNet, which is not supported; expected a BERT, RoBERTa, DistilBERT, ELECTRA or ALBERT"));
  CHECK(refusal([&] { load<Mpnet<>>(goldens::models / "bert-tiny", context); })
            .ends_with("config.json: model_type: found a BERT, which is not supported; expected an MPNet"));
  CHECK(refusal([&] { load<AnyEncoder>(goldens::models / "gpt2-tiny", context); })
            .ends_with("config.json: model_type: found a GPT-2, which is not supported; expected a BERT, RoBERTa, DistilBERT, ELECTRA, "
                       "ALBERT, MPNet, ModernBERT, nomic-bert or T5"));
}

TEST_CASE("mpnet: one of several models has the bits of the model that it is") {
  Context context;
  std::vector<TokenId> const ids{0, 7, 5, 2};
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences};
  auto const any = load<AnyEncoder>(goldens::models / "mpnet-tiny", context);
  CHECK(std::holds_alternative<Mpnet<>>(any.variant()));
  CHECK(std::holds_alternative<Bert<>>(load<AnyEncoder>(goldens::models / "bert-tiny", context).variant()));
  auto const one = load<Mpnet<>>(goldens::models / "mpnet-tiny", context);
  auto const found = any(batch, context), expected = one(batch, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
  CHECK(any.hidden_size() == 32);
  CHECK(any.positions() == one.positions());
  CHECK(any.token_types() == 0);
  CHECK(count_parameters(any) == count_parameters(one));
}
