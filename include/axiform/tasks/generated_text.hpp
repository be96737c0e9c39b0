/// @file
/// `GeneratedText`, `WrittenText`: what generation gives.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <axiform/generate/result.hpp>

namespace axiform {

/// A text that a model has continued.
struct GeneratedText {
  std::string text;             ///< The prompt and what follows, as Hugging Face's `generated_text`.
  std::string continuation;     ///< What follows alone, without special tokens.
  GeneratedSequence sequence;   ///< Its tokens, why it ended, and the reports where the options ask for them.
};

/// A text that a sequence-to-sequence model has written beside one that it has read.
struct WrittenText {
  std::string text;  ///< Without special tokens, as Hugging Face's `generated_text`, `translation_text` and `summary_text`.
  /// Its tokens from the decoder's first on, why it ended, a beam's score, and the reports where the options ask for them.
  GeneratedSequence sequence;
};

/// A text that a large model has continued with the help of a small one.
struct SpeculativeText {
  GeneratedText text;        ///< The text.
  std::size_t proposed = 0;  ///< Tokens that the small model proposed.
  std::size_t accepted = 0;  ///< Those that the large model took.
};

/// A piece of a text that is being generated: whole characters, as soon as they are known.
struct TextPiece {
  std::size_t sequence;   ///< Which of the sequences, from 0.
  std::string_view text;  ///< What comes next in it. It lives for the length of the call.
};

}  // namespace axiform
