// A model that SentencePiece has trained, by itself: text to tokens and back.
#include <iostream>

#include <axiform/text/tokenizer_files.hpp>

int main() {
  auto const tokenizer = axiform::Tokenizer::from_sentencepiece_model("tests/fixtures/text/sentencepiece/own_unigram.model");
  auto const encoding = tokenizer.encode("  Naïve  ﬁles 😀");  // Its character map and its rules for spaces are in the file.
  for (std::string const& token : tokenizer.tokens(encoding)) std::cout << token << " ";
  std::cout << "\n" << tokenizer.decode(encoding.ids) << "\n";
}

// Prints:
// ▁ N a <0xC3> <0xAF> ve ▁file s ▁ 😀
// Naïve files 😀
