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

namespace axiform::inline AXIFORM_ARCH {

/// Epilogue: an activation, applied to a product before it is stored.
struct ActivationEpilogue {
  Activation activation;  ///< Which one.
};
/// The activation `activation`.
constexpr ActivationEpilogue activate(Activation activation) noexcept { return {activation}; }

/// An activation by its name: behind a product, `up(x, context, gelu)`, and a function of a tensor's elements.
template <Activation Kind>
struct ActivationFunction : ActivationEpilogue {
  constexpr ActivationFunction() noexcept : ActivationEpilogue{Kind} {}
  /// The activation of each element of a tensor of floating-point numbers: `gelu(x)`, `gelu(x, context)`. algebra/functions.hpp has its definition.
  template <class X, class... C>
  auto operator()(X&& x, C&... context) const;
};
inline constexpr ActivationFunction<Activation::gelu> gelu;            ///< GELU with erf, as BERT has it (Hendrycks and Gimpel 2016).
inline constexpr ActivationFunction<Activation::gelu_tanh> gelu_tanh;  ///< GELU with tanh, as GPT-2 has it (`gelu_new`).
inline constexpr ActivationFunction<Activation::relu> relu;            ///< max(x, 0); NaN stays.
inline constexpr ActivationFunction<Activation::silu> silu;            ///< x / (1 + e^-x), or swish (Elfwing et al. 2017).

}  // namespace axiform::inline AXIFORM_ARCH
