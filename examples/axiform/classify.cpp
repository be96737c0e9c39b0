// Which label does a text have, or each of its words? The checkpoint's head says which of the two is asked.
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <axiform/io/config.hpp>
#include <axiform/tasks/text_classification.hpp>
#include <axiform/tasks/token_classification.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

void classify_texts(Command& command, std::optional<std::size_t> top_k, Context& context) {
  TextClassificationOptions const options{.top_k = top_k, .stop = command.stop(), .progress = command.progress()};
  auto const model = TextClassification<>::from_directory(command.model(), context);
  JsonResults results(command);
  command.for_each_block([&](std::vector<std::string> const& texts) {
    auto const all = model.classify(texts, options, context);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (results.wanted()) {
        Json list = Json::array();
        for (auto const& [name, score] : all[i]) list.push_back({{"label", name}, {"score", score}});
        results.add(list);
        continue;
      }
      for (auto const& [name, score] : all[i]) std::cout << std::fixed << std::setprecision(3) << std::setw(8) << score << "  " << name << "  ";
      std::cout << label(texts[i]) << '\n';
    }
  });
  results.finish();
}

void classify_tokens(Command& command, Aggregation aggregation, std::optional<std::size_t> stride, Context& context) {
  TokenClassificationOptions options;
  options.aggregation = aggregation;
  options.stride = stride;
  options.stop = command.stop();
  options.progress = command.progress();
  auto const model = TokenClassification<>::from_directory(command.model(), context);
  JsonResults results(command);
  command.for_each_block([&](std::vector<std::string> const& texts) {
    auto const all = model.label(texts, options, context);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (results.wanted()) {
        Json list = Json::array();
        for (LabelledToken const& each : all[i])
          list.push_back({{"label", each.label}, {"score", each.score}, {"word", each.word}, {"start", each.start}, {"end", each.end}});
        results.add(list);
        continue;
      }
      if (all.size() > 1) std::cout << (i ? "\n" : "") << label(texts[i]) << '\n';
      for (LabelledToken const& each : all[i])
        std::cout << std::fixed << std::setprecision(3) << std::setw(8) << each.score << "  " << std::left << std::setw(8) << each.label
                  << std::right << std::setw(6) << each.start << " - " << std::left << std::setw(6) << each.end << std::right << label(each.word) << '\n';
    }
  });
  results.finish();
}

}  // namespace

int classify(int argc, char** argv) {
  Command command("classify", "Labels texts, or their tokens, as the checkpoint's head has it.");
  std::optional<std::size_t> top_k = 1, stride;
  Aggregation aggregation = Aggregation::simple;
  std::map<std::string, Aggregation> const aggregations{{"none", Aggregation::none},
                                                        {"simple", Aggregation::simple},
                                                        {"first", Aggregation::first},
                                                        {"average", Aggregation::average},
                                                        {"max", Aggregation::maximum}};
  command.add_model_option("a classifier of texts or of tokens");
  command.add_inputs("Texts to label");
  command.add_number("--top-k", top_k, "Labels of each text; 0 for all");
  command.add_option("--aggregation", aggregation, "What becomes of the labels of tokens")
      ->transform(CLI::CheckedTransformer(aggregations))->type_name("none|simple|first|average|max");
  command.add_number("--stride", stride, "Long texts are labelled in windows that overlap by so many tokens");

  return command.run(argc, argv, [&](Context& context) {
    auto const file = command.model() / "config.json";
    if (model_head(read_json(file), file.string()) == ModelHead::token_classification) {
      classify_tokens(command, aggregation, stride, context);
    } else {
      classify_texts(command, top_k == 0 ? std::nullopt : top_k, context);
    }
  });
}
