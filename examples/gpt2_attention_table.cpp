// Cell 88 of the notebook: GPT-2's attention and hidden states. Each token looks only at itself and at those before it.
//
// The notebook feeds GPT-2 the ids and token types of BERT's tokenizer, a quirk that its printed table depends on: to GPT-2 a token type k
// means row k of its token table, and so every position gets row 0 added. With a second directory, that of a BERT, this does the same.
#include <iostream>
#include <vector>

#include <axiform/inspect/attention_table.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: gpt2_attention_table GPT2_DIRECTORY [BERT_DIRECTORY]");
  auto context = Context::with_threads(2);
  auto const gpt2 = load<Gpt2<>>(argv[1], context);
  auto const tokenizer = Tokenizer::from_directory(argv[argc > 2 ? 2 : 1]);
  auto const encoding = tokenizer.encode("my friend was right about this class. It is so fun!");
  auto const sequences = SequenceOffsets<axes::Tokens>::single(encoding.ids.size());
  auto const types = argc > 2 ? encoding.type_ids : std::vector<TokenId>{};

  Capture capture;
  context.observe(&capture);
  gpt2({.ids = encoding.ids, .sequences = sequences, .token_types = types}, context);

  std::size_t const layer = std::min<std::size_t>(9, capture.layers() - 1);  // attentions[9], the tenth layer, as the notebook has it
  auto const tokens = tokenizer.tokens(encoding);
  print_attention_table(std::cout, attention_of_head(capture.attention(layer), 0), tokens, tokens);
  std::cout << capture.all_hidden_states().size() << " hidden states of " << capture.all_hidden_states().back().shape().to_string() << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
