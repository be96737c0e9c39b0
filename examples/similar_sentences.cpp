// Which sentences mean the same? Each becomes a vector; the cosine of two vectors says how close their meanings are. The pairs that are
// closest are found in a whole list at once, and a question finds its answer.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto context = Context::with_threads(2);
  auto const model = SentenceEmbedding<>::from_directory(argc > 1 ? argv[1] : "models/minilm-l6", context);

  std::vector<std::string> const sentences{"A man is eating food.", "A man eats a meal.", "Someone plays the violin.", "A woman makes music.",
                                           "The stock market fell today."};
  auto const embeddings = model.embed(sentences, context);

  std::cout << std::fixed << std::setprecision(3) << "The closest pairs:\n";
  for (auto const& [first, second, score] : paraphrase_mining(embeddings, {.max_pairs = 2}, context))
    std::cout << "  " << score << "  " << sentences[first] << " | " << sentences[second] << '\n';

  char const* const question = "What happened to shares?";
  std::cout << question << '\n';
  for (SearchHit const& hit : semantic_search(model.embed(question, context), embeddings, {.top_k = 2}, context))
    std::cout << "  " << hit.score << "  " << sentences[hit.index] << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
