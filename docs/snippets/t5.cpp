#include <iostream>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/t5.hpp>
#include <axiform/text/tokenizer_files.hpp>

int main(int, char** arguments) {
  auto context = axiform::Context::with_threads(2);
  auto const tokenizer = axiform::Tokenizer::from_directory(arguments[1]);
  auto const t5 = axiform::load<axiform::T5<>>(arguments[1], context);  // T5, T5 1.1, FLAN-T5, mT5 or UMT5
  auto const source = tokenizer.encode("is the man in the food?").ids;
  axiform::GenerateOptions const options{
      .max_new_tokens = 4, .decoding = axiform::Decoding::greedy, .decoder_start = 0, .end_of_text = {1}};
  auto const texts = axiform::generate(t5, source, options, context);
  for (auto const id : texts[0]) std::cout << id << " ";
  std::cout << "\n";

  auto const encoder = axiform::load<axiform::T5Encoder<>>(arguments[1], context);  // the decoder is not read
  auto const states = encoder(source, context);
  std::cout << states.rows() << " x " << states.columns() << "\n";
}

// Needs: tests/fixtures/models/t5-tiny
// Prints:
// 0 30 30 30 30
// 8 x 16
