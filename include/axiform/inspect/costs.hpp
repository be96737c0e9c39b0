/// @file
/// `module_costs`: parameters, memory and operations of a model and of each of its parts, from `visit` alone.
///
///     print_model_summary(std::cout, module_costs(bert, {.tokens = 128}));   // inspect/model_summary.hpp
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/weight_format.hpp>
#include <axiform/inspect/module_cost.hpp>
#include <axiform/nn/attention.hpp>
#include <axiform/nn/cross_attention.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform {

/// What is counted.
struct CostOptions {
  std::size_t tokens = 128;                       ///< Tokens of the one sequence that runs.
  std::optional<std::size_t> source_tokens = {};  ///< Those of the encoder's side, for cross-attention; as many when not given.
  /// Members that run for one token of the sequence, wherever they are.
  std::vector<std::string> once_a_sequence = {"pooler", "head", "next_sentence", "score"};
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <class T>
inline constexpr bool is_norm = false;
template <Axis Columns, Bias bias>
inline constexpr bool is_norm<LayerNorm<Columns, bias>> = true;
template <Axis Columns>
inline constexpr bool is_norm<RmsNorm<Columns>> = true;
template <class T>
inline constexpr bool is_embedding = false;
template <Axis Rows, Axis Columns>
inline constexpr bool is_embedding<Embedding<Rows, Columns>> = true;
template <class T>
inline constexpr bool is_token_embedding = false;
template <Axis Rows, Axis Columns>
inline constexpr bool is_token_embedding<TokenEmbedding<Rows, Columns>> = true;
template <class T>
inline constexpr bool is_vocabulary_head = false;
template <Axis In, Axis Entries>
inline constexpr bool is_vocabulary_head<VocabularyHead<In, Entries>> = true;
template <class T>
inline constexpr bool is_causal_attention = false;
template <DimensionsLike D, RecipeLike Recipe>
inline constexpr bool is_causal_attention<Attention<D, Recipe>> = Attention<D, Recipe>::is_causal;
template <class T>
inline constexpr bool is_cross_attention = false;
template <DimensionsLike D, RecipeLike Recipe>
inline constexpr bool is_cross_attention<CrossAttention<D, Recipe>> = true;
template <class T>
inline constexpr bool is_attention = is_cross_attention<T>;
template <DimensionsLike D, RecipeLike Recipe>
inline constexpr bool is_attention<Attention<D, Recipe>> = true;

// Adds the members of a layer to `node`. `rows` is how many rows run through them, `key_rows` through its keys and values.
struct CostWalk {
  ModuleCost& node;
  std::size_t rows;
  std::size_t key_rows;
  CostOptions const& options;

  template <class T>
  void operator()(std::string_view name, T const& member) const {
    if constexpr (is_parameter_ref<T>) {
      node.parameters += member.size();
      node.weight_bytes += bytes_of(member.format(), member.size());
      if (!member.is_matrix()) return;
      node.flops += 2 * rows * member.size();
      node.result_bytes += rows * member.rows() * sizeof(float);
    } else if constexpr (requires { member.ref(); }) {
      (*this)(name, member.ref());
    } else if constexpr (Layer<T const>) {
      if (name.empty()) return visit_members(member, *this);  // its members are those of the whole
      bool const is_once = std::ranges::find(options.once_a_sequence, name) != options.once_a_sequence.end();
      std::size_t const own_rows = name == "key" || name == "value" ? key_rows : rows;
      auto child = cost_of(member, is_once ? std::min<std::size_t>(own_rows, 1) : own_rows, options);
      child.name = name;
      // Tables whose rows are added to those of another have no result of their own.
      auto const is_table = [](ModuleCost const& other) { return other.kind == "Embedding" || other.kind == "TokenEmbedding"; };
      if (is_table(child) && std::ranges::any_of(node.children, is_table)) child.result_bytes = 0;
      node.add(std::move(child));
    } else if constexpr (requires { member.has_value(); }) {
      if (member.has_value()) (*this)(name, *member);
    } else if constexpr (requires {
                           member.begin();
                           member.size();
                         }) {
      ModuleCost list{.name = std::string(name)};
      std::size_t index = 0;
      for (auto const& element : member) CostWalk{list, rows, key_rows, options}(std::to_string(index++), element);
      node.add(std::move(list));
    }
    // What is left are settings: numbers and enumerations.
  }

  // Of an attention's keys, those that one of its queries sees at most.
  template <class T>
  static std::size_t keys_seen(T const& attention, std::size_t keys) {
    if constexpr (requires { attention.most_keys(keys); }) return attention.most_keys(keys);
    return keys;
  }

  template <class T>
  static ModuleCost cost_of(T const& layer, std::size_t rows, CostOptions const& options) {
    ModuleCost result{.kind = DescribeMembers::class_name<T>()};
    std::size_t const keys = is_cross_attention<T> ? options.source_tokens.value_or(options.tokens) : rows;
    visit_members(layer, CostWalk{result, rows, keys, options});
    if constexpr (requires { layer.runs_of(std::size_t{}); })
      result.repeat("layers", [&](std::size_t index) { return layer.runs_of(index); });
    if constexpr (is_token_embedding<T>) result.flops = result.result_bytes = 0;  // a tied table's product is the head's
    if constexpr (is_vocabulary_head<T>) {
      if (layer.weights() == HeadWeights::tied) {
        result.flops += 2 * rows * layer.inputs() * layer.outputs();
        result.result_bytes += rows * layer.outputs() * sizeof(float);
      }
    }
    if constexpr (is_norm<T> || is_embedding<T> || is_token_embedding<T>)
      result.result_bytes += rows * layer.columns() * sizeof(float);
    if constexpr (is_attention<T>) {
      result.flops += 4 * rows * keys_seen(layer, keys) * layer.width();
      result.result_bytes += rows * layer.width() * sizeof(float);
      if (is_causal_attention<T>) result.cache_bytes += 2 * rows * layer.key_width() * sizeof(float);
    }
    return result;
  }
};

}  // namespace internal

/// What a model costs for one sequence, and each of its parts. Two operations for each weight of a product and row, and in attention four for
/// each query, key and column, causal or not, of as many keys as a window leaves; norms, activations and sums are left out, as `flops_per_token` does. All parts are taken to
/// run: GPT-2's head for every token, and also where a model has another head in its place.
template <Layer L>
ModuleCost module_costs(L const& layer, CostOptions const& options = {}) {
  return internal::CostWalk::cost_of(layer, options.tokens, options);
}

}  // namespace axiform::inline AXIFORM_ARCH
