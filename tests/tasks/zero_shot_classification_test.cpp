// ZeroShotClassification against the recorded answers of transformers' pipeline, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/tasks/zero_shot_classification.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

TEST_CASE("zero-shot classification: labels and scores are the pipeline's, for labels that exclude each other and for independent ones") {
  Context context;
  std::size_t cut = 0;
  for (auto const& [name, cases] : recorded::cases("zero_shot")) {
    auto const model = ZeroShotClassification<>::from_directory(recorded::models / name, context);
    for (Json const& expected : cases) {
      CAPTURE(dump_json(expected));
      ZeroShotOptions options{.long_text = LongText::cut};
      options.hypothesis_template = get_or<std::string>(expected["options"], "hypothesis_template", options.hypothesis_template, name);
      if (expected["options"].contains("multi_label")) options.labels = CandidateLabels::independent;
      auto const text = expected["text"].get<std::string>();
      auto const labels = expected["labels"].get<std::vector<std::string>>();
      auto const found = model.classify(text, labels, options, context);
      REQUIRE(found.size() == expected["result"].size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].label == expected["result"][i]["label"].get<std::string>());
        recorded::check_score(found[i].score, expected["result"][i]["score"]);
      }
      if (model.tokenizer().encode(text).size() + 3 >= model.max_length()) ++cut;
    }
  }
  CHECK(cut > 0);
}

TEST_CASE("zero-shot classification: many texts have the bits that each has alone, in their order") {
  Context one;
  Context three = Context::with_threads(3);
  auto const model = ZeroShotClassification<>::from_directory(recorded::models / "bert-nli", one);
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) texts.push_back("man" + std::string(static_cast<std::size_t>(i * 5 % 7), '!'));
  std::vector<std::string> const labels{"food", "fun", "paris"};
  std::size_t done = 0;
  ZeroShotOptions options{.batch_size = 4};
  options.progress = [&](Progress const& now) {
    done = now.done;
    CHECK(now.total == 60);
  };
  auto const found = model.classify(texts, labels, options, three);
  CHECK(done == 60);
  REQUIRE(found.size() == 20);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const alone = model.classify(texts[i], labels, one);
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK((found[i][k].label == alone[k].label && found[i][k].score == alone[k].score));
      sum += alone[k].score;
    }
    CHECK(sum == doctest::Approx(1));
  }
  CHECK(model.classify({"man", "food"}, {"fun"}, {}, one).size() == 2);
  CHECK(model.classify(std::vector<std::string>{}, labels, {}, one).empty());
}

TEST_CASE("zero-shot classification: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const model = ZeroShotClassification<>::from_directory(recorded::models / "bert-nli", context);
  CHECK_THROWS_WITH_AS(model.classify("man", {}, context), "candidate labels: found none, expected at least one", ArgumentError);
  CHECK_THROWS_WITH_AS(model.classify("", {"fun"}, context),
                       "zero-shot classification: found an empty text, expected at least one character", ArgumentError);
  CHECK_THROWS_WITH_AS(model.classify({"man", ""}, {"fun"}, {}, context),
                       "zero-shot classification: text 1: found an empty text, expected at least one character", ArgumentError);
  CHECK_THROWS_WITH_AS(model.classify("man", {"fun"}, {.hypothesis_template = "It is {fun}."}, context),
                       "hypothesis_template: found \"It is {fun}.\", expected {} where the label goes", ArgumentError);
  std::string const text(100'000, '!');
  CHECK_THROWS_WITH_AS(model.classify({"man", text}, {"fun"}, {}, context),
                       "zero-shot classification: text 1: found 100019 tokens, expected at most the model's 64", ArgumentError);
  CHECK(model.classify(text, {"fun"}, {.long_text = LongText::cut}, context)[0].score ==
        model.classify(std::string(45, '!'), {"fun"}, context)[0].score);
  CHECK_THROWS_AS(model.classify("man", {text}, {.long_text = LongText::cut}, context), ArgumentError);  // A label is never cut.
  CHECK_THROWS_AS(model.classify("man", {"fun"}, {.batch_size = 0}, context), ArgumentError);
  CHECK(model.classify("\xFF\xF0\x9F", {"\xFF", ""}, context).size() == 2);
  CHECK_THROWS_WITH_AS(
      ZeroShotClassification<>::from_directory(recorded::models / "bert-single-label", context),
      "zero-shot classification: found the labels \"negative\", \"neutral\", \"positive\", expected those of natural language "
      "inference, one of which begins with \"entail\"",
      CheckpointError);
  CHECK_THROWS_AS(ZeroShotClassification<>::from_directory(recorded::models / "bert-tokens", context), CheckpointError);
}
