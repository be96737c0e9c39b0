// What in this text answers the question? A model that was trained to find answers reads both; a long text in windows.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/question_answering.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int answer(int argc, char** argv) {
  Command command("answer", "Finds the answer to a question in a text.");
  QuestionAnsweringOptions options;
  std::string question, text, file;
  command.add_model_option("a model for question answering");
  command.add_text("--question", question, "The question")->required();
  auto* const given_text = command.add_text("--context", text, "The text to look in");
  auto* const given_file = command.add_text("--file", file, "A file to look in; - is stdin")->type_name("FILE");
  command.add_number("--top-k", options.top_k, "How many answers; 1 unless given");
  command.add_number("--doc-stride", options.doc_stride, "Tokens that windows share");
  command.add_number("--max-answer-len", options.max_answer_len, "Tokens of an answer at most; 15 unless given");
  command.add_number("--max-seq-len", options.max_seq_len, "Tokens of a window at most; 384 unless given");
  command.add_number("--max-question-len", options.max_question_len, "Tokens of the question at most");
  command.add_flag_callback(
      "--impossible", [&] { options.impossible_answers = ImpossibleAnswers::reported; }, "The text may fail to answer: the empty answer");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given_text + !*given_file != 1) throw CLI::ValidationError("expected one of: --context, --file");
    if (*given_file) text = Command::read_text(file);
    options.stop = command.stop();
    options.progress = command.progress();
    auto const model = QuestionAnswering<>::from_directory(command.model(), context);
    auto const answers = command.work([&] { return model.answer(question, text, options, context); });
    JsonResults results(command);
    for (Answer const& each : answers) {
      if (results.wanted()) {
        results.add({{"score", each.score}, {"start", each.start}, {"end", each.end}, {"answer", each.answer}});
      } else {
        std::cout << std::fixed << std::setprecision(4) << each.score << std::setw(7) << each.start << " - " << std::left << std::setw(7)
                  << each.end << std::right << (each.answer.empty() ? "(no answer)" : label(each.answer)) << '\n';
      }
    }
    results.finish();
  });
}
