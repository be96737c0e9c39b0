// Cells 65, 66 and 73 of the notebook: a tokenizer, its vocabulary, and a sentence as ids.
#include <iostream>

#include <axiform/text/tokenizer_files.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto const tokenizer = Tokenizer::from_directory(argc > 1 ? argv[1] : "models/minilm-l6");

  std::cout << "\"puru\" is " << (tokenizer.token_to_id("puru") ? "" : "not ") << "in the vocabulary\n";

  auto const encoding = tokenizer.encode("My friend told me about this class and I love it so far. She was right.");
  for (TokenId const id : encoding.ids) std::cout << id << ' ';
  std::cout << '\n';
  for (auto const& token : tokenizer.tokens(encoding)) std::cout << token << ' ';
  std::cout << '\n' << tokenizer.decode(encoding.ids, {.skip_special_tokens = true}) << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
