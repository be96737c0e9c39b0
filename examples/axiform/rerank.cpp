// Which of these passages answers a question best? A cross-encoder reads the question with each of them. With --jsonl it scores a stream of pairs.
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/reranker.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int rerank(int argc, char** argv) {
  Command command("rerank", "Orders passages by how well they answer a question.");
  std::string query;
  RerankOptions options;
  std::size_t top_k = 0;
  command.add_model_option("a cross-encoder with one label");
  command.add_weights_option();
  command.add_inputs("Passages", Command::Needed::yes, {{"query", "text"}, {"query", "passage"}, {"text", "text_pair"}});
  auto* const given_query = command.add_text("--query", query, "The question; with --jsonl each line has its own");
  auto* const given_top_k = command.add_number("--top-k", top_k, "How many of the best; all unless given");
  command.add_number("--batch", options.batch_size, "Passages that run together; results do not depend on it");

  return command.run(argc, argv, [&](Context& context) {
    if (command.json_lines() == bool(*given_query))
      throw CLI::ValidationError("--query", "expected it with passages, and not with --jsonl");
    if (*given_top_k) options.top_k = top_k;
    options.stop = command.stop();
    options.progress = command.progress();
    auto const reranker =
        Reranker<AnyEncoderWith<ModelHead::sequence_classification>>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    command.for_each_input_block([&](std::vector<InputText> const& inputs) {
      if (command.json_lines()) {  // pairs, each with its own question
        for (InputText const& input : inputs)
          results.add({{"score", reranker.scores(input.text, std::vector{*input.pair}, options, context).front()}});
        return;
      }
      std::vector<std::string> passages;
      for (InputText const& input : inputs) passages.push_back(input.text);
      for (SearchHit const& hit : reranker.rank(query, passages, options, context)) {
        if (results.wanted())
          results.add({{"line", inputs[hit.index].line}, {"score", hit.score}, {"text", passages[hit.index]}});
        else
          std::cout << std::fixed << std::setprecision(3) << std::setw(8) << hit.score << std::setw(7) << inputs[hit.index].line << "  "
                    << label(passages[hit.index]) << '\n';
      }
    });
    results.finish();
  });
}
