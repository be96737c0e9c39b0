// Which label does a text have, or a pair of texts, or each word of a text? The checkpoint's head says which is asked.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/text_classification.hpp>
#include <axiform/tasks/token_classification.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

// Texts and pairs of texts, as they come.
std::vector<std::vector<LabelScore>> classify_all(TextClassification<AnyModelWith<ModelHead::sequence_classification>> const& model, std::vector<InputText> const& inputs,
                                                  TextClassificationOptions const& options, Context& context) {
  std::vector<std::vector<LabelScore>> result;
  for (auto begin = inputs.begin(), end = begin; begin != inputs.end(); begin = end) {
    end = std::find_if(begin, inputs.end(), [&](InputText const& input) { return input.pair.has_value() != begin->pair.has_value(); });
    std::vector<std::string> texts;
    std::vector<TextPair> pairs;
    for (auto input = begin; input != end; ++input)
      input->pair ? pairs.push_back({input->text, *input->pair}) : texts.push_back(input->text);
    std::ranges::move(pairs.empty() ? model.classify(texts, options, context) : model.classify(pairs, options, context),
                      std::back_inserter(result));
  }
  return result;
}

void classify_texts(Command& command, std::vector<std::string> const& seconds, std::optional<std::size_t> top_k, Context& context) {
  TextClassificationOptions const options{.top_k = top_k, .stop = command.stop(), .progress = command.progress()};
  auto const model = TextClassification<AnyModelWith<ModelHead::sequence_classification>>::from_directory(command.model(), command.loading(), context);
  JsonResults results(command);
  command.for_each_input_block([&](std::vector<InputText> inputs) {
    for (std::size_t i = 0; i < seconds.size(); ++i) inputs[i].pair = seconds[i];
    auto const all = classify_all(model, inputs, options, context);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (results.wanted()) {
        Json list = Json::array();
        for (auto const& [name, score] : all[i]) list.push_back({{"label", name}, {"score", score}});
        results.add(list);
        continue;
      }
      for (auto const& [name, score] : all[i])
        std::cout << std::fixed << std::setprecision(3) << std::setw(8) << score << "  " << name << "  ";
      std::cout << label(inputs[i].text) << (inputs[i].pair ? " | " + label(*inputs[i].pair) : "") << '\n';
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
  auto const model = TokenClassification<AnyModelWith<ModelHead::token_classification>>::from_directory(command.model(), command.loading(), context);
  JsonResults results(command);
  command.for_each_input_block([&](std::vector<InputText> const& inputs) {
    std::vector<std::string> texts;
    for (InputText const& input : inputs) {
      if (input.pair) throw ArgumentError("found a pair of texts, expected one text: the model labels tokens");
      texts.push_back(input.text);
    }
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
  Command command("classify", "Labels texts, pairs of texts, or the tokens of texts, as the checkpoint's head has it.");
  std::vector<std::string> seconds;
  std::optional<std::size_t> top_k = 1, stride;
  Aggregation aggregation = Aggregation::simple;
  std::map<std::string, Aggregation> const aggregations{{"none", Aggregation::none},
                                                        {"simple", Aggregation::simple},
                                                        {"first", Aggregation::first},
                                                        {"average", Aggregation::average},
                                                        {"max", Aggregation::maximum}};
  command.add_model_option("a classifier of texts or of tokens");
  command.add_weights_option();
  TextKeys keys = text_pair_keys;
  keys.insert(keys.end(), single_text_keys.begin(), single_text_keys.end());
  command.add_inputs("Texts to label", Command::Needed::yes, keys);
  command.add_texts("--pair", seconds, "A second text, read behind the text; given once for each text")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_number("--top-k", top_k, "Labels of each text; 0 for all");
  command.add_option("--aggregation", aggregation, "What becomes of the labels of tokens")
      ->transform(CLI::CheckedTransformer(aggregations))->type_name("none|simple|first|average|max");
  command.add_number("--stride", stride, "Long texts are labelled in windows that overlap by so many tokens");

  return command.run(argc, argv, [&](Context& context) {
    if (!seconds.empty() && seconds.size() != command.texts().size())
      throw CLI::ValidationError("--pair", "found " + std::to_string(seconds.size()) + ", expected one for each of " +
                                               std::to_string(command.texts().size()) + " texts");
    ModelDirectory const directory = command.model();
    if (model_head(directory.json("config.json"), (directory / "config.json").string()) == ModelHead::token_classification) {
      if (!seconds.empty()) throw ArgumentError("--pair: found a second text, expected none: the model labels tokens");
      classify_tokens(command, aggregation, stride, context);
    } else {
      classify_texts(command, seconds, top_k == 0 ? std::nullopt : top_k, context);
    }
  });
}
