// Every head of BERT, RoBERTa, DistilBERT and GPT-2 against transformers in float64, from checkpoints as transformers saves them.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/gpt2_heads.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::Goldens;
using goldens::head_tolerance;
using goldens::largest_difference;

namespace {

template <class Model>
std::string refusal(std::filesystem::path const& directory) {
  Context context;
  try {
    load<Model>(directory, context);
  } catch (CheckpointError const& error) {
    return error.what();
  }
  return "loaded";
}

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("heads: masked-LM logits are transformers' for all three families, tied, untied and in legacy spelling") {
  goldens::check_logits<BertForMaskedLm<>>({"bert-mlm", "bert-mlm-legacy", "bert-mlm-untied", "roberta-mlm", "roberta-mlm-untied",
                                            "xlm-roberta-mlm", "distilbert-mlm", "distilbert-mlm-untied"});
}

TEST_CASE("heads: next-sentence logits are transformers'") { goldens::check_logits<BertForNextSentence<>>({"bert-nsp"}); }

TEST_CASE("heads: logits of sequences are transformers' for each problem type and family") {
  goldens::check_logits<BertForSequenceClassification<>>(
      {"bert-single-label", "bert-multi-label", "bert-regression", "bert-nli", "roberta-classifier", "distilbert-classifier"});
  goldens::check_logits<Gpt2ForSequenceClassification<>>({"gpt2-classifier"});
}

TEST_CASE("heads: logits of tokens are transformers' for all three families") {
  goldens::check_logits<BertForTokenClassification<>>({"bert-tokens", "roberta-tokens", "distilbert-tokens"});
}

TEST_CASE("heads: both heads of pre-training give transformers' logits, and each loads alone") {
  goldens::check_cases<BertForPreTraining<>>(
      "bert-pretraining", [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
        CHECK(largest_difference(logits.tokens.elements(), golden.reals(name + ".prediction_logits")) < head_tolerance);
        CHECK(largest_difference(logits.next_sentence.elements(), golden.reals(name + ".seq_relationship_logits")) < head_tolerance);
      });
  goldens::check_cases<BertForMaskedLm<>>(
      "bert-pretraining", [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
        CHECK(largest_difference(logits.elements(), golden.reals(name + ".prediction_logits")) < head_tolerance);
      });
  goldens::check_cases<BertForNextSentence<>>(
      "bert-pretraining", [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
        CHECK(largest_difference(logits.elements(), golden.reals(name + ".seq_relationship_logits")) < head_tolerance);
      });
}

TEST_CASE("heads: start and end logits are transformers' for all three families, with and without the prefix") {
  goldens::check_answers<BertForQuestionAnswering<>>({"bert-qa", "bert-qa-bare", "roberta-qa", "distilbert-qa"});
}

TEST_CASE("heads: RoBERTa and DistilBERT alone give transformers' hidden states, RoBERTa's padding tokens included") {
  for (char const* fixture : {"roberta", "xlm-roberta", "distilbert"}) {
    goldens::check_cases<Bert<>>(fixture, [](Goldens const& golden, std::string const& name, auto const& states, auto const& bert,
                                             auto const& sequences, Context& context) {
      CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < head_tolerance);
      CHECK(bert.positions() == 32);
      REQUIRE(bert.pooler.has_value() == golden.has(name + ".pooler_output"));
      if (bert.pooler)
        CHECK(largest_difference(bert.pool(states, sequences, context), golden.reals(name + ".pooler_output")) < head_tolerance);
    });
  }
}

TEST_CASE("heads: a head of other values than the table's is its own, whatever the config says of ties") {
  Context context;
  ChangedFixture const tied("bert-mlm-untied", {{"tie_word_embeddings", true}});
  std::vector<TokenId> const ids{2, 7, 4, 3};
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences};
  auto const expected = load<BertForMaskedLm<>>(goldens::models / "bert-mlm-untied", context)(batch, context);
  auto const found = load<BertForMaskedLm<>>(tied.directory(), context)(batch, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
}

TEST_CASE("heads: a tied masked-LM head is kept once, also where the file has its matrix again, and an untied one has its own") {
  Context context;
  for (auto const& [fixture, weights] : {std::pair{"bert-mlm", HeadWeights::tied},
                                         {"bert-mlm-legacy", HeadWeights::tied},  // with a decoder.weight that is equal to the table
                                         {"roberta-mlm", HeadWeights::tied},
                                         {"distilbert-mlm", HeadWeights::tied},
                                         {"bert-mlm-untied", HeadWeights::own},
                                         {"roberta-mlm-untied", HeadWeights::own},
                                         {"distilbert-mlm-untied", HeadWeights::own}}) {
    CAPTURE(fixture);
    auto const [model, report] = load_with_report<BertForMaskedLm<>>(goldens::models / fixture, context);
    CHECK(model.mlm.decoder.weights() == weights);
    CHECK((std::ranges::find(report.loaded, "mlm.decoder.weight") != report.loaded.end()) == (weights == HeadWeights::own));
    CHECK(count_parameters(model) == BertForMaskedLm<>::parameter_count(model.bert.dimensions, model.bert.sizes, weights));
  }
  auto const twice = load_with_report<BertForMaskedLm<>>(goldens::models / "bert-mlm-legacy", context).report;
  CHECK(std::ranges::find(twice.ignored, "cls.predictions.decoder.weight", &LoadReport::Ignored::name) != twice.ignored.end());
  CHECK(load<BertForPreTraining<>>(goldens::models / "bert-pretraining", context).mlm.decoder.weights() == HeadWeights::tied);
}

TEST_CASE("heads: a tied head on an encoder whose table is for look-up alone is refused") {
  Context context;
  DynamicDimensions const d{16, 2, 8, 20};
  ModelSizes const sizes{.layers = 1, .vocabulary = 9, .positions = 8, .token_types = 2};
  BertForMaskedLm<> const model{Bert<>::create(d, sizes, {.pooler = Pooler::absent}),
                                MaskedLmHead<DynamicDimensions>::create(d, sizes.vocabulary, Activation::gelu, 1e-12f, HeadWeights::tied)};
  CHECK_THROWS_WITH_AS(model.logits(Tensor<float, axes::Tokens, axes::Hidden>(1, 16), context),
                       "head: found a token table that was made for look-up alone, expected one that is tied to the head", ArgumentError);
}

TEST_CASE("heads: the masked-LM head on chosen rows gives the bits of those rows") {
  Context context;
  auto const model = load<BertForMaskedLm<>>(goldens::models / "roberta-mlm", context);
  std::vector<TokenId> const ids{0, 17, 303, 40, 2};
  auto const states = model.bert(ids, context);
  auto const all = model.logits(states, context);
  auto rows = Tensor<float, axes::Tokens, axes::Hidden>(1, states.columns());
  std::ranges::copy(states.row(2), rows.row(0).begin());
  auto const one = model.logits(rows, context);
  CHECK(std::ranges::equal(one.row(0), all.row(2)));
}

TEST_CASE("heads: a checkpoint of another head is refused with the names of what is missing and of what it was saved from") {
  auto const of_masked_lm = refusal<BertForQuestionAnswering<>>(goldens::models / "bert-mlm");
  CHECK(holds(of_masked_lm, "qa_outputs.weight"));
  CHECK(holds(of_masked_lm, "qa_outputs.bias"));
  CHECK(holds(of_masked_lm, "BertForMaskedLM"));
  CHECK(holds(refusal<BertForMaskedLm<>>(goldens::models / "roberta-qa"), "lm_head.dense.weight"));
  CHECK(holds(refusal<BertForMaskedLm<>>(goldens::models / "distilbert-qa"), "vocab_transform.weight"));
  CHECK(holds(refusal<BertForNextSentence<>>(goldens::models / "bert-mlm"), "cls.seq_relationship.weight"));
  CHECK(holds(refusal<BertForTokenClassification<>>(goldens::models / "bert-qa"), "classifier.weight"));
  CHECK(holds(refusal<BertForSequenceClassification<>>(goldens::models / "roberta-tokens"), "classifier.dense.weight"));
  CHECK(holds(refusal<BertForSequenceClassification<>>(goldens::models / "distilbert-tokens"), "pre_classifier.weight"));
  CHECK(holds(refusal<Gpt2ForSequenceClassification<>>(goldens::models / "gpt2-tiny"), "score.weight"));
  CHECK(holds(refusal<BertForMaskedLm<>>(goldens::models / "gpt2-tiny"), "GPT-2"));
  CHECK(holds(refusal<Gpt2ForSequenceClassification<>>(goldens::models / "bert-mlm"), "BERT"));
}
