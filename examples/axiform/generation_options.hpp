// The options of generation, as arguments: `generate`, `chat` and `view --kind generation` have them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <axiform/tasks/text_generation.hpp>

#include "command.hpp"

class GenerationArguments {
 public:
  explicit GenerationArguments(Command& command, std::string const& profile = "notebook") : profile_(profile) {
    using namespace axiform;
    command
        .add_option("--profile", profile_,
                    "Whose defaults: the notebook's (50 tokens in all), or transformers 5's (256 new, temperature 0.7); here " + profile)
        ->check(CLI::IsMember({"notebook", "transformers-5"}));
    number(command, "--max-length", "Tokens in all, the prompt included", [](GenerateOptions& o, std::size_t n) { o.max_length = n; o.max_new_tokens.reset(); });
    number(command, "--max-new-tokens", "Tokens behind the prompt", [](GenerateOptions& o, std::size_t n) { o.max_new_tokens = n; });
    number(command, "--min-new-tokens", "No end before so many", [](GenerateOptions& o, std::size_t n) { o.min_new_tokens = n; });
    number(command, "--num-return-sequences", "How many continuations", [](GenerateOptions& o, std::size_t n) { o.num_return_sequences = n; });
    number(command, "--top-k", "Draw among the N most probable tokens; 0 for all", [](GenerateOptions& o, std::size_t n) { o.sampling.top_k = n; });
    number(command, "--no-repeat-ngram", "No N tokens appear twice", [](GenerateOptions& o, std::size_t n) { o.no_repeat_ngram_size = n; });
    number(command, "--seed", "Equal seeds give equal texts", [](GenerateOptions& o, std::size_t n) { o.seed = n; });
    number(command, "--prompt-lookup", "Propose up to N tokens from the text itself, and check them at once; 0 for none. The text is the same", [](GenerateOptions& o, std::size_t n) {
      o.prompt_lookup = n == 0 ? std::nullopt : std::optional(o.prompt_lookup.value_or(PromptLookup{}));
      if (o.prompt_lookup) o.prompt_lookup->tokens = n;
    });
    number(command, "--beams", "Beam search with N beams", [](GenerateOptions& o, std::size_t n) { o.decoding = Decoding::beam_search; o.num_beams = n; });
    real(command, "--temperature", "Below 1 more predictable, above 1 more surprising", [](GenerateOptions& o, double x) { o.sampling.temperature = x; });
    real(command, "--top-p", "Draw among the fewest tokens whose probabilities reach X", [](GenerateOptions& o, double x) { o.sampling.top_p = x; });
    real(command, "--min-p", "Draw among tokens at least X times as probable as the first", [](GenerateOptions& o, double x) { o.sampling.min_p = x; });
    real(command, "--typical-p", "Draw among the most typical tokens whose probabilities reach X", [](GenerateOptions& o, double x) { o.sampling.typical_p = x; });
    real(command, "--repetition-penalty", "Above 1, tokens that are there become less probable", [](GenerateOptions& o, double x) { o.repetition_penalty = x; });
    real(command, "--length-penalty", "Of beams: above 0 long texts are preferred", [](GenerateOptions& o, double x) { o.length_penalty = x; });
    command.add_flag_callback(
        "--greedy", [this] { changes_.push_back([](GenerateOptions& o) { o.decoding = Decoding::greedy; }); },
        "Take the most probable token instead of drawing");
    command.add_texts("--stop", stop_strings_, "End behind this text; may be given several times")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_texts("--bad-word", bad_words_, "Never generate this word; may be given several times")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  // What was asked for, on top of the profile and the checkpoint's own settings.
  axiform::GenerateOptions options(axiform::TextGeneration<> const& generator, Command& command) const {
    using namespace axiform;
    auto options = generator.options(profile_ == "notebook" ? GenerationProfile::notebook : GenerationProfile::transformers_5);
    if (options.max_new_tokens) {
      options.max_new_tokens = std::min(*options.max_new_tokens, generator.positions());
    } else {
      options.max_length = std::min(options.max_length, generator.positions());
    }
    apply(options, command);
    if (!bad_words_.empty()) options.bad_words = generator.bad_words(bad_words_);
    return options;
  }
  // What was asked for, on top of other options; but for words that must not come.
  void apply(axiform::GenerateOptions& options, Command& command) const {
    for (auto const& change : changes_) change(options);
    for (std::string const& text : stop_strings_) options.stop_strings.push_back(text);
    options.stop = command.stop();
  }

 private:
  using Change = std::function<void(axiform::GenerateOptions&)>;

  template <class Set>
  void number(Command& command, std::string const& name, std::string const& description, Set set) {
    auto const value = std::make_shared<std::size_t>();
    add(command.add_number(name, *value, description), [value, set](axiform::GenerateOptions& options) { set(options, *value); });
  }
  template <class Set>
  void real(Command& command, std::string const& name, std::string const& description, Set set) {
    auto const value = std::make_shared<double>();
    add(command.add_option(name, *value, description)->type_name("X"),
        [value, set](axiform::GenerateOptions& options) { set(options, *value); });
  }
  void add(CLI::Option* option, Change change) {
    changes_.push_back([option, change = std::move(change)](axiform::GenerateOptions& options) {
      if (*option) change(options);
    });
  }

  std::string profile_;
  std::vector<Change> changes_;
  std::vector<std::string> stop_strings_, bad_words_;
};
