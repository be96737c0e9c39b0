// Attention as a page to look into: who looks at whom, in every layer and head; or how a text was generated, with what else could have come, or which
// beams lived. The page stands alone: no network, nothing beside it.
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/beam_view.hpp>
#include <axiform/inspect/generation_view.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/capture_attention.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "commands.hpp"
#include "encoder_decoder_texts.hpp"
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

// The three attentions of an encoder-decoder. Without a target, the model writes one.
void write_translation(std::filesystem::path const& output, std::string const& kind, EncoderDecoderTexts& texts, std::string const& text,
                       std::string const* given, Context& context) {
  auto const source = texts.read(text);
  auto const target = given != nullptr ? texts.target(*given) : texts.write(source, context);
  auto const seen = capture_attention(texts.model(), source, target, context);
  auto const view = attention_view(seen.encoder, seen.decoder, texts.source_tokens(source), texts.target_tokens(target),
                                   {.title = text + " → " + (given != nullptr ? *given : texts.text_of(target))});
  write_attention_view(output, view, {.view = view_kind(kind)});
}

// Which beams lived. `run` generates with options.
template <class Run>
void write_beams(std::filesystem::path const& output, BeamView view, GenerateOptions options, Run const& run) {
  options.on_beams = [&](BeamStep const& step) { view.steps.push_back(step); };
  options.num_return_sequences = options.num_beams;  // all that is known at the end
  view.results = run(options);
  write_beam_view(output, view);
}

// The most probable tokens of every step, one text.
template <class Run>
void write_steps(std::filesystem::path const& output, std::string const& title, std::string const& prompt,
                 std::function<std::string(TokenId)> const& text_of, GenerateOptions options, Run const& run) {
  options.report = ReportOptions{.alternatives = 10, .distribution = ReportedDistribution::processed};
  auto const sequence = run(options).front();
  GenerationView view{.title = title, .prompt = prompt, .steps = {}};
  for (TokenReport const& report : sequence.reports) {
    GenerationStep step{text_of(report.id), std::exp(report.log_probability), report.entropy, {}};
    for (TokenAlternative const& other : report.alternatives) step.alternatives.push_back({text_of(other.id), other.probability});
    view.steps.push_back(std::move(step));
  }
  write_generation_view(output, view);
}

// How a text was generated: with beams which of them lived, otherwise what else could have come. `prompt` is what stands before it.
template <class Run>
void write_generation(std::filesystem::path const& output, std::string const& title, std::string const& prompt,
                      std::function<std::string(TokenId)> const& text_of, GenerateOptions const& options, Run const& run) {
  if (options.has_beams()) {
    write_beams(output, {.title = title, .prompt = prompt, .steps = {}, .results = {}, .text_of = text_of}, options, run);
  } else {
    write_steps(output, title, prompt, text_of, options, run);
  }
}

}  // namespace

int view(int argc, char** argv) {
  Command command("view", "Writes a page that shows attention, or how a text was generated.");
  std::string text, second, target, kind = "head", output = "view.html";
  command.add_bert_option();
  command.add_weights_option();
  command.add_text("text", text, "The text")->required();
  auto* const pair = command.add_text("--pair", second, "A second text, behind the first: the page has filters for the two");
  auto* const given_target = command.add_text("--target", target,
                                              "Of an encoder-decoder: what it wrote; unless given, what it writes, the most probable token "
                                              "each time");
  command
      .add_option("--kind", kind, "What the page opens with; generation is a page of its own: of the text, or with --beams of all beams")
      ->check(CLI::IsMember({"head", "model", "heat-map", "generation"}));
  command.add_text("--output", output, "The page to write; view.html unless given")->type_name("FILE");
  LanguageArguments const languages(command);
  GenerationArguments const arguments(command);

  return command.run(argc, argv, [&](Context& context) {
    bool const reads_sources = is_encoder_decoder(command.model());
    if (reads_sources && *pair) throw ArgumentError("an encoder-decoder reads one text: leave out --pair");
    if (*given_target && (!reads_sources || kind == "generation"))
      throw ArgumentError("--target is for pages of an encoder-decoder's attention");
    if (languages.given() && !reads_sources) throw ArgumentError("--from and --to are an encoder-decoder's, which this model is not");
    if (reads_sources) {
      EncoderDecoderTexts texts(command, languages, context);
      if (kind == "generation") {
        auto const source = texts.read(text);
        auto const options = arguments.options(texts.options(), texts.target_tokenizer(), command);
        command.work([&] {
          write_generation(
              output, text, "", [&](TokenId id) { return texts.text_of(id); }, options,
              [&](GenerateOptions const& how) { return generate_sequences(texts.model(), source, how, context); });
        });
      } else {
        write_translation(output, kind, texts, text, *given_target ? &target : nullptr, context);
      }
    } else if (kind == "generation") {
      auto const generator = TextGeneration<>::from_directory(command.model(), command.loading(), context);
      auto const options = arguments.options(generator, command);
      auto const text_of = [&](TokenId id) { return generator.tokenizer().decode(std::span(&id, 1)); };
      command.work([&] {
        write_generation(output, text, text, text_of, options, [&](GenerateOptions const& how) {
          std::vector<GeneratedSequence> sequences;
          for (GeneratedText& generated : generator.generate(text, how, context)) sequences.push_back(std::move(generated.sequence));
          return sequences;
        });
      });
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
