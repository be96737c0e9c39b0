// What does an encoder-decoder write about a text? What it was trained for: an answer to what FLAN-T5 is asked, what T5's prefix says, a paraphrase.
#include <span>
#include <string>

#include <axiform/tasks/text2text.hpp>

#include "command.hpp"
#include "commands.hpp"
#include "writing_options.hpp"

using namespace axiform;

int text2text(int argc, char** argv) {
  Command command("text2text", "Writes about texts what a T5, a BART or another encoder-decoder was trained to.");
  Text2TextOptions options;
  command.add_model_option("an encoder-decoder; a GGUF file of a T5");
  command.add_weights_option();
  command.add_cache_option();
  command.add_inputs("Texts to write about");
  command.add_flag_callback(
      "--truncate", [&] { options.long_text = LongText::cut; }, "Leave out the end of a text that is too long for the model");
  WritingArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    auto const model = Text2Text<>::from_directory(command.model(), command.loading(), context);
    options.generation = arguments.options(model.options(), command);
    JsonResults results(command);
    auto const write = [&](std::span<std::string const> texts, GenerateOptions const& how) {
      return model.generate(texts, {.generation = how, .long_text = options.long_text}, context);
    };
    auto const stream = [&](std::string const& text, FunctionRef<void(TextPiece)> on_text) {
      model.stream(text, options, on_text, context);
    };
    command.for_each_block([&](std::vector<std::string> const& texts) {
      print_written(command, results, "generated_text", texts, *options.generation, write, stream);
    });
    results.finish();
  });
}
