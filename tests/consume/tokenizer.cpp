// A program that only tokenizes, with a vocabulary of its own.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <axiform/text/tokenizer.hpp>

int main() {
  auto const vocabulary = std::filesystem::temp_directory_path() / "axiform-consumer-vocab.txt";
  std::ofstream(vocabulary) << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n";
  auto const tokenizer = axiform::Tokenizer::from_vocab_txt(vocabulary);
  std::filesystem::remove(vocabulary);
  auto const batch = tokenizer.pad(tokenizer.encode_batch({"Hello worlds", "hello"}));
  for (auto const id : batch.ids) std::printf("%d ", static_cast<int>(id));
  std::puts("");
  return batch.length == 5 && batch.ids[8] == 0 && tokenizer.decode({5, 6, 7}) == "hello worlds" ? 0 : 1;
}
