#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/quantized_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/tasks/truncate_embeddings.hpp>

int main() {
  using namespace axiform;
  auto context = Context::with_threads(2);
  auto const model = SentenceEmbedding<>::from_directory("models/minilm-l6", context);
  std::vector<std::string> const passages{"The tower is 330 metres tall.", "Bread is baked in an oven.", "Shares fell on Monday.",
                                          "It rains a lot in Bergen."};
  auto const corpus = model.embed(passages, {.role = TextRole::passage}, context);
  auto const query = model.embed("How high is the tower?", {.role = TextRole::query}, context);

  // All rows, in floats: nothing is missed.
  for (SearchHit const& hit : semantic_search(query, corpus, {.top_k = 1}, context)) std::cout << passages[hit.index] << "\n";

  // The same in a byte a number, and in a bit; candidates are scored again from the floats.
  auto const bytes = quantize_int8(corpus, context);
  auto const bits = quantize_binary(corpus, context);
  QuantizedSearchOptions const options{.top_k = 1, .rescore_multiplier = 2};
  std::cout << passages[quantized_search(query, bytes, corpus, options, context).front().index] << "\n"
            << passages[quantized_search(query, bits, corpus, options, context).front().index] << "\n";

  // Fewer numbers of each, for models that are trained for it.
  auto const coarse = truncate_embeddings(corpus, 128, Normalization::unit_length);
  std::cout << coarse.columns() << " numbers instead of " << corpus.columns() << "\n";
}

// Needs: models/minilm-l6
// Prints:
// The tower is 330 metres tall.
// The tower is 330 metres tall.
// The tower is 330 metres tall.
// 128 numbers instead of 384
