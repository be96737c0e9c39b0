/// @file
/// `TokenBatch`: what a model reads.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform {

/// Sequences of tokens, packed: no padding, no mask. It refers to what the caller holds.
struct TokenBatch {
  std::span<TokenId const> ids;                    ///< All tokens, one sequence after another.
  SequenceOffsets<axes::Tokens> const& sequences;  ///< Where each sequence begins.
  std::span<TokenId const> token_types = {};       ///< The segment of each token; empty where there is but one.
};

/// @param positions The longest sequence that the model takes.
/// @throws ShapeError when the lengths of ids, segments and sequences differ; ArgumentError when a sequence is too long.
inline void check_batch(TokenBatch const& batch, std::size_t positions) {
  batch.sequences.check_rows(batch.ids.size(), "token batch");
  if (!batch.token_types.empty() && batch.token_types.size() != batch.ids.size())
    throw ShapeError("token batch: found " + std::to_string(batch.token_types.size()) + " token types for " +
                     std::to_string(batch.ids.size()) + " ids");
  for (std::size_t s = 0; s < batch.sequences.count(); ++s)
    if (batch.sequences.length(s) > positions)
      throw ArgumentError("sequence " + std::to_string(s) + ": found " + std::to_string(batch.sequences.length(s)) +
                          " tokens, expected at most the model's " + std::to_string(positions) + " positions");
}

}  // namespace axiform
