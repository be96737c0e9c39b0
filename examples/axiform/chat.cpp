// Talk with a model that was trained for it. Answers come as they are made, and what has been said is not read again. A line is what you say;
// /undo takes back the last question and its answer, /retry asks it again, /system TEXT begins anew with other instructions, /history shows
// what was said, /quit ends. Ctrl-C stops an answer, and what there is of it stays. In a pipe each line of stdin is a question, and stdout has
// the answers alone.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include <axiform/io/file.hpp>
#include <axiform/tasks/chat.hpp>

#include "commands.hpp"
#include "generation_options.hpp"

using namespace axiform;

namespace {

// The name of a built-in template, or a file with one.
ChatTemplate template_of(std::string const& name) {
  for (std::string_view const known : ChatTemplate::names())
    if (name == known) return ChatTemplate::named(name);
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  if (name.find('/') != name.npos || name.ends_with(".jinja")) return ChatTemplate::parse(read_file(name, most_bytes));
  return ChatTemplate::named(name);  // says which there are
}

// What is said, line by line, and the commands among it.
class Talk {
 public:
  Talk(Command& command, Chat<> const& chat, ChatOptions const& how, GenerateOptions const& options, Context& context)
      : command_(command), chat_(chat), how_(how), options_(options), context_(context), conversation_(chat.conversation(how)) {
    options_.end_of_text.assign(chat.ends().begin(), chat.ends().end());
  }

  void take(std::string const& line) {
    if (line == "/undo") {
      conversation_.undo();
    } else if (line == "/retry") {
      ++retries_;
      ask(conversation_.undo());
    } else if (line == "/history") {
      for (ChatMessage const& message : conversation_.messages()) std::cout << message.role << ": " << message.content << '\n';
    } else if (line == "/system" || line.starts_with("/system ")) {
      how_.system = line.size() > 8 ? line.substr(8) : "";
      conversation_ = chat_.conversation(how_);
    } else if (line.starts_with("/")) {
      throw ArgumentError("found " + line.substr(0, line.find(' ')) + ", expected /undo, /retry, /system TEXT, /history or /quit");
    } else if (!is_blank(line)) {
      ask(line);
    }
  }

  // Of all answers.
  std::size_t tokens() const { return tokens_; }
  double seconds() const { return seconds_; }

 private:
  void ask(std::string const& question) {
    auto const begin = std::chrono::steady_clock::now();
    auto const answer = command_.work_in_turn([&](std::stop_token stop) {
      GenerateOptions options = options_;
      options.seed += retries_;  // another draw
      options.stop = std::move(stop);
      return conversation_.stream(
          question, options, [](TextPiece piece) { std::cout << piece.text << std::flush; }, context_);
    });
    std::cout << '\n' << std::flush;
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    tokens_ += answer.sequence.new_ids().size();
    if (answer.forgotten != 0) std::cerr << "(the context is full: the oldest " << answer.forgotten << " messages are forgotten)\n";
    if (answer.sequence.finish == FinishReason::stopped) std::cerr << "(stopped)\n";
  }

  Command& command_;
  Chat<> const& chat_;
  ChatOptions how_;
  GenerateOptions options_;
  Context& context_;
  Conversation<AnyCausalModel> conversation_;
  std::size_t retries_ = 0, tokens_ = 0;
  double seconds_ = 0;
};

}  // namespace

int chat(int argc, char** argv) {
  Command command("chat", "Talks with a model that was trained for it.");
  command.add_model_option("a model with a chat template; a GGUF file");
  command.add_weights_option();
  command.add_cache_option();
  std::string system, template_name, when_full = "forget";
  std::size_t context_length = 0;
  bool statistics = false;
  command.add_text("--system", system, "What the system says first; the template may have words of its own");
  command.add_text("--template", template_name, "A built-in chat template, or a file with one (Jinja); the model's own unless given")
      ->type_name("NAME");
  auto* const given_length =
      command.add_number("--context", context_length, "Tokens of the whole conversation; 4096 unless given, or what the model reads");
  command.add_option("--when-full", when_full, "When they are used up: forget the oldest messages, or refuse")
      ->check(CLI::IsMember({"forget", "refuse"}));
  command.add_flag("--statistics", statistics, "Say at the end how fast it was, and how much memory it took");
  GenerationArguments const arguments(command, "transformers-5");

  return command.run(argc, argv, [&](Context& context) {
    if (command.json()) throw CLI::ValidationError("--json", "answers are text, and come as they are made");
    auto const directory = command.model();
    auto const chat = template_name.empty() ? Chat<>::from_directory(directory, command.loading(), context)
                                            : Chat<>::from_directory(directory, template_of(template_name), command.loading(), context);
    ChatOptions how{.system = system, .when_full = when_full == "refuse" ? FullChat::refuse : FullChat::forget_oldest};
    if (*given_length) how.context_length = context_length;
    Talk talk(command, chat, how, arguments.options(chat.generation(), command), context);
    bool const is_terminal = isatty(STDIN_FILENO) != 0;
    for (;;) {
      if (is_terminal) std::cerr << "> " << std::flush;
      auto const line = command.read_line();
      if (!line || *line == "/quit") break;
      try {
        talk.take(*line);
      } catch (ArgumentError const& error) {
        std::cerr << "axiform chat: " << error.what() << '\n';
      }
    }
    if (statistics) {
      rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      std::cerr << std::fixed << std::setprecision(1) << talk.tokens() << " tokens, "
                << static_cast<double>(talk.tokens()) / std::max(talk.seconds(), 1e-9) << " a second with their questions; at most "
                << usage.ru_maxrss / 1024 << " MiB of memory\n";
    }
  });
}
