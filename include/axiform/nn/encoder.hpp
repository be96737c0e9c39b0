/// @file
/// The encoder of Vaswani et al. 2017 (figure 1, left): self-attention within each sequence, then the feed-forward block.
#pragma once

#include <axiform/nn/block.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A block of the encoder, normalised where the paper does (`after`) or before each part, as later models do.
template <NormPlacement where>
struct EncoderRecipe : BlockRecipe {
  static constexpr char const* name = "EncoderLayer";   ///< In module trees.
  static constexpr char const* stack_name = "Encoder";  ///< In module trees.
  static constexpr NormPlacement placement = where;     ///< Where it normalises.
};

/// One block.
template <DimensionsLike D, NormPlacement placement>
using EncoderLayer = Block<D, EncoderRecipe<placement>>;

/// Blocks one after another: `encoder(x, sequences, context)`.
template <DimensionsLike D, NormPlacement placement>
using Encoder = Stack<D, EncoderRecipe<placement>>;

}  // namespace axiform::inline AXIFORM_ARCH
