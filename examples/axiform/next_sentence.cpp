// Does the second sentence follow the first?
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/next_sentence.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int next_sentence(int argc, char** argv) {
  Command command("next-sentence", "Says how probable it is that one sentence follows another.");
  std::string first, second;
  command.add_model_option("a BERT with next-sentence prediction");
  command.add_weights_option();
  auto* const given_first = command.add_text("first", first, "A sentence");
  auto* const given_second = command.add_text("second", second, "The one that may follow");
  command.add_json_lines("A JSON object a line on stdin, with the two as text and text_pair or as sentence1 and sentence2",
                         {{"text", "text_pair"}, {"sentence1", "sentence2"}});

  return command.run(argc, argv, [&](Context& context) {
    if (command.json_lines() ? bool(*given_first) : !*given_second)
      throw CLI::ValidationError("expected one of: first and second, --jsonl");
    auto const model = NextSentence<>::from_directory(command.model(), command.loading(), context);
    if (command.json_lines())
      return command.for_each_input_block(
          [&](std::vector<InputText> const& inputs) {
            for (InputText const& input : inputs)
              std::cout << dump_json({{"probability", model.probability(input.text, *input.pair, context)}}) << '\n';
          },
          1);
    double const probability = model.probability(first, second, context);
    if (command.json()) {
      std::cout << dump_json({{"probability", probability}}) << '\n';
    } else {
      std::cout << std::fixed << std::setprecision(4) << probability << (probability >= 0.5 ? "  it follows\n" : "  it does not follow\n");
    }
  });
}
