// How do I translate? An encoder-decoder reads each line of the input and writes another. The one that lies in the repository speaks a small language pair:
// dates and numbers in English words, and in digits, either way.
//
//     echo "the fourth of July 1776" | translate          1776-07-04
//     echo "1994-03-23" | translate                       the twenty-third of March, nineteen ninety-four
//     translate models/opus-mt-en-de < letter.txt         any other encoder-decoder
#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <axiform/tasks/translation.hpp>
#include <axiform/text/blank.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto context = Context::with_threads(std::max(1u, std::thread::hardware_concurrency()));
  auto const translation = Translation<>::from_directory(argc > 1 ? argv[1] : "models/transformer-dates", context);
  GenerateOptions options = translation.options();
  options.decoding = Decoding::greedy;
  options.num_beams = 1;

  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);)
    if (!is_blank(line)) lines.push_back(std::move(line));

  // All lines in one batch, each encoded once; what comes out has the bits that it has alone.
  for (auto const& texts : translation.translate(lines, {.generation = options}, context)) std::cout << texts.front().text << '\n';
} catch (std::exception const& error) {
  std::cerr << "translate: " << error.what() << '\n';
  return 1;
}
