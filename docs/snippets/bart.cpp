#include <iostream>

#include <axiform/models/bart_heads.hpp>
#include <axiform/tasks/text_classification.hpp>

int main(int, char** arguments) {
  auto context = axiform::Context::with_threads(2);
  using Nli = axiform::TextClassification<axiform::BartForSequenceClassification<>>;  // bart-large-mnli
  auto const nli = Nli::from_directory(arguments[1], context);
  axiform::TextPair const premise_and_hypothesis{"The man is eating food.", "This example is fun."};
  for (auto const& [label, score] : nli.classify(premise_and_hypothesis, {.top_k = 2}, context))
    std::cout << label << " " << static_cast<int>(100 * score) << " %\n";

  auto const& bart = nli.model().bart;
  std::cout << bart.encoder.stack.layers.size() << " and " << bart.decoder.stack.layers.size() << " layers\n";
}

// Needs: tests/fixtures/models/bart-classifier
// Prints:
// entailment 57 %
// neutral 24 %
// 1 and 2 layers
