/// @file
/// `Activation`: which function follows a product, by name. Configs name one, layers hold it, kernels compute it.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform {

/// What is applied to each element behind a product.
enum class Activation {
  none,       ///< The identity.
  gelu,       ///< x * Phi(x), with erf: BERT, RoBERTa.
  gelu_tanh,  ///< GELU's approximation by tanh: GPT-2 (`gelu_new`).
  relu,       ///< max(x, 0); NaN stays.
  tanh,       ///< BERT's pooler.
  silu        ///< x / (1 + e^-x).
};

}  // namespace axiform
