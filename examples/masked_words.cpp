// Which word stands for the mask? BERT was trained to say it, and how probable each is.
#include <iomanip>
#include <iostream>

#include <axiform/tasks/fill_mask.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: masked_words BERT_DIRECTORY");
  auto context = Context::with_threads(2);
  auto const model = FillMask<>::from_directory(argv[1], context);

  auto const filled = model.fill("Istanbul is a great " + model.mask() + ".", {.top_k = 5}, context);
  std::cout << std::fixed << std::setprecision(3);
  for (FilledMask const& guess : filled.masks.front())
    std::cout << guess.score << "  " << std::setw(12) << std::left << guess.token_str << guess.sequence << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
