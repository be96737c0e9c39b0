/// @file
/// `SpecialTokens`: the ids of `[CLS]`, `[SEP]` and the like.
#pragma once

#include <optional>

#include <axiform/core/token_id.hpp>

namespace axiform {

/// The ids of tokens that have a part to play; those that a vocabulary lacks are empty.
struct SpecialTokens {
  std::optional<TokenId> cls = {};   ///< Begins an encoding.
  std::optional<TokenId> sep = {};   ///< Ends a text.
  std::optional<TokenId> pad = {};   ///< Fills up batches (`Tokenizer::pad`).
  std::optional<TokenId> mask = {};  ///< Stands for a word to be guessed.
  std::optional<TokenId> unk = {};   ///< What a word that is in no token becomes.
  std::optional<TokenId> bos = {};   ///< Begins a document.
  std::optional<TokenId> eos = {};   ///< Ends one.
};

}  // namespace axiform
