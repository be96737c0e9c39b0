// How does this text go on? A GPT-2, a Llama or another decoder continues it token by token, and the text is printed as it comes. The same seed gives the same text, on
// any machine and any number of threads. With --logits it prints what the next token is chosen from.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/tasks/text_generation.hpp>

#include "commands.hpp"
#include "generation_options.hpp"

using namespace axiform;

namespace {

void print_logits(JsonResults& results, TextGeneration<> const& generator, std::vector<TokenId> const& ids, Context& context) {
  auto const states = generator.model()(ids, context);
  auto const all = generator.model().logits(states, context);
  auto const logits = all.row(ids.size() - 1);
  if (results.wanted()) return results.add({{"ids", ids}, {"logits", std::vector<float>(logits.begin(), logits.end())}});
  std::vector<TokenId> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<TokenId>(i);
  std::size_t const shown = std::min<std::size_t>(order.size(), 20);
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(shown), std::ranges::greater(),
                            [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; });
  std::cout << "The " << shown << " greatest of " << logits.size() << " logits:\n" << std::fixed << std::setprecision(4);
  for (TokenId const id : std::span(order).first(shown))
    std::cout << std::setw(10) << logits[static_cast<std::size_t>(id)] << std::setw(8) << id << "  " << generator.tokenizer().id_to_token(id) << '\n';
}

Json to_json(GeneratedText const& text, bool with_proposals) {
  Json result = {{"generated_text", text.text}, {"ids", text.sequence.ids}};
  if (with_proposals) result["proposed"] = text.sequence.proposed, result["accepted"] = text.sequence.accepted;
  for (TokenReport const& report : text.sequence.reports)
    result["log_probabilities"].push_back(report.log_probability);
  return result;
}

}  // namespace

int generate_text(int argc, char** argv) {
  Command command("generate", "Continues texts with a GPT-2, a Llama or another decoder.");
  std::string prompt;
  bool logits = false, log_probabilities = false;
  command.add_model_option("a GPT-2, a Llama or another decoder; a GGUF file");
  command.add_weights_option();
  command.add_cache_option();
  command.add_inputs("Texts to continue", Command::Needed::no, {{"prompt"}, {"text"}});
  auto* const given_prompt = command.add_text("--prompt", prompt, "The text to continue; the same as the argument");
  command.add_flag("--logits", logits, "Print the logits behind the text instead of continuing it");
  command.add_flag("--log-probabilities", log_probabilities, "Tell the log-probability of each generated token (JSON)");
  GenerationArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*given_prompt != 1) throw CLI::ValidationError("expected one of: texts, --prompt, --file, --jsonl");
    auto const generator = TextGeneration<>::from_directory(command.model(), command.loading(), context);
    auto options = arguments.options(generator, command);
    if (log_probabilities) options.report = ReportOptions{};
    JsonResults results(command);
    auto const continue_texts = [&](std::vector<std::string> const& texts) {
      for (std::string const& text : texts) {
        if (logits) {
          print_logits(results, generator, generator.encode(text), context);
        } else if (results.wanted()) {
          Json list = Json::array();
          for (GeneratedText const& generated : generator.generate(text, options, context)) list.push_back(to_json(generated, options.prompt_lookup.has_value()));
          if (command.json_lines()) {
            results.add(list);
          } else {
            for (Json const& each : list) results.add(each);
          }
        } else if (options.num_return_sequences == 1 && !options.has_beams()) {
          std::string begin = replace_invalid_utf8(text);  // printed with the first piece, so that an error comes before it
          generator.stream(text, options, [&](TextPiece piece) { std::cout << std::exchange(begin, {}) << piece.text << std::flush; }, context);
          std::cout << begin << '\n';
        } else {
          for (GeneratedText const& generated : generator.generate(text, options, context)) std::cout << generated.text << "\n\n";
        }
        if (options.stop.stop_requested()) throw StoppedError("stopped");
      }
    };
    if (*given_prompt) {
      command.work([&] { continue_texts({prompt}); });
    } else {
      command.for_each_block(continue_texts, 1);
    }
    results.finish();
  });
}
