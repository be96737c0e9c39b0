/// @file
/// What every causal language model with a cache does the same way.
#pragma once

#include <span>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Logits behind the last of the new tokens of each sequence; of a sequence without new tokens they mean nothing.
/// @param model Gives hidden states of a batch behind a cache, `model(batch, cache, context)`, and logits of rows of them.
/// @return      [Sequences, VocabularyEntries].
template <class Model>
Tensor<float, axes::Sequences, axes::VocabularyEntries> causal_last_logits(Model const& model, std::span<TokenId const> ids,
                                                                           SequenceOffsets<axes::Tokens> const& sequences,
                                                                           typename Model::Cache& cache, Context& context) {
  Context::Pass const pass(context);
  auto const states = model({.ids = ids, .sequences = sequences}, cache, context);
  return model.logits(select_rows(states, sequences, SequenceRow::last_or_zeros, context), context);
}

/// Logits behind every new token. They take 4 bytes a token and entry of the vocabulary: run long texts in parts.
/// @return [Tokens, VocabularyEntries].
template <class Model>
Tensor<float, axes::Tokens, axes::VocabularyEntries> causal_all_logits(Model const& model, std::span<TokenId const> ids,
                                                                       SequenceOffsets<axes::Tokens> const& sequences,
                                                                       typename Model::Cache& cache, Context& context) {
  Context::Pass const pass(context);
  return model.logits(model({.ids = ids, .sequences = sequences}, cache, context), context);
}

}  // namespace axiform::inline AXIFORM_ARCH
