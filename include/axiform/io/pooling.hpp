/// @file
/// `Pooling` and what else a sentence model's files can ask for, in words alone: no JSON, so that it costs nothing to include.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform {

/// How the hidden states of a sentence's tokens become one vector (the modes of sentence-transformers' module Pooling).
enum class Pooling {
  mean,              ///< Their mean.
  first_token,       ///< The first token's ([CLS]).
  maximum,           ///< The greatest of each dimension.
  mean_sqrt_length,  ///< Their sum divided by the square root of their number.
  weighted_mean,     ///< Their mean, weighted by position: 1 for the first token, 2 for the second.
  last_token         ///< The last token's.
};

/// What is done with a vector after pooling.
enum class Normalization {
  none,        ///< Nothing.
  unit_length  ///< Scaled to a Euclidean length of 1; a vector of zeros stays.
};

/// Whether the tokens of a prompt count when a text is pooled (`include_prompt`). The model reads them in either case.
enum class PromptPooling {
  included,  ///< They do.
  excluded   ///< They do not, and neither does what stands before the prompt ([CLS]).
};

/// How close two embeddings are.
enum class ScoreFunction {
  cosine,  ///< The cosine of the angle between them.
  dot      ///< Their dot product.
};

}  // namespace axiform
