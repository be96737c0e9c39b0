/// @file
/// `StreamingDecoder`: text as tokens arrive, in whole characters.
#pragma once

#include <cstddef>
#include <string>

#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(text)
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/text/utf8.hpp>
#endif

namespace axiform {

/// Decodes token by token: what `push` and `finish` return, put together, is what `Tokenizer::decode` makes of all the ids.
///
///     StreamingDecoder decoder(tokenizer);
///     for (TokenId id : ids) std::cout << decoder.push(id) << std::flush;
///     std::cout << decoder.finish();
///
/// A character whose bytes are spread over several tokens comes with the last of them; where the vocabulary has byte tokens beside others
/// (Llama 2's), with the token behind a run of these, for that is when the run is known to be text. `clean_up_tokenization_spaces` needs the whole text
/// and is left undone, also where it is configured; asking for it is an error.
class StreamingDecoder {
 public:
  /// @throws ArgumentError for `CleanUp::yes`.
  explicit StreamingDecoder(Tokenizer tokenizer, DecodeOptions const& options = {});

  /// Begins anew, behind `ids`: what follows goes on with their text, and loses no space that texts lose at their begin.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  void start_after(TokenIds const& ids);

  /// The text that `id` completes; empty when it completes none. @throws ArgumentError for an id that the vocabulary lacks.
  std::string push(TokenId id);

  /// The rest: bytes that never became a character, as U+FFFD. The decoder then begins anew.
  std::string finish();

 private:
  std::string take(bool is_last);

  Tokenizer tokenizer_;
  DecodeOptions options_;
  detail::TokenDecoder decoder_;
  std::string pending_;  // Bytes that begin a character.
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(text)

AXIFORM_INLINE StreamingDecoder::StreamingDecoder(Tokenizer tokenizer, DecodeOptions const& options)
    : tokenizer_(std::move(tokenizer)), options_(options), decoder_(tokenizer_.state_->decoder) {
  if (options.clean_up_tokenization_spaces == CleanUp::yes)
    throw ArgumentError("clean_up_tokenization_spaces: a streaming decoder cannot change text that it has given out");
}

AXIFORM_INLINE void StreamingDecoder::start_after(TokenIds const& ids) {
  pending_.clear();
  decoder_ = tokenizer_.decoder_after(ids, options_);
}

AXIFORM_INLINE std::string StreamingDecoder::push(TokenId id) {
  tokenizer_.append_decoded(id, options_, decoder_, pending_);
  return take(false);
}

AXIFORM_INLINE std::string StreamingDecoder::finish() {
  decoder_.finish(pending_);
  std::string rest = take(true);
  pending_.clear();
  decoder_ = detail::TokenDecoder(tokenizer_.state_->decoder);
  return rest;
}

AXIFORM_INLINE std::string StreamingDecoder::take(bool is_last) {
  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    auto const [valid, invalid] = scan_utf8(rest);
    text.append(rest.substr(0, valid));
    rest.remove_prefix(valid);
    if (invalid == 0 || (!is_last && is_incomplete_utf8(rest))) break;
    text.append("\xEF\xBF\xBD");
    rest.remove_prefix(invalid);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

#endif  // AXIFORM_DEFINES(text)

}  // namespace axiform
