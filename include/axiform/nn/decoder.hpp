/// @file
/// The decoder of Vaswani et al. 2017 (figure 1, right): causal self-attention, attention to an encoder's output, feed-forward block.
///
///     EncoderOutput<D> const memory{encoded, source_sequences};
///     auto states = decoder(x, {.sequences = sequences, .source = memory}, context);                          // whole sequences
///
///     auto cache = DecoderCache(widths, source_of, capacity, decoder.project_source(memory, context));        // token by token
///     auto states = decoder(x, {.sequences = added, .source = cache, .cache = &cache.past()}, context);
#pragma once

#include <axiform/nn/block.hpp>
#include <axiform/nn/decoder_cache.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A block of the decoder, normalised where the paper does (`after`) or before each part, as later models do.
template <NormPlacement where>
struct DecoderRecipe : BlockRecipe {
  static constexpr char const* name = "DecoderLayer";                                 ///< In module trees.
  static constexpr char const* stack_name = "Decoder";                                ///< In module trees.
  static constexpr NormPlacement placement = where;                                   ///< Where it normalises.
  static constexpr AttentionMask mask = AttentionMask::causal;                        ///< Which keys a token sees.
  static constexpr CrossAttentionPart cross_attention = CrossAttentionPart::present;  ///< To the encoder's output.
};

/// One block.
template <DimensionsLike D, NormPlacement placement>
using DecoderLayer = Block<D, DecoderRecipe<placement>>;

/// Blocks one after another.
template <DimensionsLike D, NormPlacement placement>
using Decoder = Stack<D, DecoderRecipe<placement>>;

}  // namespace axiform::inline AXIFORM_ARCH
