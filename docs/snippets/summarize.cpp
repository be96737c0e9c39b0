#include <iostream>

#include <axiform/tasks/summarization.hpp>

using namespace axiform;

int main(int, char** arguments) {
  auto context = Context::with_threads(2);
  auto const summarizer = Summarization<>::from_directory(arguments[1], context);
  char const* const document =
      "The man is eating. He is eating food in Paris, and it is good.\nIt is good food! He has eaten it all in a class.";
  auto const summary = summarizer.summarize(document, context);
  std::cout << summary.parts << " parts: " << summary.text << "\n";
}

// Needs: tests/fixtures/models/bart-writer
// Prints:
// 2 parts: ���%�%%�� wor��}��Y�ؼ�� ���}�����%��Y�ؔ��&��
