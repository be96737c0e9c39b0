// How does a model cut a text into tokens? Prints each token with its id and where it lies in the text: the same that Hugging Face's
// tokenizers give. With --jsonl it is a filter: a JSON string a line in, a JSON object a line out, as fast as they come.
#include <iomanip>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <axiform/text/tokenizer_files.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

// Fills an encoding up, to be shown as the others are.
void pad(Tokenizer const& tokenizer, Encoding& encoding, PaddedBatch<TokenId> const& batch, std::size_t row) {
  auto const first = batch.ids.begin() + static_cast<std::ptrdiff_t>(row * batch.length);
  std::size_t const size = encoding.size();
  bool const is_left = tokenizer.configured_padding().side == PaddingSide::left;
  encoding.ids.assign(first, first + static_cast<std::ptrdiff_t>(batch.length));
  auto const fill = [&](auto& values, auto value) { values.insert(is_left ? values.begin() : values.end(), batch.length - size, value); };
  fill(encoding.offsets, Offset{});
  fill(encoding.byte_offsets, Offset{});
  fill(encoding.special_tokens_mask, std::uint8_t{1});
  for (Encoding::Spelling& spelling : encoding.spellings) spelling.index += is_left ? batch.length - size : 0;
}

// By hand, since most of the time would go into a tree of thousands of small arrays.
void print_json(Tokenizer const& tokenizer, Encoding const& encoding, std::vector<Offset> const& offsets, std::span<TokenId const> mask) {
  std::cout << "{\"ids\":" << dump_json(encoding.ids) << ",\"tokens\":" << dump_json(tokenizer.tokens(encoding)) << ",\"offsets\":[";
  for (std::size_t i = 0; i < offsets.size(); ++i) std::cout << (i ? ",[" : "[") << offsets[i].begin << ',' << offsets[i].end << ']';
  std::cout << ']';
  if (!mask.empty()) std::cout << ",\"attention_mask\":" << dump_json(std::vector<TokenId>(mask.begin(), mask.end()));
  std::cout << '}';
}

void print(Tokenizer const& tokenizer, Encoding const& encoding, std::vector<Offset> const& offsets, std::string const& unit) {
  auto const tokens = tokenizer.tokens(encoding);
  std::cout << "     id" << std::setw(13) << unit << "   token\n";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::cout << std::setw(7) << encoding.ids[i];
    if (encoding.special_tokens_mask[i]) {
      std::cout << std::string(16, ' ');
    } else {
      std::cout << std::setw(7) << offsets[i].begin << " - " << std::left << std::setw(6) << offsets[i].end << std::right;
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
  std::string word, unit = "characters";
  std::size_t max_length = 0, pad_to = 0;
  EncodeOptions options;
  command.add_bert_option();
  command.add_inputs("Texts to cut", Command::Needed::no);
  auto* const lookup = command.add_text("--lookup", word, "Say whether the vocabulary has this word")->type_name("WORD");
  command.add_flag_callback("--no-special", [&] { options.add_special_tokens = false; }, "Leave out special tokens such as [CLS]");
  command
      .add_option("--offsets", unit, "What offsets count: characters, bytes, or utf16 as JavaScript and Java do; characters unless given")
      ->check(CLI::IsMember({"characters", "bytes", "utf16"}));
  auto* const cuts = command.add_number("--max-length", max_length, "Cut texts to N tokens");
  command.add_number("--pad-to", pad_to, "Fill texts up to N tokens");

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*lookup != 1) throw CLI::ValidationError("expected one of: texts, --file, --jsonl, --lookup");
    auto const tokenizer = Tokenizer::from_directory(command.model());
    if (*lookup) return print_lookup(tokenizer, word, command);
    bool const is_json = command.json() || command.json_lines();
    if (*cuts) options.max_length = max_length;
    if (unit == "utf16") options.offset_unit = OffsetUnit::utf16;
    if (is_json && !command.json_lines()) std::cout << '[';
    command.for_each_block([&](std::vector<std::string> const& texts) {
      auto encodings = tokenizer.encode_batch(texts, options, context.executor());
      PaddedBatch<TokenId> padded;
      if (pad_to != 0) padded = tokenizer.pad<TokenId>(encodings, {.length = pad_to});
      for (std::size_t i = 0; i < encodings.size(); ++i) {
        if (pad_to != 0) pad(tokenizer, encodings[i], padded, i);
        auto const& offsets = unit == "bytes" ? encodings[i].byte_offsets : encodings[i].offsets;
        std::span<TokenId const> const mask(padded.attention_mask.data() + i * padded.length, padded.length);
        if (command.json_lines()) {
          print_json(tokenizer, encodings[i], offsets, mask);
          std::cout << '\n';
        } else {
          if (i > 0) std::cout << (is_json ? "," : "\n");
          is_json ? print_json(tokenizer, encodings[i], offsets, mask) : print(tokenizer, encodings[i], offsets, unit);
        }
      }
    });
    if (is_json && !command.json_lines()) std::cout << "]\n";
  });
}
