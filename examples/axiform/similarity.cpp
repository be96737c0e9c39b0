// How close are the meanings of two texts, and which of many are closest? The cosine of their vectors says it; with --jsonl of a pair a line.
#include <algorithm>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int similarity(int argc, char** argv) {
  Command command("similarity", "Says how close in meaning two texts are, or which pairs of many are closest.");
  MiningOptions options{.max_pairs = 100};
  command.add_bert_option();
  command.add_weights_option();
  command.add_inputs("Texts, two or more", Command::Needed::yes, text_pair_keys);
  command.add_number("--top-k", options.max_pairs, "How many pairs, the closest; 100 unless given");

  return command.run(argc, argv, [&](Context& context) {
    EmbedOptions const embed_options{.stop = command.stop(), .progress = command.json_lines() ? ProgressCallback() : command.progress()};
    options.stop = command.stop();
    auto const model = SentenceEmbedding<AnyEncoder>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    command.for_each_input_block([&](std::vector<InputText> const& inputs) {
      std::vector<std::string> texts;
      for (InputText const& input : inputs) {
        texts.push_back(input.text);
        if (input.pair) texts.push_back(*input.pair);
      }
      if (texts.size() < 2)
        throw ArgumentError("similarity: found " + std::string(texts.empty() ? "no" : "one") + " text, expected two or more");
      auto const embeddings = model.embed(texts, embed_options, context);
      if (command.json_lines()) {
        for (std::size_t i = 0; i < texts.size(); i += 2) {
          auto const row = [&](std::size_t index) {
            return View<axes::Queries, axes::Hidden>(embeddings.row(index).data(),
                                                     Shape<axes::Queries, axes::Hidden>(std::size_t{1}, embeddings.columns()));
          };
          results.add({{"score", cos_sim(row(i), row(i + 1))(0, 0)}});
        }
        return;
      }
      options.top_k = texts.size();  // all partners of a text are considered
      for (ParaphrasePair const& pair : paraphrase_mining(embeddings, options, context)) {
        if (results.wanted())
          results.add({{"first", inputs[pair.first].line}, {"second", inputs[pair.second].line}, {"score", pair.score}});
        else if (texts.size() == 2)
          std::cout << std::fixed << std::setprecision(4) << pair.score << '\n';
        else
          std::cout << std::fixed << std::setprecision(3) << std::setw(8) << pair.score << std::setw(7) << inputs[pair.first].line
                    << std::setw(7) << inputs[pair.second].line << "  " << label(texts[pair.first], 60) << "  |  "
                    << label(texts[pair.second], 60) << '\n';
      }
    });
    results.finish();
  });
}
