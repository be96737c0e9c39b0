// What does each word look at, in every layer and head? Runs a text, or a pair of texts, through BERT and writes one HTML page that shows
// it: lines between the tokens, all heads at a glance, a heat map. The page needs no network; any browser opens it.
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include <axiform/inspect/attention_view.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "command_line.hpp"

using namespace axiform;

int main(int argc, char** argv) {
  CommandLine command("bert_attention_view", "Writes an HTML page that shows what each token of a text attends to in a BERT.");
  std::string text, second_text, output = "attention.html";
  command.add_bert_option();
  command.add_text("text", text, "The text")->required();
  auto* const is_pair = command.add_text("second", second_text, "A second text, which makes a pair");
  command.add_text("--output", output, "The page to write; attention.html unless given")->type_name("FILE");

  return command.run(argc, argv, [&](Context& context) {
    auto const tokenizer = Tokenizer::from_directory(command.model());
    auto const bert = load<Bert<>>(command.model(), context);
    auto const encoding = *is_pair ? tokenizer.encode_pair(text, second_text) : tokenizer.encode(text);

    Capture capture;
    context.observe(&capture);
    auto const sequences = SequenceOffsets<axes::Tokens>::single(encoding.size());
    TokenBatch batch{.ids = encoding.ids, .sequences = sequences};
    if (bert.sizes.token_types > 1) batch.token_types = encoding.type_ids;  // RoBERTa and DistilBERT have no segments
    bert(batch, context);

    auto const view = attention_view(capture, tokenizer.tokens(encoding),
                                     {.title = *is_pair ? text + " " + second_text : text, .second_text = second_text_begin(encoding)});
    write_attention_view(output, view);
    if (command.json()) {
      std::cout << dump_json({{"output", output}, {"tokens", view.parts[0].queries}, {"layers", capture.layers()}}) << '\n';
    } else {
      std::cout << output << ": " << encoding.size() << " tokens, " << capture.layers() << " layers, "
                << std::filesystem::file_size(output) / 1024 << " KiB\n";
    }
  });
}
