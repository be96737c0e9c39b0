// Which words fit here? A BERT, RoBERTa or DistilBERT guesses what stands for each mask of a text.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/fill_mask.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

Json to_json(FilledText const& filled) {
  Json masks = Json::array();
  for (auto const& guesses : filled.masks) {
    Json list = Json::array();
    for (auto const& [score, token, token_str, sequence] : guesses)
      list.push_back({{"score", score}, {"token", token}, {"token_str", token_str}, {"sequence", sequence}});
    masks.push_back(std::move(list));
  }
  return masks;
}

}  // namespace

int fill_mask(int argc, char** argv) {
  Command command("fill-mask", "Guesses masked words.");
  FillMaskOptions options;
  command.add_model_option("a masked language model");
  command.add_weights_option();
  command.add_inputs("Texts with [MASK], or whatever the model's mask is");
  command.add_number("--top-k", options.top_k, "Guesses for each mask; 5 unless given");
  command.add_texts("--targets", options.targets, "Only this is guessed; may be given several times")
      ->type_name("WORD")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);

  return command.run(argc, argv, [&](Context& context) {
    options.stop = command.stop();
    options.progress = command.progress();
    auto const model = FillMask<AnyModelWith<ModelHead::masked_lm>>::from_directory(command.model(), command.loading(), context);
    JsonResults results(command);
    command.for_each_block([&](std::vector<std::string> const& texts) {
      auto const all = model.fill(texts, options, context);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (i == 0)
          for (auto const& warning : all[i].warnings) std::cerr << "axiform fill-mask: " << warning << '\n';
        if (results.wanted()) {
          results.add(to_json(all[i]));
          continue;
        }
        if (all.size() > 1) std::cout << (i ? "\n" : "") << label(texts[i]) << '\n';
        for (std::size_t m = 0; m < all[i].masks.size(); ++m) {
          if (all[i].masks.size() > 1) std::cout << "mask " << m + 1 << ":\n";
          for (auto const& guess : all[i].masks[m])
            std::cout << std::fixed << std::setprecision(3) << std::setw(8) << guess.score << "  " << std::left << std::setw(16)
                      << label(guess.token_str) << std::right << label(guess.sequence) << '\n';
        }
      }
    });
    results.finish();
  });
}
