// Cells 74 to 76 of the notebook: the attention of all layers and heads, and that of the last layer as a table, the mean over its heads.
#include <iostream>

#include <axiform/inspect/attention_table.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  std::filesystem::path const directory = argc > 1 ? argv[1] : "models/minilm-l6";
  auto context = Context::with_threads(2);
  auto const tokenizer = Tokenizer::from_directory(directory);
  auto const bert = load<Bert<>>(directory, context);
  auto const encoding = tokenizer.encode("My friend told me about this class and I love it so far. She was right.");

  Capture capture;  // keeps what the kernels compute: every layer's [heads, queries, keys], and the hidden states
  context.observe(&capture);
  bert(encoding.ids, context);

  std::cout << capture.layers() << " layers of " << capture.attention(0).shape().to_string() << '\n';
  auto const tokens = tokenizer.tokens(encoding);
  print_attention_table(std::cout, mean_over_heads(capture.attention(capture.layers() - 1)), tokens, tokens);
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
