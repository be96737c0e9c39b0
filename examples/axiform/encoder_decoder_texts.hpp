// What an encoder-decoder reads, and what it wrote about it or is said to have written: `attention` and `view` show the two.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <axiform/generate/options.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/known.hpp>
#include <axiform/tasks/stream_pieces.hpp>
#include <axiform/tasks/text_task_config.hpp>
#include <axiform/tasks/translation_route.hpp>
#include <axiform/text/sequence_to_sequence_tokenizers.hpp>

#include "command.hpp"

// Whether a directory's model reads one text and writes another.
inline bool is_encoder_decoder(axiform::ModelDirectory const& directory) {
  using namespace axiform;
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  if (!config.contains("architectures")) return get_or<bool>(config, "is_encoder_decoder", false, file);
  ModelHead const head = model_head(config, file);
  return head == ModelHead::conditional_generation || head == ModelHead::encoder_and_decoder;
}

// The languages of a translation, as arguments.
class LanguageArguments {
 public:
  explicit LanguageArguments(Command& command) {
    command.add_text("--from", languages_.source, "Of an encoder-decoder that translates: the language of the text, as `translate` has it")
        ->type_name("LANGUAGE");
    command.add_text("--to", languages_.target, "The language that it writes")->type_name("LANGUAGE");
  }
  axiform::LanguagePair const& languages() const { return languages_; }
  bool given() const { return !languages_.source.empty() || !languages_.target.empty(); }

 private:
  axiform::LanguagePair languages_;
};

// An encoder-decoder with what its directory says of texts.
class EncoderDecoderTexts {
 public:
  EncoderDecoderTexts(Command const& command, LanguageArguments const& languages, axiform::Context& context)
      : directory_(command.model()),
        config_(axiform::read_text_task_config(directory_)),
        settings_(config_.of("text2text-generation")),
        model_(axiform::load<axiform::AnySequenceToSequence>(directory_, command.loading(), context)) {
    if (languages.given()) translate(languages.languages());
  }

  axiform::AnySequenceToSequence const& model() const { return model_; }

  // How the checkpoint wants to write, but for beams: the most probable token each time.
  axiform::GenerateOptions options() const {
    using namespace axiform;
    GenerateOptions options = settings_.options;
    options.decoding = Decoding::greedy;
    options.num_beams = options.num_return_sequences = 1;
    detail::fit_lengths(options, model_.positions());
    if (tokenizers_) options.decode = detail::text_of_ids(tokenizers_->target());
    return options;
  }

  std::vector<axiform::TokenId> read(std::string const& text) {
    axiform::Tokenizer const& tokenizer = tokenizers().source();  // First: opening them may change the settings, and so the prefix.
    auto ids = tokenizer.encode(settings_.prefix + text).ids;
    if (ids.empty()) throw axiform::ArgumentError("the text has no tokens");
    return ids;
  }

  // What the decoder is given of a text: the token with which it begins, and the text's.
  std::vector<axiform::TokenId> target(std::string const& text) {
    axiform::Tokenizer const& tokenizer = tokenizers().target();
    axiform::TokenId const start = options().checked_decoder_start(model_.vocabulary());
    auto ids = tokenizer.encode(text).ids;
    // mBART's texts are `A </s> code`; its decoder is given `code A </s>`.
    if (!ids.empty() && ids.back() == tokenizers_->target_language()) ids.pop_back();
    if (ids.empty() || ids.front() != start) ids.insert(ids.begin(), start);
    return ids;
  }

  // What the model writes: the most probable token each time.
  std::vector<axiform::TokenId> write(std::vector<axiform::TokenId> const& source, axiform::Context& context) const {
    return axiform::generate(model_, source, options(), context).front();
  }

  // Tokens as the vocabulary has them; by their numbers where no text was read, or the vocabulary lacks them.
  std::vector<std::string> source_tokens(std::vector<axiform::TokenId> const& ids) const {
    return tokens(tokenizers_ ? &tokenizers_->source() : nullptr, ids);
  }
  std::vector<std::string> target_tokens(std::vector<axiform::TokenId> const& ids) const {
    return tokens(tokenizers_ ? &tokenizers_->target() : nullptr, ids);
  }
  // What writes its texts.
  axiform::Tokenizer const& target_tokenizer() { return tokenizers().target(); }
  // The text of one token of a target, in the midst of others.
  std::string text_of(axiform::TokenId id) {
    axiform::Tokenizer const& tokenizer = tokenizers().target();
    return is_known(tokenizer, id) ? tokenizer.decode_after({id}, {id}) : std::to_string(id);
  }
  // A target's text, without special tokens.
  std::string text_of(std::vector<axiform::TokenId> const& ids) {
    axiform::Tokenizer const& tokenizer = tokenizers().target();
    return tokenizer.decode(axiform::detail::known_ids(tokenizer, ids), {.skip_special_tokens = true});
  }

 private:
  axiform::SequenceToSequenceTokenizers const& tokenizers() {
    if (tokenizers_) return *tokenizers_;
    tokenizers_ = axiform::SequenceToSequenceTokenizers::from_directory(directory_);
    if (!tokenizers_->languages().empty()) translate({});  // it may have to be told which of them
    return *tokenizers_;
  }
  // From now on as `translate` does. Without languages a T5 keeps to the text, in which its prefix may stand.
  void translate(axiform::LanguagePair const& languages) {
    auto const all = tokenizers_ ? *tokenizers_ : axiform::SequenceToSequenceTokenizers::from_directory(directory_);
    auto route = axiform::detail::find_route(all, config_, languages);
    tokenizers_ = std::move(route.tokenizers);
    settings_ = std::move(route.settings);
  }
  // Models have more rows than tokens, at times.
  static bool is_known(axiform::Tokenizer const& tokenizer, axiform::TokenId id) {
    return id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocabulary_size();
  }
  static std::vector<std::string> tokens(axiform::Tokenizer const* tokenizer, std::vector<axiform::TokenId> const& ids) {
    std::vector<std::string> tokens;
    for (axiform::TokenId const id : ids)
      tokens.push_back(tokenizer != nullptr && is_known(*tokenizer, id) ? tokenizer->id_to_token(id) : std::to_string(id));
    return tokens;
  }

  axiform::ModelDirectory directory_;
  axiform::TextTaskConfig config_;
  axiform::TextTaskSettings settings_;
  axiform::AnySequenceToSequence model_;
  std::optional<axiform::SequenceToSequenceTokenizers> tokenizers_;  // opened when a text is read
};
