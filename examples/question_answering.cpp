// Cells 57 to 60 of the notebook: the answer to a question, found in a text (there a page of search results). The score is the product of
// the probabilities of its first and its last token; start and end count characters.
#include <iostream>

#include <axiform/tasks/question_answering.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: question_answering ROBERTA_SQUAD_DIRECTORY");
  auto context = Context::with_threads(2);
  auto const model = QuestionAnswering<>::from_directory(argv[1], context);

  char const* const page =
      "The Tiffin Girls' School is a girls' selective school in Kingston upon Thames, Southwest London, England; it moved from voluntary "
      "aided status to become an academy in 2011.";
  for (Answer const& found : model.answer("is tiffin girls a selective school?", page, {.top_k = 3}, context))
    std::cout << found.score << "  " << found.start << " to " << found.end << "  " << found.answer << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
