/// @file
/// `HeadWeights`: whether a language model's head and its token table are one matrix.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform {

/// Whether a language model's head computes with the token table or with a matrix of its own (`tie_word_embeddings`).
enum class HeadWeights { tied, own };

}  // namespace axiform
