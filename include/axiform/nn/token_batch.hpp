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
  /// How many tokens of each sequence, the first, are attended to; those behind attend to them and are not seen. Empty for all, as it is everywhere but
  /// in ColBERT's queries. Only models whose `heeds_attended` is true take it.
  std::span<std::size_t const> attended = {};
};

/// Whether a model takes batches that say how many tokens of each sequence are attended to.
template <class M>
inline constexpr bool heeds_attended = requires {
  requires M::heeds_attended;
};

/// @param positions The longest sequence that the model takes.
/// @throws ShapeError when the lengths of ids, segments and sequences differ; ArgumentError when a sequence is too long.
inline void check_batch(TokenBatch const& batch, std::size_t positions) {
  batch.sequences.check_rows(batch.ids.size(), "token batch");
  if (!batch.token_types.empty() && batch.token_types.size() != batch.ids.size())
    throw ShapeError("token batch: found " + std::to_string(batch.token_types.size()) + " token types for " +
                     std::to_string(batch.ids.size()) + " ids");
  if (!batch.attended.empty() && batch.attended.size() != batch.sequences.count())
    throw ShapeError("token batch: found " + std::to_string(batch.attended.size()) + " numbers of attended tokens for " +
                     std::to_string(batch.sequences.count()) + " sequences");
  for (std::size_t s = 0; s < batch.sequences.count(); ++s)
    if (batch.sequences.length(s) > positions)
      throw ArgumentError("sequence " + std::to_string(s) + ": found " + std::to_string(batch.sequences.length(s)) +
                          " tokens, expected at most the model's " + std::to_string(positions) + " positions");
}

}  // namespace axiform
