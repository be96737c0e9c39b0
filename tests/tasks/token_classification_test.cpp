// TokenClassification against the recorded answers of transformers' pipeline, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/tasks/token_classification.hpp>

#include <map>
#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

namespace {

TokenClassificationOptions token_options_of(Json const& recorded) {
  static std::map<std::string, Aggregation> const strategies{{"none", Aggregation::none},
                                                             {"simple", Aggregation::simple},
                                                             {"first", Aggregation::first},
                                                             {"average", Aggregation::average},
                                                             {"max", Aggregation::maximum}};
  TokenClassificationOptions options{.aggregation = strategies.at(recorded["aggregation_strategy"])};
  if (recorded.contains("ignore_labels")) options.ignore_labels = recorded["ignore_labels"];
  if (recorded.contains("stride")) options.stride = recorded["stride"].get<std::size_t>();
  return options;
}

}  // namespace

TEST_CASE("token classification: tokens, words and entities are the pipeline's for every strategy and family, and in windows") {
  Context context;
  for (auto const& [name, cases] : recorded::cases("token_classification")) {
    auto const model = TokenClassification<>::from_directory(recorded::models / name, context);
    for (Json const& expected : cases) {
      CAPTURE(dump_json(expected["text"]));
      CAPTURE(dump_json(expected["options"]));
      auto const options = token_options_of(expected["options"]);
      auto const text = expected["text"].get<std::string>();
      auto const found = model.label(text, options, context);
      REQUIRE(found.size() == expected["result"].size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        Json const& token = expected["result"][i];
        CAPTURE(dump_json(token));
        bool const is_entity = token.contains("entity_group");
        CHECK(found[i].label == token[is_entity ? "entity_group" : "entity"].get<std::string>());
        CHECK(found[i].word == token["word"].get<std::string>());
        CHECK(found[i].start == token["start"].get<std::size_t>());
        CHECK(found[i].end == token["end"].get<std::size_t>());
        CHECK(count_code_points(text.substr(0, found[i].byte_start)) == found[i].start);
        CHECK(count_code_points(text.substr(0, found[i].byte_end)) == found[i].end);
        CHECK(found[i].index.has_value() == !is_entity);
        if (!is_entity) CHECK(*found[i].index == token["index"].get<std::size_t>());
        recorded::check_score(found[i].score, token["score"]);
      }
    }
  }
}

TEST_CASE("token classification: many texts of any length have the bits that each has alone, in their order") {
  Context one;
  Context three = Context::with_threads(3);
  auto const model = TokenClassification<>::from_directory(recorded::models / "bert-tokens", one);
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < 20; ++i) texts.push_back("man " + std::string(i * 5 % 7 * 11, '!') + "paris");
  TokenClassificationOptions const options{.aggregation = Aggregation::simple, .ignore_labels = {}, .stride = 3, .batch_size = 2};
  auto const found = model.label(texts, options, three);
  REQUIRE(found.size() == texts.size());
  CHECK(found[0].empty());
  CHECK(model.label({"man", "is"}, {.ignore_labels = {}}, one)[1].at(0).word == "is");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const alone = model.label(texts[i], options, one);
    REQUIRE(found[i].size() == alone.size());
    for (std::size_t k = 0; k < alone.size(); ++k) CHECK((found[i][k].score == alone[k].score && found[i][k].start == alone[k].start));
  }
}

TEST_CASE("token classification: a long text is read to its end in windows, and bytes that are not UTF-8 keep their places") {
  Context context;
  auto const model = TokenClassification<>::from_directory(recorded::models / "roberta-tokens", context);
  TokenClassificationOptions const options{.aggregation = Aggregation::simple, .ignore_labels = {}, .stride = 8};
  std::string text;
  while (text.size() < 20'000) text += "Hello \xF0\x9F world\xFF ";
  auto const found = model.label(text, options, context);
  REQUIRE(!found.empty());
  CHECK(found.front().byte_start == 0);
  CHECK(found.back().byte_end >= text.size() - 1);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].byte_end <= text.size());
  std::size_t done = 0;
  std::stop_source stop;
  auto stopping = options;
  stopping.batch_size = 4;
  stopping.stop = stop.get_token();
  stopping.progress = [&](Progress const& progress) {
    done = progress.done;
    stop.request_stop();
  };
  CHECK_THROWS_AS(model.label(text, stopping, context), StoppedError);
  CHECK(done == 4);
}

TEST_CASE("token classification: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const model = TokenClassification<>::from_directory(recorded::models / "bert-tokens", context);
  std::string const text(100'000, '!');
  CHECK_THROWS_WITH_AS(model.label(text, context), "token classification: found 100002 tokens, expected at most the model's 32",
                       ArgumentError);
  CHECK(model.label(text, {.ignore_labels = {}, .long_text = LongText::cut}, context).size() == 30);
  auto const refuse = [&](TokenClassificationOptions const& options) { model.label("man", options, context); };
  CHECK_THROWS_WITH_AS(refuse({.stride = 4}), "stride: found 4 with Aggregation::none, expected another aggregation", ArgumentError);
  CHECK_THROWS_WITH_AS(refuse({.aggregation = Aggregation::first, .stride = 30}),
                       "stride: found 30, expected less than the 30 tokens of a window", ArgumentError);
  CHECK_THROWS_WITH_AS(refuse({.aggregation = Aggregation::first, .stride = 4, .long_text = LongText::cut}),
                       "stride: found 4 with LongText::cut, expected one of the two", ArgumentError);
  CHECK_THROWS_WITH_AS(refuse({.ignore_labels = {"PERSON"}}),
                       "ignore_labels: found \"PERSON\", expected the model's \"O\", \"B-PER\", \"I-PER\", \"B-LOC\" or \"I-LOC\", or one "
                       "without what is before its hyphen",
                       ArgumentError);
  CHECK_THROWS_AS(refuse({.batch_size = 0}), ArgumentError);
  CHECK_THROWS_AS(TokenClassification<>::from_directory(recorded::models / "bert-single-label", context), CheckpointError);
}
