/// @file
/// `TokenId`: the number of a token in a vocabulary, what tokenizers give and embeddings take.
#pragma once

#include <cstdint>

#include <axiform/core/config.hpp>

namespace axiform {

/// A token's row in the embedding table. Never negative; which ids exist is the vocabulary's matter.
using TokenId = std::int32_t;

}  // namespace axiform
