/// @file
/// What generation asks of a model. generate/ is written on these concepts, never on models/.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/axis.hpp>
#include <axiform/core/checks.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Neighbouring prompts of a batch, which run together.
struct PromptRange {
  std::size_t first = 0;  ///< The first of them.
  std::size_t count = 1;  ///< How many.
};

/// A model that tells from tokens which may come next, and keeps the past in a cache.
///
/// `make_cache(sequences, capacity)` makes a cache for that many sequences of up to `capacity` tokens. `last_logits(ids, sequences, cache,
/// context)` runs new tokens, appends them to the cache and returns the logits behind the last token of each sequence. Of the cache,
/// `lengths()` are the tokens of each sequence, and `fork(from, to, common)` gives sequence `to` the past of `from`, where the first
/// `common` tokens of both are the same already.
///
/// A model whose prompts differ in more than their tokens, as an encoder-decoder's do in their source, also has `make_cache(prompts,
/// sequences, capacity)` with a `PromptRange`: of the sequences as many belong to each of these prompts, in order. `source(p)` then are the tokens
/// of what prompt p is beside.
template <class M>
concept CausalLanguageModel = requires(M const& model, std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences,
                                       typename M::Cache& cache, Context& context, std::size_t n) {
  { model.positions() } -> std::convertible_to<std::size_t>;
  { model.vocabulary() } -> std::convertible_to<std::size_t>;
  { model.make_cache(n, n) } -> std::same_as<typename M::Cache>;
  { model.last_logits(ids, sequences, cache, context) } -> std::same_as<Tensor<float, axes::Sequences, axes::VocabularyEntries>>;
  { cache.lengths() } -> std::convertible_to<std::span<std::size_t const>>;
  cache.fork(n, n, n);
};

/// One whose cache can go back, and that gives the logits of every position: what sessions, speculative decoding and perplexity need.
///
/// `all_logits` is as `last_logits`, but for every new token; `truncate(sequence, length)` of the cache forgets what came later, and
/// `copy(other, from, to)` gives sequence `to` the past of sequence `from` of another cache.
template <class M>
concept RewindableLanguageModel =
    CausalLanguageModel<M> && requires(M const& model, std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences,
                                       typename M::Cache& cache, typename M::Cache const& other, Context& context, std::size_t n) {
      { model.all_logits(ids, sequences, cache, context) } -> std::same_as<Tensor<float, axes::Tokens, axes::VocabularyEntries>>;
      cache.truncate(n, n);
      cache.copy(other, n, n);
    };

namespace internal {

/// A cache for prompts of a batch, `each` sequences for each of them.
template <CausalLanguageModel M>
typename M::Cache make_cache_of_prompts(M const& model, PromptRange prompts, std::size_t each, std::size_t capacity) {
  if constexpr (requires { model.make_cache(prompts, each, capacity); }) {
    return model.make_cache(prompts, prompts.count * each, capacity);
  } else {
    return model.make_cache(prompts.count * each, capacity);
  }
}

/// What a prompt of a batch is written beside: its source, where the model has read one, and otherwise itself.
template <CausalLanguageModel M>
std::span<TokenId const> source_of_prompt(M const& model, std::size_t p, std::span<TokenId const> prompt) {
  if constexpr (requires { model.source(p); }) {
    return model.source(p);
  } else {
    return prompt;
  }
}

}  // namespace internal

}  // namespace axiform::inline AXIFORM_ARCH
