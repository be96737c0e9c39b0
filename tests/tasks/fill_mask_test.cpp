// FillMask against the recorded answers of transformers' pipeline, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/tasks/fill_mask.hpp>

#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

TEST_CASE("fill mask: scores, tokens and sequences are the pipeline's, for one mask and several, with and without targets") {
  Context context;
  for (auto const& [name, cases] : recorded::cases("fill_mask")) {
    auto const model = FillMask<>::from_directory(recorded::models / name, context);
    for (Json const& expected : cases) {
      CAPTURE(dump_json(expected));
      FillMaskOptions options;
      if (expected["options"].contains("top_k")) options.top_k = expected["options"]["top_k"];
      if (expected["options"].contains("targets")) options.targets = expected["options"]["targets"];
      auto const found = model.fill(expected["text"].get<std::string>(), options, context);
      REQUIRE(found.masks.size() == expected["result"].size());
      for (std::size_t mask = 0; mask < found.masks.size(); ++mask) {
        Json const& guesses = expected["result"][mask];
        REQUIRE(found.masks[mask].size() == guesses.size());
        for (std::size_t i = 0; i < guesses.size(); ++i) {
          FilledMask const& guess = found.masks[mask][i];
          CHECK(guess.token == guesses[i]["token"].get<TokenId>());
          CHECK(guess.token_str == guesses[i]["token_str"].get<std::string>());
          CHECK(guess.sequence == guesses[i]["sequence"].get<std::string>());
          recorded::check_score(guess.score, guesses[i]["score"]);
        }
      }
    }
  }
}

TEST_CASE("fill mask: many texts have the bits that each has alone, on any number of threads") {
  Context one;
  Context three = Context::with_threads(3);
  auto const model = FillMask<>::from_directory(recorded::models / "bert-mlm", one);
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i)
    texts.push_back(std::string(static_cast<std::size_t>(i % 7), 'a') + " [MASK] man" + (i % 3 == 0 ? " [MASK]" : ""));
  auto const found = model.fill(texts, {.top_k = 2, .batch_size = 4}, three);
  REQUIRE(found.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const alone = model.fill(texts[i], {.top_k = 2}, one);
    REQUIRE(found[i].masks.size() == alone.masks.size());
    for (std::size_t mask = 0; mask < alone.masks.size(); ++mask) {
      CHECK(found[i].masks[mask][1].score == alone.masks[mask][1].score);
      CHECK(found[i].masks[mask][1].sequence == alone.masks[mask][1].sequence);
    }
  }
  CHECK(model.fill(std::vector<std::string>{}, {}, one).empty());
  CHECK(model.fill({"[MASK]", "a [MASK]"}, {}, one)[1].masks.at(0).front().sequence.starts_with("a"));
}

TEST_CASE("fill mask: targets that are not in the vocabulary are replaced or left out with a warning") {
  Context context;
  auto const model = FillMask<>::from_directory(recorded::models / "bert-mlm", context);
  auto const found = model.fill("the [MASK]", {.targets = {"man", "Food", " ", "man"}}, context);
  CHECK(found.masks.at(0).size() == 2);
  CHECK(found.warnings ==
        std::vector<std::string>{"target \"Food\" is not in the vocabulary: its first token \"food\" is taken in its place",
                                 "target \" \" is not in the vocabulary: it is left out"});
}

TEST_CASE("fill mask: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const model = FillMask<>::from_directory(recorded::models / "bert-mlm", context);
  auto const fill = [&](std::string const& text, FillMaskOptions const& options = {}) { model.fill(text, options, context); };
  CHECK_THROWS_WITH_AS(fill("the man"), "fill mask: found no mask, expected at least one [MASK]", ArgumentError);
  CHECK_THROWS_WITH_AS(fill(""), "fill mask: found no mask, expected at least one [MASK]", ArgumentError);
  CHECK_THROWS_WITH_AS(fill("[MASK]", {.top_k = 0}), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(fill("[MASK]", {.batch_size = 0}), "batch_size: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(fill("[MASK]", {.targets = {" "}}), "targets: found none that is a token, expected at least one", ArgumentError);
  CHECK_THROWS_WITH_AS(fill("[MASK]" + std::string(100'000, '.')), "fill mask: found 100003 tokens, expected at most the model's 32",
                       ArgumentError);
  CHECK_THROWS_WITH_AS(model.fill(std::vector<std::string>{"[MASK]", "no"}, {}, context),
                       "fill mask: text 1: found no mask, expected at least one [MASK]", ArgumentError);
  CHECK(model.fill("\xF0\x9F [MASK] \xFF", {.top_k = 1000}, context).masks.at(0).size() == 91);
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(fill("[MASK]", {.stop = stop.get_token()}), StoppedError);
  auto const refused = (recorded::models / "bert-qa" / "config.json").string() +
                       ": architectures: found \"BertForQuestionAnswering\", expected a model for masked language modelling";
  CHECK_THROWS_WITH_AS(FillMask<>::from_directory(recorded::models / "bert-qa", context), refused.c_str(), CheckpointError);
}
