// Does one sentence follow another? The other task that BERT was pre-trained with.
#include <iostream>

#include <axiform/tasks/next_sentence.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: sentence_pairs BERT_DIRECTORY");
  auto context = Context::with_threads(2);
  auto const model = NextSentence<>::from_directory(argv[1], context);

  char const* const first = "He went to the store.";
  for (char const* const second : {"He bought a gallon of milk.", "Penguins are flightless birds."})
    std::cout << model.probability(first, second, context) << "  " << first << " " << second << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
