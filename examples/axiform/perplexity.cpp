// How surprised is a language model by a text? The perplexity is e to the mean of -ln p over its tokens: 1 when each was certain.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/text_generation.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int perplexity(int argc, char** argv) {
  Command command("perplexity", "Says how surprised a language model is by texts of any length.");
  PerplexityOptions options;
  std::string whole;
  command.add_model_option("a GPT-2, a Llama or another decoder; a GGUF file");
  command.add_weights_option();
  command.add_cache_option();
  command.add_inputs("Texts", Command::Needed::no);
  auto* const document = command.add_text("--document", whole, "A whole file as one text; - is stdin")->type_name("FILE");
  command.add_number("--stride", options.stride, "Tokens by which windows move over a text that is longer than the model reads");

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*document != 1) throw CLI::ValidationError("expected one of: texts, --document, --file, --jsonl");
    options.stop = command.stop();
    options.progress = command.progress();
    auto const generator = TextGeneration<>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    auto const measure = [&](std::vector<std::string> const& texts) {
      for (std::string const& text : texts) {
        auto const found = generator.perplexity(text, options, context);
        if (results.wanted()) {
          results.add({{"perplexity", found.perplexity}, {"mean_log_probability", found.mean_log_probability}, {"tokens", found.log_probabilities.size()}});
        } else {
          std::cout << std::fixed << std::setprecision(3) << std::setw(12) << found.perplexity << std::setw(9) << found.log_probabilities.size() << " tokens  "
                    << label(text) << '\n';
        }
      }
    };
    if (*document) {
      std::vector<std::string> const one{Command::read_text(whole)};
      command.work([&] { measure(one); });
    } else {
      command.for_each_block(measure, 1);
    }
    results.finish();
  });
}
