// What an encoder-decoder reads, and what it wrote about it or is said to have written: `attention` and `view` show the two.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/generate/options.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/known.hpp>
#include <axiform/tasks/stream_pieces.hpp>
#include <axiform/tasks/text_task_config.hpp>
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

// An encoder-decoder with what its directory says of texts.
class EncoderDecoderTexts {
 public:
  EncoderDecoderTexts(Command const& command, axiform::Context& context)
      : directory_(command.model()),
        settings_(axiform::read_text_task_config(directory_).of("text2text-generation")),
        model_(axiform::load<axiform::AnySequenceToSequence>(directory_, command.loading(), context)) {}

  axiform::AnySequenceToSequence const& model() const { return model_; }

  // How the checkpoint wants to write, but for beams: the most probable token each time.
  axiform::GenerateOptions options() const {
    using namespace axiform;
    GenerateOptions options = settings_.options;
    options.decoding = Decoding::greedy;
    options.num_beams = options.num_return_sequences = 1;
    if (options.max_new_tokens) {
      options.max_new_tokens = std::min(*options.max_new_tokens, std::max<std::size_t>(model_.positions(), 2) - 1);
    } else {
      options.max_length = std::min(options.max_length, model_.positions());
    }
    if (tokenizers_)
      options.decode = [target = tokenizers_->target()](std::span<TokenId const> ids) {
        return target.decode(detail::known_ids(target, ids), {.clean_up_tokenization_spaces = CleanUp::no});
      };
    return options;
  }

  std::vector<axiform::TokenId> read(std::string const& text) {
    auto ids = tokenizers().source().encode(settings_.prefix + text).ids;
    if (ids.empty()) throw axiform::ArgumentError("the text has no tokens");
    return ids;
  }

  // What the decoder is given of a text: the token with which it begins, and the text's.
  std::vector<axiform::TokenId> target(std::string const& text) {
    axiform::TokenId const start = options().checked_decoder_start(model_.vocabulary());
    auto ids = tokenizers().target().encode(text).ids;
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
    if (!tokenizers_) tokenizers_ = axiform::SequenceToSequenceTokenizers::from_directory(directory_);
    return *tokenizers_;
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
  axiform::TextTaskSettings settings_;
  axiform::AnySequenceToSequence model_;
  std::optional<axiform::SequenceToSequenceTokenizers> tokenizers_;  // opened when a text is read
};
