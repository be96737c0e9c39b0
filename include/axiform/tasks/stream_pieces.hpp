/// @file
/// Texts told piece by piece while their tokens are made.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/tasks/generated_text.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer.hpp>

namespace axiform::detail {

/// Without those that a model has rows for and its tokenizer no text (T5 has 28): they stand for nothing.
inline std::vector<TokenId> known_ids(Tokenizer const& tokenizer, std::span<TokenId const> ids) {
  std::vector<TokenId> known(ids.begin(), ids.end());
  std::erase_if(known, [size = tokenizer.vocabulary_size()](TokenId id) { return static_cast<std::size_t>(id) >= size; });
  return known;
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
