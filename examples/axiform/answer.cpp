// What in this text answers the question? A model that was trained to find answers reads both; a long text in windows.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/question_answering.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int answer(int argc, char** argv) {
  Command command("answer", "Finds the answer to a question in a text.");
  QuestionAnsweringOptions options;
  std::string question, text, file;
  command.add_model_option("a model for question answering");
  command.add_weights_option();
  auto* const given_question = command.add_text("--question", question, "The question");
  auto* const given_text = command.add_text("--context", text, "The text to look in");
  auto* const given_file = command.add_text("--file", file, "A file to look in; - is stdin")->type_name("FILE");
  command.add_json_lines("A JSON object a line on stdin, with question and context", {{"question", "context"}});
  command.add_number("--top-k", options.top_k, "How many answers; 1 unless given");
  command.add_number("--doc-stride", options.doc_stride, "Tokens that windows share");
  command.add_number("--max-answer-len", options.max_answer_len, "Tokens of an answer at most; 15 unless given");
  command.add_number("--max-seq-len", options.max_seq_len, "Tokens of a window at most; 384 unless given");
  command.add_number("--max-question-len", options.max_question_len, "Tokens of the question at most");
  command.add_flag_callback(
      "--impossible", [&] { options.impossible_answers = ImpossibleAnswers::reported; }, "The text may fail to answer: the empty answer");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given_text + !*given_file + !command.json_lines() != 2) throw CLI::ValidationError("expected one of: --context, --file, --jsonl");
    if (!*given_question != command.json_lines()) throw CLI::ValidationError("expected one of: --question, --jsonl");
    if (*given_file) text = Command::read_text(file);
    options.stop = command.stop();
    options.progress = command.progress();
    auto const model = QuestionAnswering<AnyModelWith<ModelHead::question_answering>>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    auto const to_json = [](Answer const& each) {
      return Json{{"score", each.score}, {"start", each.start}, {"end", each.end}, {"answer", each.answer}};
    };
    if (command.json_lines())
      return command.for_each_input_block(
          [&](std::vector<InputText> const& inputs) {
            for (InputText const& input : inputs) {
              Json list = Json::array();
              for (Answer const& each : model.answer(input.text, *input.pair, options, context)) list.push_back(to_json(each));
              results.add(list);
            }
          },
          1);
    auto const answers = command.work([&] { return model.answer(question, text, options, context); });
    for (Answer const& each : answers) {
      if (results.wanted()) {
        results.add(to_json(each));
      } else {
        std::cout << std::fixed << std::setprecision(4) << each.score << std::setw(7) << each.start << " - " << std::left << std::setw(7)
                  << each.end << std::right << (each.answer.empty() ? "(no answer)" : label(each.answer)) << '\n';
      }
    }
    results.finish();
  });
}
