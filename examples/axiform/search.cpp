// Which lines of a file answer a question best? Every line and every question becomes a vector; the closest lines are the answer. With
// --rerank, a cross-encoder then reads question and line together and orders the best once more.
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/reranker.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int search(int argc, char** argv) {
  Command command("search", "Finds the lines of a file that are closest to a question.");
  std::string corpus_file, reranker_directory;
  SearchOptions options{.top_k = 5};
  command.add_bert_option();
  command.add_weights_option();
  command.add_inputs("Questions", Command::Needed::yes, {{"query"}, {"question"}, {"text"}});
  command.add_text("--corpus", corpus_file, "The texts to search, one a line, but for blank lines")->type_name("FILE")->required();
  command.add_number("--top-k", options.top_k, "How many lines for each question; 5 unless given");
  command.add_text("--rerank", reranker_directory, "Directory of a cross-encoder that orders them once more")->type_name("DIR");

  return command.run(argc, argv, [&](Context& context) {
    if (corpus_file == "-" && command.reads_stdin())
      throw CLI::ValidationError("--corpus", "stdin cannot be both the corpus and the questions");
    EmbedOptions embed_options{.role = TextRole::passage, .stop = command.stop(), .progress = command.progress()};
    options.stop = command.stop();
    auto const model = SentenceEmbedding<AnyEncoder>::from_directory(command.model(), command.loading(), context);
    std::optional<Reranker<AnyEncoderWith<ModelHead::sequence_classification>>> reranker;
    if (!reranker_directory.empty())
      reranker =
          Reranker<AnyEncoderWith<ModelHead::sequence_classification>>::from_directory(reranker_directory, command.loading(), context);
    auto const documents = Command::read_lines(corpus_file);
    std::vector<std::string_view> texts;
    for (InputText const& document : documents) texts.push_back(document.text);
    auto const corpus = command.work([&] { return model.embed(texts, embed_options, context); });
    embed_options.role = TextRole::query;
    embed_options.progress = {};

    JsonResults results(command);
    command.for_each_block([&](std::vector<std::string> const& questions) {
      auto const all_hits = semantic_search(model.embed(questions, embed_options, context), corpus, options, context);
      for (std::size_t q = 0; q < questions.size(); ++q) {
        auto hits = all_hits[q];
        if (reranker) {
          std::vector<std::string> passages;
          for (SearchHit const& hit : hits) passages.push_back(documents[hit.index].text);
          std::vector<SearchHit> ranked;
          for (auto const& [index, score] : reranker->rank(questions[q], passages, {}, context))
            ranked.push_back({hits[index].index, score});
          hits = std::move(ranked);
        }
        if (results.wanted()) {
          Json found = Json::array();
          for (SearchHit const& hit : hits)
            found.push_back({{"line", documents[hit.index].line}, {"score", hit.score}, {"text", documents[hit.index].text}});
          results.add({{"question", questions[q]}, {"hits", found}});
          continue;
        }
        if (questions.size() > 1) std::cout << (q ? "\n" : "") << label(questions[q]) << '\n';
        for (SearchHit const& hit : hits)
          std::cout << std::fixed << std::setprecision(3) << std::setw(8) << hit.score << std::setw(7) << documents[hit.index].line << "  "
                    << label(documents[hit.index].text) << '\n';
      }
    });
    results.finish();
  });
}
