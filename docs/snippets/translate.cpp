#include <iostream>

#include <axiform/tasks/translation.hpp>

using namespace axiform;

int main(int, char** arguments) {
  auto context = Context::with_threads(2);
  auto const translator = Translation<>::from_directory(arguments[1], context);
  auto options = translator.options();  // what the checkpoint asks for, by 4 beams where it does not say
  options.num_return_sequences = 2;
  for (WrittenText const& written : translator.translate("the fourth of July 1776", {.generation = options}, context))
    std::cout << written.sequence.beam_score << "  " << written.text << "\n";

  options.decoding = Decoding::greedy;  // beams have nothing to tell before they end
  options.num_beams = options.num_return_sequences = 1;
  translator.stream(
      "1994-03-23", {.generation = options}, [](TextPiece piece) { std::cout << piece.text << std::flush; }, context);
}

// Needs: models/transformer-dates
// Prints:
// -0.0200273  1776-07-04
// -0.820028  1776-07-0 thousand4
// the twenty-third of March, nineteen ninety-four
