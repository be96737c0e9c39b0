// Attention as a page to look into: who looks at whom, in every layer and head; or how a text was generated, with what else could have come.
// The page stands alone: no network, nothing beside it.
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/generation_view.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "commands.hpp"
#include "generation_options.hpp"

using namespace axiform;

namespace {

AttentionViewKind view_kind(std::string const& name) {
  if (name == "model") return AttentionViewKind::model;
  return name == "heat-map" ? AttentionViewKind::table : AttentionViewKind::heads;
}

void write_attention(std::filesystem::path const& output, std::string const& kind, Command const& command, std::string const& text,
                     std::string const* second, Context& context) {
  auto const tokenizer = Tokenizer::from_directory(command.model());
  auto const encoding = second != nullptr ? tokenizer.encode_pair(text, *second) : tokenizer.encode(text);
  if (encoding.ids.empty()) throw ArgumentError("the text has no tokens");
  auto const model = load<AnyBody>(command.model(), command.loading(), context);

  Capture capture;
  context.observe(&capture);
  auto const sequences = SequenceOffsets<axes::Tokens>::single(encoding.size());
  TokenBatch batch{.ids = encoding.ids, .sequences = sequences};
  if (model.token_types() > 1) batch.token_types = encoding.type_ids;
  model(batch, context);
  auto const view = attention_view(capture, tokenizer.tokens(encoding),
                                   {.title = second != nullptr ? text + " " + *second : text, .second_text = second_text_begin(encoding)});
  write_attention_view(output, view, {.view = view_kind(kind)});
}

void write_generation(std::filesystem::path const& output, TextGeneration<> const& generator, std::string const& prompt,
                      GenerateOptions options, Context& context) {
  options.report = ReportOptions{.alternatives = 10, .distribution = ReportedDistribution::processed};
  auto const text = generator.generate(prompt, options, context).front();
  auto const text_of = [&](TokenId id) { return generator.tokenizer().decode(std::span(&id, 1)); };
  GenerationView view{.title = prompt, .prompt = prompt, .steps = {}};
  for (TokenReport const& report : text.sequence.reports) {
    GenerationStep step{text_of(report.id), std::exp(report.log_probability), report.entropy, {}};
    for (TokenAlternative const& other : report.alternatives) step.alternatives.push_back({text_of(other.id), other.probability});
    view.steps.push_back(std::move(step));
  }
  write_generation_view(output, view);
}

}  // namespace

int view(int argc, char** argv) {
  Command command("view", "Writes a page that shows attention, or how a text was generated.");
  std::string text, second, kind = "head", output = "view.html";
  command.add_bert_option();
  command.add_weights_option();
  command.add_text("text", text, "The text")->required();
  auto* const pair = command.add_text("--pair", second, "A second text, behind the first: the page has filters for the two");
  command.add_option("--kind", kind, "What the page opens with")->check(CLI::IsMember({"head", "model", "heat-map", "generation"}));
  command.add_text("--output", output, "The page to write; view.html unless given")->type_name("FILE");
  GenerationArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    if (kind == "generation") {
      auto const generator = TextGeneration<>::from_directory(command.model(), command.loading(), context);
      auto const options = arguments.options(generator, command);
      command.work([&] { write_generation(output, generator, text, options, context); });
    } else {
      write_attention(output, kind, command, text, *pair ? &second : nullptr, context);
    }
    if (command.json()) {
      std::cout << dump_json({{"output", output}, {"bytes", std::filesystem::file_size(output)}}) << '\n';
    } else {
      std::cout << output << ": " << std::filesystem::file_size(output) / 1024 << " KiB\n";
    }
  });
}
