// Which passage answers a question, and by which words? ColBERT compares texts token by token: each token of the question finds the closest of the passage,
// and the passage with the greatest sum is the answer.
//
//     late_interaction DIR [QUESTION PASSAGE...]     DIR: a ColBERT, in ColBERTv2's own format or PyLate's
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/late_interaction.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("late_interaction: expected the directory of a ColBERT");
  auto context = Context::with_threads(2);
  auto const model = LateInteraction<>::from_directory(argv[1], context);

  std::string const question = argc > 3 ? argv[2] : "Where was she eating?";
  std::vector<std::string> const passages =
      argc > 3 ? std::vector<std::string>(argv + 3, argv + argc)
               : std::vector<std::string>{"The man is eating food.", "She was in Paris.", "She was eating in Paris."};
  auto const documents = model.embed_documents(passages, {}, context);
  auto const asked = model.embed_queries({question}, {}, context);
  auto const hits = multi_vector_search(asked, documents, {.top_k = passages.size()}, context).front();
  std::cout << std::fixed << std::setprecision(3) << question << '\n';
  for (SearchHit const& hit : hits) std::cout << "  " << hit.score << "  " << passages[hit.index] << '\n';

  // Which of the best passage's tokens each of the question's is closest to.
  auto const& best = hits.front();
  auto const query_tokens = model.tokens().query(question), passage_tokens = model.tokens().document(passages[best.index]);
  auto const products = dot(asked.text(0), documents.text(best.index));
  auto const name = [&](MarkedTokens const& tokens, std::size_t vector) {
    return model.tokens().tokenizer().id_to_token(tokens.ids[tokens.kept[vector]]);
  };
  std::cout << "In \"" << passages[best.index] << "\":\n";
  for (std::size_t i = 0; i < query_tokens.attended; ++i) {  // not those that the question is filled up with
    auto const row = products.row(i);
    auto const closest = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    std::cout << "  " << row[closest] << "  " << name(query_tokens, i) << " -> " << name(passage_tokens, closest) << '\n';
  }
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
