// What does a text say, in fewer words? A BART, a T5 or another encoder-decoder writes it; of a long document part by part.
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <axiform/tasks/summarization.hpp>

#include "command.hpp"
#include "commands.hpp"
#include "writing_options.hpp"

using namespace axiform;

int summarize(int argc, char** argv) {
  Command command("summarize", "Summarises texts with a BART, a T5 or another encoder-decoder, documents of any length among them.");
  SummarizationOptions options;
  std::string whole;
  std::map<std::string, LongDocument> const ways{
      {"in-parts", LongDocument::in_parts}, {"refuse", LongDocument::refuse}, {"cut", LongDocument::cut}};
  command.add_model_option("a model that summarises");
  command.add_weights_option();
  command.add_cache_option();
  command.add_inputs("Texts to summarise", Command::Needed::no);
  auto* const document = command.add_text("--document", whole, "A whole file as one text; - is stdin")->type_name("FILE");
  command.add_option("--long", options.long_document, "What becomes of a text that the model cannot read at once; in-parts unless given")
      ->transform(CLI::CheckedTransformer(ways))
      ->type_name("in-parts|refuse|cut");
  command.add_number("--part-length", options.part_length, "Tokens of a part; as many as the model reads unless given");
  WritingArguments const arguments(command, TextsOfEach::one);

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*document != 1) throw CLI::ValidationError("expected one of: texts, --document, --file, --jsonl");
    auto const model = Summarization<>::from_directory(command.model(), command.loading(), context);
    GenerateOptions own = model.options();
    own.num_return_sequences = 1;
    options.generation = arguments.options(own, command);
    options.generation->progress = command.progress();
    JsonResults results(command);
    auto const print = [&](std::vector<std::string> const& texts) {
      for (Summary const& summary : model.summarize(texts, options, context)) {
        if (results.wanted()) {
          results.add({{"summary_text", summary.text}, {"parts", summary.parts}, {"rounds", summary.rounds}});
        } else {
          std::cout << summary.text << '\n';
        }
      }
    };
    if (*document) {
      std::vector<std::string> const one{Command::read_text(whole)};
      command.work([&] { print(one); });
    } else {
      command.for_each_block(print);
    }
    results.finish();
  });
}
