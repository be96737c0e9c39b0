#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/search/fusion.hpp>
#include <axiform/search/update_index.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

using namespace axiform;

int main() {
  auto const folder = std::filesystem::temp_directory_path() / "axiform-search-index", notes = folder / "notes",
             saved = folder / "notes.index";
  std::filesystem::create_directories(notes);
  std::ofstream(notes / "music.txt") << "Someone plays the violin in the park.\n\nThe concert begins at eight.\n";
  std::ofstream(notes / "tower.txt") << "The tower stands in Paris.\n\nIt rises 330 metres above the ground.\n";

  auto context = Context::with_threads(2);
  auto const model = SentenceEmbedding<>::from_directory("models/minilm-l6", context);
  auto const identity = identify_model("models/minilm-l6");

  // What has changed since the index was saved is embedded; the rest is taken from it.
  auto const old = std::filesystem::exists(saved) ? PassageIndex::open(saved) : PassageIndex();
  auto const corpus = read_corpus(notes, old, {}, context.executor());
  if (!corpus.is_as_indexed()) update_index(old, corpus, passage_model(model, identity, context), {}, context.executor()).index.save(saved);

  auto const index = PassageIndex::open(saved);
  index.check_model(identity);  // an IndexError when another model made it
  std::string const question = "How high is the tower?";
  auto const asked = model.embed(question, {.role = TextRole::query}, context);
  std::vector const rankings{semantic_search(asked, index.embeddings(), {.top_k = 50}, context),
                             index.words().search(question, {.top_k = 50})};
  for (SearchHit const& hit : reciprocal_rank_fusion(rankings, {.top_k = 1})) {
    IndexedPassage const passage = index.passage(hit.index);
    std::cout << passage.file << ":" << passage.line << "\n" << passage.text << "\n";
  }
  std::filesystem::remove_all(folder);
}

// Needs: models/minilm-l6
// Prints:
// tower.txt:1
// The tower stands in Paris.
//
// It rises 330 metres above the ground.
