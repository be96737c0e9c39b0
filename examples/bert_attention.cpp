// What does each word look at? Runs a text through BERT and prints the attention of a layer: row by row, how much of its attention each
// token gives to each other one. They are the numbers that the model computed with, not computed again.
#include <string>

#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "attention_options.hpp"
#include "command_line.hpp"

using namespace axiform;

int main(int argc, char** argv) {
  CommandLine command("bert_attention", "Prints what each token of a text attends to in a BERT.");
  std::string text;
  command.add_bert_option();
  command.add_text("text", text, "The text")->required();
  AttentionOptions options(command);

  return command.run(argc, argv, [&](Context& context) {
    auto const tokenizer = Tokenizer::from_directory(command.model());
    auto const bert = load<Bert<>>(command.model(), context);
    auto const encoding = tokenizer.encode(text);

    Capture capture;
    context.observe(&capture);
    bert(encoding.ids, context);
    options.print(capture, tokenizer.tokens(encoding), encoding.ids);
  });
}
