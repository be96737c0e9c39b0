// The two sides of a translation: what the encoder reads, and what the decoder writes.
#include <filesystem>
#include <fstream>
#include <iostream>

#include <axiform/text/sequence_to_sequence_tokenizers.hpp>

/// A directory as mBART's are, with a vocabulary of a few hundred pieces.
std::filesystem::path small_mbart() {
  auto const folder = std::filesystem::temp_directory_path() / "axiform-small-mbart";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file("tests/fixtures/text/sentencepiece/xlm_roberta.model", folder / "sentencepiece.bpe.model",
                             std::filesystem::copy_options::overwrite_existing);
  std::ofstream(folder / "tokenizer_config.json") << R"({"tokenizer_class": "MBart50Tokenizer"})";
  return folder;
}

void print(axiform::Tokenizer const& tokenizer, axiform::Encoding const& encoding) {
  for (std::string const& token : tokenizer.tokens(encoding)) std::cout << token << ' ';
  std::cout << '\n';
}

int main() {
  auto const directory = small_mbart();

  auto const tokenizers = axiform::SequenceToSequenceTokenizers::from_directory(directory, {.source = "en_XX", .target = "fr_XX"});
  print(tokenizers.source(), tokenizers.source().encode("the notice"));
  print(tokenizers.target(), tokenizers.target().encode("la notice"));
  auto const first = tokenizers.target_language();  // What the decoder writes first.
  std::cout << tokenizers.target().id_to_token(*first) << " of " << tokenizers.languages().size() << " languages\n";

  auto const others = tokenizers.between({.target = "de_DE"});  // Costs nothing: the vocabulary is shared.
  print(others.target(), others.target().encode("a notice"));
}

// Prints:
// en_XX ▁the ▁notice </s>
// fr_XX ▁ l a ▁notice </s>
// fr_XX of 52 languages
// de_DE ▁a ▁notice </s>
