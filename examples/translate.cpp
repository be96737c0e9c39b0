// How do I translate? An encoder-decoder reads each line of the input and writes another. The one that lies in the repository speaks a small language pair:
// dates and numbers in English words, and in digits, either way.
//
//     echo "the fourth of July 1776" | translate          1776-07-04
//     echo "1994-03-23" | translate                       the twenty-third of March, nineteen ninety-four
//     translate models/opus-mt-en-de < letter.txt         any other encoder-decoder
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/any.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/text/blank.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_files.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto context = Context::with_threads(std::max(1u, std::thread::hardware_concurrency()));
  ModelDirectory const directory(argc > 1 ? argv[1] : "models/transformer-dates");
  auto const tokenizer = Tokenizer::from_directory(directory);
  auto const model = load<AnySequenceToSequence>(directory, context);
  auto const options = read_generation_config(directory, {.decoding = Decoding::greedy});

  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);)
    if (!is_blank(line)) lines.push_back(std::move(line));
  std::vector<std::vector<TokenId>> sources;
  for (std::string const& line : lines) sources.push_back(tokenizer.encode(line).ids);

  // All lines in one batch, each encoded once; what comes out has the bits that it has alone.
  for (auto const& texts : generate_batch(model, sources, options, context))
    std::cout << tokenizer.decode(texts.front().ids, {.skip_special_tokens = true}) << '\n';
} catch (std::exception const& error) {
  std::cerr << "translate: " << error.what() << '\n';
  return 1;
}
