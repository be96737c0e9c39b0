/// @file
/// What the type of a model knows about it, as constants.
#pragma once

#include <cstddef>

#include <axiform/nn/dimensions.hpp>

namespace axiform {

/// A model whose widths, layers, vocabulary and positions are all in its type: `Gpt2<Gpt2Small>`.
template <class Model>
concept StaticModel = NamedDimensions<typename Model::DimensionsType>;

/// The number of parameters, tied ones counted once: `parameter_count<Gpt2<Gpt2Small>>` is 124 439 808.
template <StaticModel Model>
inline constexpr std::size_t parameter_count =
    Model::parameter_count(typename Model::DimensionsType{}, Model::DimensionsType::sizes);

/// Floating-point operations that one token takes among `ContextLength` tokens.
template <StaticModel Model, std::size_t ContextLength>
inline constexpr std::size_t flops_per_token =
    Model::flops_per_token(typename Model::DimensionsType{}, Model::DimensionsType::sizes, ContextLength);

/// Bytes that a token takes in the key-value cache.
template <StaticModel Model>
inline constexpr std::size_t key_value_bytes_per_token =
    Model::key_value_bytes_per_token(typename Model::DimensionsType{}, Model::DimensionsType::sizes);

}  // namespace axiform
