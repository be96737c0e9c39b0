// Generation options, as arguments: `generate`, `chat` and `view --kind generation` have those of a decoder, `translate`, `summarize` and `text2text` those of
// an encoder-decoder (writing_options.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/tasks/stream_pieces.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/text/tokenizer.hpp>

#include "command.hpp"

// Arguments that change options, where they are given.
class OptionArguments {
 public:
  // Those that every model has.
  void add_common(Command& command) {
    using namespace axiform;
    number(command, "--max-new-tokens", "Tokens that are generated", [](GenerateOptions& o, std::size_t n) {
      o.max_new_tokens = n;
      give_way(o, n, n);
    });
    number(command, "--min-new-tokens", "No end before so many", [](GenerateOptions& o, std::size_t n) { o.min_new_tokens = n; });
    number(command, "--top-k", "Draw among the N most probable tokens; 0 for all",
           [](GenerateOptions& o, std::size_t n) { o.sampling.top_k = n; });
    number(command, "--no-repeat-ngram", "No N tokens appear twice", [](GenerateOptions& o, std::size_t n) { o.no_repeat_ngram_size = n; });
    number(command, "--seed", "Equal seeds give equal texts", [](GenerateOptions& o, std::size_t n) { o.seed = n; });
    real(command, "--temperature", "Below 1 more predictable, above 1 more surprising",
         [](GenerateOptions& o, double x) { o.sampling.temperature = x; });
    real(command, "--top-p", "Draw among the fewest tokens whose probabilities reach X",
         [](GenerateOptions& o, double x) { o.sampling.top_p = x; });
    real(command, "--repetition-penalty", "Above 1, tokens that are there become less probable",
         [](GenerateOptions& o, double x) { o.repetition_penalty = x; });
    real(command, "--length-penalty", "Of beams: above 0 long texts are preferred",
         [](GenerateOptions& o, double x) { o.length_penalty = x; });
    command.add_texts("--stop", stop_strings_, "End behind this text; may be given several times")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  void add_number_of_texts(Command& command) {
    number(command, "--num-return-sequences", "How many texts of each",
           [](axiform::GenerateOptions& o, std::size_t n) { o.num_return_sequences = n; });
  }
  // The checkpoint's least lengths, such as BART's 56 tokens, give way to what is asked for. Those of the command line are set behind it, and do not.
  static void give_way(axiform::GenerateOptions& options, std::size_t all, std::size_t new_tokens) {
    options.min_length = std::min(options.min_length, all);
    if (options.min_new_tokens) options.min_new_tokens = std::min(*options.min_new_tokens, new_tokens);
  }
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
  void add_flag(Command& command, std::string const& name, std::string const& description,
                std::function<void(axiform::GenerateOptions&)> change) {
    auto const remember = [this, change = std::move(change)] { changes_.push_back(change); };
    command.add_flag_callback(name, remember, description);
  }

  void apply(axiform::GenerateOptions& options, Command& command) const {
    for (auto const& change : changes_) change(options);
    for (std::string const& text : stop_strings_) options.stop_strings.push_back(text);
    options.stop = command.stop();
  }

 private:
  void add(CLI::Option* option, std::function<void(axiform::GenerateOptions&)> change) {
    changes_.push_back([option, change = std::move(change)](axiform::GenerateOptions& options) {
      if (*option) change(options);
    });
  }

  std::vector<std::function<void(axiform::GenerateOptions&)>> changes_;
  std::vector<std::string> stop_strings_;
};

class GenerationArguments : OptionArguments {
 public:
  explicit GenerationArguments(Command& command, std::string const& profile = "notebook") : profile_(profile) {
    using namespace axiform;
    profile_option_ = command.add_option(
        "--profile", profile_,
        "Whose defaults: the notebook's (50 tokens in all), or transformers 5's (256 new, temperature 0.7); here " + profile);
    profile_option_->check(CLI::IsMember({"notebook", "transformers-5"}));
    number(command, "--max-length", "Tokens in all, the prompt included", [](GenerateOptions& o, std::size_t n) {
      o.max_length = n;
      o.max_new_tokens.reset();
      give_way(o, n, n - std::min<std::size_t>(n, 1));
    });
    number(command, "--prompt-lookup", "Propose up to N tokens from the text itself, and check them at once; 0 for none. The text is the same", [](GenerateOptions& o, std::size_t n) {
      o.prompt_lookup = n == 0 ? std::nullopt : std::optional(o.prompt_lookup.value_or(PromptLookup{}));
      if (o.prompt_lookup) o.prompt_lookup->tokens = n;
    });
    number(command, "--beams", "Beam search with N beams", [](GenerateOptions& o, std::size_t n) {
      o.decoding = Decoding::beam_search;
      o.num_beams = n;
    });
    real(command, "--min-p", "Draw among tokens at least X times as probable as the first", [](GenerateOptions& o, double x) { o.sampling.min_p = x; });
    real(command, "--typical-p", "Draw among the most typical tokens whose probabilities reach X", [](GenerateOptions& o, double x) { o.sampling.typical_p = x; });
    add_flag(command, "--greedy", "Take the most probable token instead of drawing",
             [](GenerateOptions& o) { o.decoding = Decoding::greedy; });
    command.add_texts("--bad-word", bad_words_, "Never generate this word; may be given several times")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    add_common(command);
    add_number_of_texts(command);
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
    apply_to(options, generator.tokenizer(), command);
    return options;
  }
  // The same of a model that reads one text and writes another, on top of what its checkpoint says.
  axiform::GenerateOptions options(axiform::GenerateOptions options, axiform::Tokenizer const& target, Command& command) const {
    if (*profile_option_)
      throw axiform::ArgumentError("--profile is for decoders: an encoder-decoder writes as its checkpoint says; leave it out");
    apply_to(options, target, command);
    return options;
  }

 private:
  // Words of the checkpoint stay forbidden: Marian's has its padding among them.
  void apply_to(axiform::GenerateOptions& options, axiform::Tokenizer const& tokenizer, Command& command) const {
    apply(options, command);
    for (auto& word : axiform::detail::ids_of_bad_words(tokenizer, bad_words_)) options.bad_words.push_back(std::move(word));
  }

  CLI::Option* profile_option_ = nullptr;
  std::string profile_;
  std::vector<std::string> bad_words_;
};
