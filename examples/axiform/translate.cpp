// What is this text in another language? A Marian, an mBART, a T5 or another encoder-decoder writes it.
#include <span>
#include <string>

#include <axiform/tasks/translation.hpp>

#include "command.hpp"
#include "commands.hpp"
#include "writing_options.hpp"

using namespace axiform;

int translate(int argc, char** argv) {
  Command command("translate",
                  "Translates texts with a Marian, an mBART, a T5 or another encoder-decoder. A text is translated whole: give sentences.");
  TranslationOptions options;
  command.add_model_option("a model that translates");
  command.add_weights_option();
  command.add_cache_option();
  command.add_inputs("Texts to translate");
  command.add_text("--from", options.languages.source, "The language of the texts, as the checkpoint calls it: en, en_XX, …")
      ->type_name("LANGUAGE");
  command.add_text("--to", options.languages.target, "The language that is written; a model of one direction need not be told")
      ->type_name("LANGUAGE");
  command.add_flag_callback(
      "--truncate", [&] { options.long_text = LongText::cut; }, "Leave out the end of a text that is too long for the model");
  WritingArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    auto const model = Translation<>::from_directory(command.model(), command.loading(), context);
    options.generation = arguments.options(model.options(options.languages), command);
    JsonResults results(command);
    auto const with = [&](GenerateOptions const& how) { return TranslationOptions{options.languages, how, options.long_text}; };
    auto const write = [&](std::span<std::string const> texts, GenerateOptions const& how) {
      return model.translate(texts, with(how), context);
    };
    auto const stream = [&](std::string const& text, FunctionRef<void(TextPiece)> on_text) {
      model.stream(text, options, on_text, context);
    };
    command.for_each_block([&](std::vector<std::string> const& texts) {
      print_written(command, results, "translation_text", texts, *options.generation, write, stream);
    });
    results.finish();
  });
}
