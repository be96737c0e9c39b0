// How does a model cut a text into tokens? Prints each token with its id and where it lies in the text: the same that Hugging Face's
// tokenizers give. With --jsonl it is a filter: a JSON string a line in, a JSON object a line out, as fast as they come.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/text/tokenizer_files.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

// By hand, since most of the time would go into a tree of thousands of small arrays.
void print_json(Tokenizer const& tokenizer, Encoding const& encoding) {
  std::cout << "{\"ids\":" << dump_json(encoding.ids) << ",\"tokens\":" << dump_json(tokenizer.tokens(encoding)) << ",\"offsets\":[";
  for (std::size_t i = 0; i < encoding.size(); ++i)
    std::cout << (i ? ",[" : "[") << encoding.offsets[i].begin << ',' << encoding.offsets[i].end << ']';
  std::cout << "]}";
}

void print(Tokenizer const& tokenizer, Encoding const& encoding) {
  auto const tokens = tokenizer.tokens(encoding);
  std::cout << "     id   characters   token\n";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::cout << std::setw(7) << encoding.ids[i];
    if (encoding.special_tokens_mask[i]) {
      std::cout << std::string(16, ' ');
    } else {
      std::cout << std::setw(7) << encoding.offsets[i].begin << " - " << std::left << std::setw(6) << encoding.offsets[i].end << std::right;
    }
    std::cout << tokens[i] << '\n';
  }
}

void print_lookup(Tokenizer const& tokenizer, std::string const& word, Command const& command) {
  auto const id = tokenizer.token_to_id(word);
  if (command.json()) {
    std::cout << dump_json({{"word", word}, {"in_vocabulary", id.has_value()}, {"id", id ? Json(*id) : Json()}}) << '\n';
  } else {
    std::cout << replace_invalid_utf8(word)
              << (id ? " is in the vocabulary, with the id " + std::to_string(*id) : " is not in the vocabulary") << '\n';
  }
}

}  // namespace

int tokenize(int argc, char** argv) {
  Command command("tokenize", "Cuts texts into a model's tokens.");
  std::string word;
  EncodeOptions options;
  command.add_bert_option();
  command.add_inputs("Texts to cut", Command::Needed::no);
  auto* const lookup = command.add_text("--lookup", word, "Say whether the vocabulary has this word")->type_name("WORD");
  command.add_flag_callback("--no-special", [&] { options.add_special_tokens = false; }, "Leave out special tokens such as [CLS]");

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*lookup != 1) throw CLI::ValidationError("expected one of: texts, --file, --jsonl, --lookup");
    auto const tokenizer = Tokenizer::from_directory(command.model());
    if (*lookup) return print_lookup(tokenizer, word, command);
    bool const is_json = command.json() || command.json_lines();
    if (is_json && !command.json_lines()) std::cout << '[';
    command.for_each_block([&](std::vector<std::string> const& texts) {
      auto const encodings = tokenizer.encode_batch(texts, options, context.executor());
      for (std::size_t i = 0; i < encodings.size(); ++i) {
        if (command.json_lines()) {
          print_json(tokenizer, encodings[i]);
          std::cout << '\n';
        } else {
          if (i > 0) std::cout << (is_json ? "," : "\n");
          is_json ? print_json(tokenizer, encodings[i]) : print(tokenizer, encodings[i]);
        }
      }
    });
    if (is_json && !command.json_lines()) std::cout << "]\n";
  });
}
