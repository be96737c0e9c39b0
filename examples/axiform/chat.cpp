// A text that a person and a GPT-2 write in turns. What has been read stays in the key-value cache and is not read again. A line is added to
// the text and continued; an empty line goes on; /undo takes back the last turn; /retry draws again; /text shows it all; /quit ends.
// (GPT-2 has not been taught to converse: what it does is go on.)
#include <iostream>
#include <string>
#include <vector>

#include <unistd.h>

#include <axiform/tasks/text_generation.hpp>

#include "commands.hpp"
#include "generation_options.hpp"

using namespace axiform;

int chat(int argc, char** argv) {
  Command command("chat", "Continues a text turn by turn.");
  command.add_model_option("a GPT-2");
  command.add_weights_option();
  GenerationArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    auto const gpt2 = TextGeneration<>::from_directory(command.model(), command.loading(), context);
    auto session = gpt2.session();
    auto options = arguments.options(gpt2, command);
    if (!options.max_new_tokens) options.max_new_tokens = std::min<std::size_t>(options.max_length, gpt2.positions());  // of each turn
    struct Turn {
      std::size_t begin, answer;  // in tokens
    };
    std::vector<Turn> turns;
    bool const is_terminal = isatty(STDIN_FILENO) != 0;
    std::size_t draws = 0;

    auto const take_turn = [&] {
      if (session.size() == 0) throw ArgumentError("found no text yet, expected a first line");
      auto now = options;
      now.max_new_tokens = std::min(*options.max_new_tokens, session.room());
      now.seed = options.seed + draws++;
      if (*now.max_new_tokens == 0) throw ArgumentError("the text has the model's " + std::to_string(gpt2.positions()) + " tokens; /undo makes room");
      command.work([&] { session.stream(now, [](TextPiece piece) { std::cout << piece.text << std::flush; }, context); });
      std::cout << '\n';
    };
    for (;;) {
      if (is_terminal) std::cerr << "> " << std::flush;
      auto const line = command.read_line();
      if (!line || *line == "/quit") break;
      try {
        if (*line == "/undo" || *line == "/retry") {
          if (turns.empty()) throw ArgumentError("found no turn to take back");
          session.roll_back(*line == "/undo" ? turns.back().begin : turns.back().answer);
          if (*line == "/undo") {
            turns.pop_back();
          } else {
            take_turn();
          }
        } else if (*line == "/text") {
          std::cout << session.text() << '\n';
        } else {
          std::size_t const before = session.size();
          if (!line->empty()) session.append((before ? "\n" : "") + *line);
          turns.push_back({before, session.size()});
          take_turn();
        }
      } catch (ArgumentError const& error) {
        std::cerr << "axiform chat: " << error.what() << '\n';
      }
    }
  });
}
