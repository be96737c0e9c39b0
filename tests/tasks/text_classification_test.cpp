// TextClassification against the recorded answers of transformers' pipeline, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/models/bart_heads.hpp>
#include <axiform/tasks/text_classification.hpp>

#include <cmath>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

namespace {

TextClassificationOptions options_of(Json const& recorded) {
  TextClassificationOptions options;
  if (recorded.contains("top_k"))
    options.top_k = recorded["top_k"].is_null() ? std::nullopt : std::optional(recorded["top_k"].get<std::size_t>());
  if (recorded.contains("function_to_apply")) {
    auto const name = recorded["function_to_apply"].get<std::string>();
    options.function = name == "softmax"   ? ClassifierFunction::softmax
                       : name == "sigmoid" ? ClassifierFunction::sigmoid
                                           : ClassifierFunction::none;
  }
  return options;
}

}  // namespace

TEST_CASE("text classification: labels and scores are the pipeline's for every problem type, function and family, and for pairs") {
  Context context;
  for (auto const& [name, cases] : recorded::cases("text_classification")) {
    auto const model = TextClassification<>::from_directory(recorded::models / name, context);
    for (Json const& expected : cases) {
      CAPTURE(dump_json(expected));
      auto const options = options_of(expected["options"]);
      auto const first = expected["first"].get<std::string>();
      auto const found = expected["second"].is_null() ? model.classify(first, options, context)
                                                      : model.classify(TextPair{first, expected["second"]}, options, context);
      REQUIRE(found.size() == expected["result"].size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].label == expected["result"][i]["label"].get<std::string>());
        double const score = expected["result"][i]["score"];
        CHECK(std::abs(found[i].score - score) < (options.function == ClassifierFunction::none || name == "bert-regression" ? 2e-5 : 1e-5));
      }
    }
  }
}

TEST_CASE("text classification: BART's logits of texts and of pairs are transformers', under their labels") {
  Context context;
  auto const directory = recorded::models / "bart-classifier";
  auto const model = TextClassification<BartForSequenceClassification<>>::from_directory(directory, context);
  TextClassificationOptions const options{.top_k = std::nullopt, .function = ClassifierFunction::none};
  std::ifstream lines(directory / "texts.jsonl");
  std::size_t cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    CAPTURE(line);
    Json const expected = parse_json(line, "texts.jsonl");
    auto const text = expected.at("text").get<std::string>();
    auto const found = expected.at("pair").is_null()
                           ? model.classify(text, options, context)
                           : model.classify(TextPair{text, expected.at("pair").get<std::string>()}, options, context);
    REQUIRE(found.size() == 3);
    for (auto const& [label, score] : found) CHECK(std::abs(score - expected.at("logits")[model.label_index(label)].get<double>()) < 2e-5);
  }
  CHECK(cases == 6);
}

TEST_CASE("text classification: many texts and pairs have the bits that each has alone, in their order") {
  Context one;
  Context three = Context::with_threads(3);
  for (char const* fixture : {"bert-single-label", "gpt2-classifier"}) {
    auto const model = TextClassification<>::from_directory(recorded::models / fixture, one);
    std::vector<std::string> texts;
    for (int i = 0; i < 30; ++i) texts.push_back("man" + std::string(static_cast<std::size_t>(i * 5 % 7), '!'));
    auto const found = model.classify(texts, {.top_k = std::nullopt, .batch_size = 4}, three);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      auto const alone = model.classify(texts[i], {.top_k = {}}, one);
      REQUIRE(found[i].size() == 3);
      for (std::size_t k = 0; k < 3; ++k) CHECK((found[i][k].label == alone[k].label && found[i][k].score == alone[k].score));
    }
    std::vector<TextPair> const pairs{{"man", "food and"}, {"a", ""}};
    CHECK(model.classify(pairs, {}, three)[1][0].score == model.classify(pairs[1], {}, one)[0].score);
    CHECK(model.classify(std::vector<std::string>{}, {}, one).empty());
    CHECK(model.classify({"man", "food"}, {}, one).size() == 2);
  }
}

TEST_CASE("text classification: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const model = TextClassification<>::from_directory(recorded::models / "bert-single-label", context);
  std::string const text(100'000, '!');
  CHECK_THROWS_WITH_AS(model.classify(text, context), "text classification: found 100002 tokens, expected at most the model's 32",
                       ArgumentError);
  CHECK(model.classify(text, {.long_text = LongText::cut}, context)[0].score == model.classify(std::string(30, '!'), context)[0].score);
  CHECK_THROWS_WITH_AS(model.classify("a", {.top_k = 0}, context), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_AS(model.classify("a", {.batch_size = 0}, context), ArgumentError);
  CHECK(model.classify("\xFF\xF0\x9F", {.top_k = 1000}, context).size() == 3);
  CHECK(model.classify("", context).size() == 1);
  CHECK(model.label_index("neutral") == 1);
  CHECK_THROWS_WITH_AS(model.label_index("good"), "label: found \"good\", expected \"negative\", \"neutral\" or \"positive\"",
                       ArgumentError);
  CHECK_THROWS_AS(TextClassification<>::from_directory(recorded::models / "bert-tokens", context), CheckpointError);
  CHECK_THROWS_AS(TextClassification<>::from_directory(recorded::models / "gpt2-tiny", context), CheckpointError);
  auto const gpt2 = TextClassification<>::from_directory(recorded::models / "gpt2-classifier", context);
  CHECK_THROWS_WITH_AS(gpt2.classify("", context), "text classification: found no token, expected at least one", ArgumentError);
}
