// Which of these labels fits a text? A model that was trained to say whether one sentence follows from another judges labels that it has never seen.
#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/tasks/zero_shot_classification.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

// "sports, politics" as two labels.
std::vector<std::string> split_labels(std::vector<std::string> const& given) {
  constexpr std::string_view space = " \t\r\n";
  std::vector<std::string> labels;
  for (std::string_view rest : given) {
    while (!rest.empty()) {
      std::string_view label = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(label.size() + 1, rest.size()));
      label.remove_prefix(std::min(label.find_first_not_of(space), label.size()));
      label = label.substr(0, label.find_last_not_of(space) + 1);
      if (!label.empty()) labels.emplace_back(label);
    }
  }
  return labels;
}

}  // namespace

int zero_shot(int argc, char** argv) {
  Command command("zero-shot",
                  "Says which of any labels fits a text, with a classifier of natural language inference (BART, RoBERTa, BERT, …).");
  std::vector<std::string> given;
  ZeroShotOptions options;
  command.add_model_option("a classifier with labels such as entailment and contradiction");
  command.add_weights_option();
  command.add_inputs("Texts to label");
  command.add_texts("--labels", given, "The labels, with commas between them; may be given several times")
      ->expected(1)
      ->allow_extra_args(false)  // a text may follow
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->required();
  command.add_text("--template", options.hypothesis_template,
                   "What is said of a text, with {} for the label; \"" + options.hypothesis_template + "\" unless given");
  command.add_flag_callback(
      "--independent", [&] { options.labels = CandidateLabels::independent; }, "Each label fits or does not, whatever the others do");
  command.add_flag_callback(
      "--truncate", [&] { options.long_text = LongText::cut; }, "Leave out the end of a text that is too long for the model");

  return command.run(argc, argv, [&](Context& context) {
    std::vector<std::string> const labels = split_labels(given);
    options.stop = command.stop();
    options.progress = command.progress();
    auto const model = ZeroShotClassification<>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    command.for_each_block([&](std::vector<std::string> const& texts) {
      auto const all = model.classify(texts, labels, options, context);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (results.wanted()) {
          Json list = Json::array();
          for (auto const& [name, score] : all[i]) list.push_back({{"label", name}, {"score", score}});
          results.add(list);
          continue;
        }
        if (all.size() > 1) std::cout << (i ? "\n" : "") << label(texts[i]) << '\n';
        for (auto const& [name, score] : all[i])
          std::cout << std::fixed << std::setprecision(3) << std::setw(8) << score << "  " << label(name) << '\n';
      }
    });
    results.finish();
  });
}
