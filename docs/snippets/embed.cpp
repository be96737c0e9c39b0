#include <iostream>

#include <axiform/tasks/sentence_embedding.hpp>

int main() {
  auto context = axiform::Context::with_threads(2);
  auto const bert = axiform::SentenceEmbedding<>::from_directory("models/minilm-l6", context);
  auto const embeddings = bert.embed({"A man is eating food.", "A man eats a meal.", "The stock market fell today."}, context);
  auto const similarity = axiform::cos_sim(embeddings, embeddings);
  std::cout << similarity(0, 1) << " " << similarity(0, 2) << "\n";
}

// Needs: models/minilm-l6
// Prints:
// 0.908231 -0.017021
