#include <iostream>

#include <axiform/tasks/zero_shot_classification.hpp>

using namespace axiform;

int main(int, char** arguments) {
  auto context = Context::with_threads(2);
  auto const model = ZeroShotClassification<>::from_directory(arguments[1], context);
  for (auto const& [label, score] : model.classify("The man is eating.", {"food", "paris", "fun"}, context))
    std::cout << label << "  " << score << "\n";
  for (auto const& [label, score] : model.classify("The man is eating.", {"food", "fun"},
                                                   {.hypothesis_template = "It is {}.", .labels = CandidateLabels::independent}, context))
    std::cout << label << "  " << score << "\n";
}

// Needs: tests/fixtures/models/bert-nli
// Prints:
// food  0.357777
// paris  0.330543
// fun  0.31168
// food  0.248304
// fun  0.17558
