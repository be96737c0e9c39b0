#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/late_interaction.hpp>
#include <axiform/tasks/m3_embedding.hpp>
#include <axiform/tasks/sparse_embedding.hpp>

using namespace axiform;

std::vector<SearchHit> by_tokens(std::string const& directory, std::string const& question, std::vector<std::string> const& passages,
                                 Context& context) {
  auto const model = LateInteraction<>::from_directory(directory, context);
  auto const documents = model.embed_documents(passages, {}, context);  // once
  auto const asked = model.embed_queries({question}, {}, context);
  return multi_vector_search(asked, documents, {.top_k = 1}, context).front();
}

std::vector<SearchHit> by_words(std::string const& directory, std::string const& question, std::vector<std::string> const& passages,
                                Context& context) {
  auto const model = SparseEmbedding<>::from_directory(directory, context);
  auto const documents = model.embed(passages, {}, context), asked = model.embed({question}, {}, context);
  return sparse_search(asked, documents, {.top_k = 1}, context).front();
}

float by_all_three(std::string const& directory, std::string const& question, std::string const& passage, Context& context) {
  auto const model = M3Embedding<>::from_directory(directory, context);
  auto const asked = model.embed({question}, {}, context), found = model.embed({passage}, {}, context);
  return combine(m3_scores(asked, found, context), {.dense = 0.4f, .sparse = 0.2f, .vectors = 0.4f})(0, 0);
}

int main() {
  auto context = Context::with_threads(2);
  // Tiny models with random weights, which know nothing.
  std::vector<std::string> const passages{"the man is eating food", "she was in paris"};
  std::string const fixtures = "tests/fixtures/";
  std::cout << by_tokens(fixtures + "retrieval/colbert", "she was in paris", passages, context).size() << " "
            << by_words(fixtures + "models/bert-mlm", "she was in paris", passages, context).size() << " "
            << (by_all_three(fixtures + "retrieval/m3", "paris", "paris", context) > 0.5f) << "\n";
}

// Prints:
// 1 1 1
