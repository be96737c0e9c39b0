// A tokenizer as a library of its own: one include, no tensor, nothing to link but threads.
#include <iostream>
#include <string>
#include <vector>

#include <axiform/core/thread_pool.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer.hpp>

int main() {
  auto const tokenizer = axiform::Tokenizer::from_directory("models/minilm-l6");  // or from_tokenizer_json("…/tokenizer.json")

  auto const encoding = tokenizer.encode("A man is eating food 🍜.");
  for (axiform::TokenId const id : encoding.ids) std::cout << id << ' ';
  for (std::string const& token : tokenizer.tokens(encoding)) std::cout << token << ' ';
  std::cout << '\n' << tokenizer.decode(encoding.ids, {.skip_special_tokens = true}) << "\n\n";

  // Rows of one length, as other runtimes take them: input_ids, token_type_ids and attention_mask of [rows, length].
  std::vector<std::string> const texts = {"A man eats.", "The stock market fell today.", "Hi!"};
  axiform::ThreadPool threads(2);
  auto const encodings = tokenizer.encode_batch(texts, {.max_length = 8}, threads);
  auto const batch = tokenizer.pad(encodings, {.multiple_of = 8});
  for (std::size_t row = 0; row < batch.rows; ++row) {
    for (std::size_t i = 0; i < batch.length; ++i) std::cout << batch.ids[row * batch.length + i] << ' ';
    std::cout << '\n';
  }

  // A long text in windows that overlap.
  auto const windows = tokenizer.encode_windows("one two three four five six", {.max_length = 5, .stride = 1});
  for (auto const& window : windows) std::cout << tokenizer.decode(window.ids) << '\n';

  // Where a token lies: in characters, in bytes, or as JavaScript, Java, C# and Qt count.
  std::string const text = "🍜 food";
  auto const units = tokenizer.encode(text, {.offset_unit = axiform::OffsetUnit::utf16});
  auto const [begin, end] = units.offsets[2];
  auto const [first, last] = units.byte_offsets[2];
  std::cout << begin << " to " << end << ", in bytes " << first << " to " << last << ": " << text.substr(first, last - first) << '\n';

  // Text as tokens arrive, in whole characters.
  axiform::StreamingDecoder decoder(tokenizer, {.skip_special_tokens = true});
  for (axiform::TokenId const id : encoding.ids) std::cout << decoder.push(id);
  std::cout << decoder.finish() << '\n';
}

// Needs: models/minilm-l6
// Prints:
// 101 1037 2158 2003 5983 2833 100 1012 102 [CLS] a man is eating food [UNK] . [SEP]
// a man is eating food.
//
// 101 1037 2158 20323 1012 102 0 0
// 101 1996 4518 3006 3062 2651 1012 102
// 101 7632 999 102 0 0 0 0
// [CLS] one two three [SEP]
// [CLS] three four five [SEP]
// [CLS] five six [SEP]
// 3 to 7, in bytes 5 to 9: food
// a man is eating food.
