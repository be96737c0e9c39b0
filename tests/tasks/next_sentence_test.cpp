// NextSentence against transformers in float64.
#include <doctest/doctest.h>
#include <axiform/tasks/next_sentence.hpp>

#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

TEST_CASE("next sentence: probabilities are transformers', one pair at a time and in a batch") {
  Context context = Context::with_threads(2);
  for (auto const& [name, cases] : recorded::cases("next_sentence")) {
    auto const model = NextSentence<>::from_directory(recorded::models / name, context);
    std::vector<TextPair> pairs;
    std::vector<std::size_t> done;
    for (Json const& expected : cases) pairs.push_back({expected["first"], expected["second"]});
    auto const found = model.probabilities(
        pairs, {.batch_size = 2, .progress = [&](Progress const& progress) { done.push_back(progress.done); }}, context);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      CAPTURE(dump_json(cases[i]));
      recorded::check_score(found[i], cases[i]["probability"]);
      CHECK(model.probability(pairs[i].first, pairs[i].second, context) == found[i]);
    }
    CHECK(done.size() == (pairs.size() + 1) / 2);
    CHECK(done.back() == pairs.size());
  }
}

TEST_CASE("next sentence: pairs that are too long are refused, or cut where that is asked for") {
  Context context;
  auto const model = NextSentence<>::from_directory(recorded::models / "bert-nsp", context);
  std::string const text(100'000, '!');
  CHECK_THROWS_WITH_AS(model.probability(text, "a", context), "next sentence: found 100004 tokens, expected at most the model's 32",
                       ArgumentError);
  std::vector<TextPair> const pairs{{text, "a"}, {"\xFF", ""}};
  auto const found = model.probabilities(pairs, {.long_text = LongText::cut}, context);
  CHECK(found[0] == model.probability(std::string(28, '!'), "a", context));
  CHECK((found[1] > 0 && found[1] < 1));
  CHECK_THROWS_AS(NextSentence<>::from_directory(recorded::models / "bert-mlm", context), CheckpointError);
  CHECK_THROWS_AS(NextSentence<>::from_directory(recorded::models / "roberta-mlm", context), CheckpointError);
}
