// Does the second sentence follow the first?
#include <iomanip>
#include <iostream>
#include <string>

#include <axiform/tasks/next_sentence.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int next_sentence(int argc, char** argv) {
  Command command("next-sentence", "Says how probable it is that one sentence follows another.");
  std::string first, second;
  command.add_model_option("a BERT with next-sentence prediction");
  command.add_text("first", first, "A sentence")->required();
  command.add_text("second", second, "The one that may follow")->required();

  return command.run(argc, argv, [&](Context& context) {
    double const probability = NextSentence<>::from_directory(command.model(), context).probability(first, second, context);
    if (command.json()) {
      std::cout << Json{{"probability", probability}} << '\n';
    } else {
      std::cout << std::fixed << std::setprecision(4) << probability << (probability >= 0.5 ? "  it follows\n" : "  it does not follow\n");
    }
  });
}
