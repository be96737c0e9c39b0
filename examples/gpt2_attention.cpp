// What does GPT-2 look at when it reads? As bert_attention, but each token sees only itself and those before it: the upper triangle is zero.
#include <string>
#include <vector>

#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "attention_options.hpp"
#include "command_line.hpp"

using namespace axiform;

int main(int argc, char** argv) {
  CommandLine command("gpt2_attention", "Prints what each token of a text attends to in a GPT-2.");
  std::string text, ids_text;
  command.add_gpt2_option();
  auto* const given = command.add_text("text", text, "The text");
  auto* const given_ids = command.add_option("--ids", ids_text, "Token ids instead of a text; needs no tokenizer")->type_name("1,2,3");
  AttentionOptions options(command);

  return command.run(argc, argv, [&](Context& context) {
    if (!*given + !*given_ids != 1) throw CLI::ValidationError("expected one of: a text, --ids");
    std::vector<TokenId> ids;
    std::vector<std::string> tokens;
    if (*given_ids) {
      ids = parse_ids(ids_text);
      for (TokenId const id : ids) tokens.push_back(std::to_string(id));
    } else {
      auto const tokenizer = Tokenizer::from_directory(command.model());
      auto const encoding = tokenizer.encode(text);
      ids = encoding.ids;
      tokens = tokenizer.tokens(encoding);
      if (ids.empty()) throw ArgumentError("the text has no tokens");
    }
    auto const gpt2 = load<Gpt2<>>(command.model(), context);

    Capture capture;
    context.observe(&capture);
    gpt2(ids, context);
    options.print(capture, tokens, ids);
  });
}
