// How close are a question and its passages, by meaning, by words, and word by word? BGE-M3 gives all three from one pass, and a weighted mean of them ranks
// better than any alone.
//
//     three_scores DIR [QUESTION PASSAGE...]     DIR: a BGE-M3, the maps colbert_linear.pt and sparse_linear.pt beside its encoder
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/m3_embedding.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("three_scores: expected the directory of a BGE-M3");
  auto context = Context::with_threads(2);
  auto const model = M3Embedding<>::from_directory(argv[1], context);

  std::vector<std::string> const question{argc > 3 ? argv[2] : "Where was she eating?"};
  std::vector<std::string> const passages =
      argc > 3 ? std::vector<std::string>(argv + 3, argv + argc)
               : std::vector<std::string>{"The man is eating food.", "She was in Paris.", "She was eating in Paris."};
  auto const query = model.embed(question, {}, context), documents = model.embed(passages, {}, context);
  auto const scores = m3_scores(query, documents, context);
  auto const all = combine(scores, {.dense = 0.4f, .sparse = 0.2f, .vectors = 0.4f});

  std::cout << std::fixed << std::setprecision(3) << question[0] << "\n  dense  sparse vectors  mean\n";
  for (std::size_t i = 0; i < passages.size(); ++i)
    std::cout << "  " << scores.dense(0, i) << "  " << scores.sparse(0, i) << "  " << scores.vectors(0, i) << "  " << all(0, i) << "  "
              << passages[i] << '\n';

  std::cout << "The question's words, and how much they count:\n";
  for (auto const& [id, weight] : query.sparse[0]) std::cout << "  " << weight << "  " << model.tokenizer().id_to_token(id) << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
