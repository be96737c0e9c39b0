/// @file
/// Between tokens and texts: texts told piece by piece while their tokens are made, and words that must not be in them.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/tasks/generated_text.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer.hpp>

namespace axiform::detail {

/// Without those that a model has rows for and its tokenizer no text (T5 has 28): they stand for nothing.
inline std::vector<TokenId> known_ids(Tokenizer const& tokenizer, std::span<TokenId const> ids) {
  std::vector<TokenId> known(ids.begin(), ids.end());
  std::erase_if(known, [size = tokenizer.vocabulary_size()](TokenId id) { return static_cast<std::size_t>(id) >= size; });
  return known;
}

/// The text of tokens as `GenerateOptions::decode` has it, for stop strings: with special tokens, and spaces as they are.
inline std::function<std::string(std::span<TokenId const>)> text_of_ids(Tokenizer const& tokenizer) {
  return [tokenizer](std::span<TokenId const> ids) {
    return tokenizer.decode(known_ids(tokenizer, ids), {.clean_up_tokenization_spaces = CleanUp::no});
  };
}

/// Words as `GenerateOptions::bad_words` has them, each as it stands and with a space before it, as it is in the middle of a text.
/// @throws ArgumentError for an empty word.
std::vector<std::vector<TokenId>> ids_of_bad_words(Tokenizer const& tokenizer, TextRange auto const& words) {
  std::vector<std::vector<TokenId>> result;
  for (std::string_view const word : words) {
    if (word.empty()) throw ArgumentError("bad_words: found an empty word, expected at least one character");
    for (std::string const& form : {std::string(word), " " + std::string(word)})
      result.push_back(tokenizer.encode(form, {.add_special_tokens = false, .before = TextBefore::text}).ids);
  }
  return result;
}

/// `run(options)`, with `on_token` set: to what the options have there, and then to a decoder for each sequence, behind the tokens `before`.
template <class Run>
auto stream_pieces(Tokenizer const& tokenizer, std::span<TokenId const> before, GenerateOptions options,
                   FunctionRef<void(TextPiece)> on_text, Run run) {
  StreamingDecoder fresh(tokenizer, {.skip_special_tokens = true});
  fresh.start_after(known_ids(tokenizer, before));
  std::vector<StreamingDecoder> decoders;
  auto const also = std::exchange(options.on_token, {});
  options.on_token = [&](GeneratedToken token) {
    if (also) also(token);
    if (decoders.empty()) decoders.assign(options.num_return_sequences, fresh);
    for (TokenId const id : known_ids(tokenizer, std::span(&token.id, 1)))
      if (std::string const piece = decoders[token.sequence].push(id); !piece.empty()) on_text({token.sequence, piece});
  };
  auto result = run(std::as_const(options));
  for (std::size_t s = 0; s < decoders.size(); ++s)
    if (std::string const rest = decoders[s].finish(); !rest.empty()) on_text({s, rest});
  return result;
}

}  // namespace axiform::detail
