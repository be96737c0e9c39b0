// QuestionAnswering against the recorded answers of transformers' pipelines, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/tasks/question_answering.hpp>

#include <string>
#include <vector>

#include "recorded.hpp"

using namespace axiform;

namespace {

QuestionAnsweringOptions options_of(Json const& recorded, EqualAnswers equal_answers) {
  QuestionAnsweringOptions options{.equal_answers = equal_answers};
  auto const number = [&](char const* name, auto& option) {
    if (recorded.contains(name)) option = recorded[name].get<std::size_t>();
  };
  number("top_k", options.top_k);
  number("doc_stride", options.doc_stride);
  number("max_answer_len", options.max_answer_len);
  number("max_seq_len", options.max_seq_len);  // max_question_len is not: the pipeline does not heed it
  if (recorded.contains("handle_impossible_answer")) options.impossible_answers = ImpossibleAnswers::reported;
  if (recorded.contains("align_to_words")) options.bounds = AnswerBounds::tokens;
  return options;
}

void check_recorded(char const* file, EqualAnswers equal_answers) {
  Context context;
  for (auto const& [name, cases] : recorded::cases(file)) {
    auto const model = QuestionAnswering<>::from_directory(recorded::models / name, context);
    for (Json const& expected : cases) {
      CAPTURE(dump_json(expected));
      auto const text = expected["context"].get<std::string>();
      auto const found =
          model.answer(expected["question"].get<std::string>(), text, options_of(expected["options"], equal_answers), context);
      REQUIRE(found.size() == expected["result"].size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        Json const& answer = expected["result"][i];
        CHECK(found[i].answer == answer["answer"].get<std::string>());
        CHECK(found[i].start == answer["start"].get<std::size_t>());
        CHECK(found[i].end == answer["end"].get<std::size_t>());
        CHECK(text.substr(found[i].byte_start, found[i].byte_end - found[i].byte_start) == found[i].answer);
        recorded::check_score(found[i].score, answer["score"]);
      }
    }
  }
}

}  // namespace

TEST_CASE("question answering: scores, places and answers are the pipeline's over many settings, families and kinds of Unicode") {
  check_recorded("question_answering", EqualAnswers::apart);
}

TEST_CASE("question answering: scores of equal answers add up as in the later pipeline") {
  check_recorded("question_answering_summed", EqualAnswers::added);
}

TEST_CASE("question answering: the same bits for any number of threads and any number of windows at once") {
  Context one;
  Context three = Context::with_threads(3);
  auto const model = QuestionAnswering<>::from_directory(recorded::models / "roberta-qa", one);
  std::string text;
  while (text.size() < 100'000) text += "The man was in Köln, \xF0\x9F and she eats \xFF\r\n";
  QuestionAnsweringOptions options{.top_k = 5, .impossible_answers = ImpossibleAnswers::reported};
  auto const expected = model.answer("Where \xFF?", text, options, one);
  REQUIRE(expected.size() == 5);
  options.batch_size = 3;
  std::size_t done = 0;
  std::size_t total = 0;
  options.progress = [&](Progress const& progress) { done = progress.done, total = progress.total; };
  auto const found = model.answer("Where \xFF?", text, options, three);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].score == expected[i].score);
    CHECK(found[i].byte_start == expected[i].byte_start);
    CHECK(found[i].byte_end <= text.size());
  }
  CHECK(done == total);
  CHECK(total > 1000);
  std::stop_source stop;
  options.stop = stop.get_token();
  options.progress = [&](Progress const&) { stop.request_stop(); };
  CHECK_THROWS_AS(model.answer("Where?", text, options, three), StoppedError);
}

TEST_CASE("question answering: a question is cut where that is asked for, and a long one leaves the windows a smaller overlap") {
  Context context;
  auto const model = QuestionAnswering<>::from_directory(recorded::models / "bert-qa", context);
  std::string const text = "the man is in paris and she was eating food in it. the man is in paris and she was eating food in it. the man";
  auto const cut = model.answer("the man is in paris", text, {.max_question_len = 2}, context);
  CHECK(cut[0].score == model.answer("the man", text, context)[0].score);
  std::string const question = "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t";
  CHECK(model.answer(question, text, {.top_k = 50}, context).size() == 50);
  CHECK_THROWS_WITH_AS(model.answer(question, text, {.doc_stride = 20}, context),
                       "windows of 64 tokens: found room for 15 beside 49 others, expected more than the overlap, 20", ArgumentError);
}

TEST_CASE("question answering: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const model = QuestionAnswering<>::from_directory(recorded::models / "bert-qa", context);
  auto const ask = [&](std::string const& question, std::string const& text, QuestionAnsweringOptions const& options = {}) {
    model.answer(question, text, options, context);
  };
  CHECK_THROWS_WITH_AS(ask("", "a"), "question answering: the question is empty", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", ""), "question answering: the text to look in is empty", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", " \n"), "question answering: the text to look in has no token", ArgumentError);
  CHECK_NOTHROW(ask(" ", "a"));
  CHECK_THROWS_WITH_AS(ask("a", "b", {.top_k = 0}), "top_k: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", "b", {.max_answer_len = 0}), "max_answer_len: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", "b", {.max_question_len = 0}), "max_question_len: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", "b", {.max_seq_len = 65}), "max_seq_len: found 65, expected at most the model's 64", ArgumentError);
  CHECK_THROWS_WITH_AS(ask("a", "b", {.doc_stride = 41, .max_seq_len = 40}), "doc_stride: found 41, expected less than max_seq_len, 40",
                       ArgumentError);
  CHECK_THROWS_WITH_AS(ask(std::string(100'000, '?'), "b"),
                       "question answering: found a question of 100000 tokens, which leaves no room in windows of 64", ArgumentError);
  CHECK_THROWS_AS(ask("a", "b", {.batch_size = 0}), ArgumentError);
  std::size_t const huge = static_cast<std::size_t>(-1);
  CHECK_NOTHROW(ask("a", "b c d", {.top_k = huge, .max_answer_len = huge, .equal_answers = EqualAnswers::added}));
  CHECK_THROWS_AS(QuestionAnswering<>::from_directory(recorded::models / "bert-mlm", context), CheckpointError);
}
