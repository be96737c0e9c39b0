/// @file
/// `generate`: tokens from any causal language model, with its key-value cache.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/sampler.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What generation asks of a model.
///
/// `make_cache(sequences, capacity)` makes a cache for that many sequences of up to `capacity` tokens, `fork(from, to)` of the cache
/// gives sequence `to` the past of `from`, and `last_logits(ids, sequences, cache, context)` runs new tokens, appends
/// them to the cache and returns the logits behind the last token of each sequence, [Sequences, VocabularyEntries].
template <class M>
concept CausalLanguageModel = requires(M const& model, std::span<TokenId const> ids, SequenceOffsets<Tokens> const& sequences,
                                       typename M::Cache& cache, Context& context, std::size_t n) {
  { model.positions() } -> std::convertible_to<std::size_t>;
  { model.make_cache(n, n) } -> std::same_as<typename M::Cache>;
  { model.last_logits(ids, sequences, cache, context) } -> std::same_as<Tensor<float, Sequences, VocabularyEntries>>;
  cache.fork(n, n);
};

namespace internal {

/// The sequences of one call of `generate` that are still growing.
template <class Model>
class Generation {
 public:
  Generation(Model const& model, std::span<TokenId const> prompt, GenerateOptions const& options, Context& context)
      : model_(model),
        options_(options),
        context_(context),
        length_(options.checked_length(prompt.size(), model.positions())),
        cache_(model.make_cache(options.num_return_sequences, length_)),
        results_(options.num_return_sequences),
        ended_(options.num_return_sequences, 0) {
    for (auto& result : results_) {
      result.reserve(length_);
      result.assign(prompt.begin(), prompt.end());
    }
    next_.reserve(results_.size());
  }

  std::vector<std::vector<TokenId>> run() {
    Context::Pass const pass(context_);
    if (options_.stop.stop_requested()) return std::move(results_);
    prefill();
    std::size_t const prompt = results_[0].size() - 1;
    for (std::size_t step = 1; prompt + step < length_ && !all_ended() && !options_.stop.stop_requested(); ++step) decode(step);
    return std::move(results_);
  }

 private:
  // The prompt runs once; every sequence starts from its cache.
  void prefill() {
    std::size_t const count = results_.size();
    SequenceOffsets<Tokens> offsets;
    offsets.append(results_[0].size());
    for (std::size_t s = 1; s < count; ++s) offsets.append(0);
    auto const logits = model_.last_logits(results_[0], offsets, cache_, context_);
    for (std::size_t s = 1; s < count; ++s) cache_.fork(0, s);
    for (std::size_t s = 0; s < count; ++s) choose(s, 0, logits.row(0));
  }

  void decode(std::size_t step) {
    next_.clear();
    SequenceOffsets<Tokens> offsets;
    for (std::size_t s = 0; s < results_.size(); ++s) {
      if (!ended_[s]) next_.push_back(results_[s].back());
      offsets.append(ended_[s] ? 0 : 1);
    }
    auto const logits = model_.last_logits(next_, offsets, cache_, context_);
    for (std::size_t s = 0; s < results_.size(); ++s)
      if (!ended_[s]) choose(s, step, logits.row(s));
  }

  void choose(std::size_t sequence, std::size_t step, std::span<float const> logits) {
    TokenId id;
    if (options_.decoding == Decoding::greedy) {
      id = most_probable(logits);
    } else {
      auto const words = Philox(options_.seed)(sequence, step);
      id = sampler_.draw(logits, options_.sampling, uniform_from(words[0], words[1]));
    }
    results_[sequence].push_back(id);
    ended_[sequence] = std::ranges::find(options_.end_of_text, id) != options_.end_of_text.end();
    if (options_.on_token) options_.on_token({sequence, id});
  }

  bool all_ended() const { return std::ranges::find(ended_, 0) == ended_.end(); }

  Model const& model_;
  GenerateOptions const& options_;
  Context& context_;
  std::size_t length_;
  typename Model::Cache cache_;
  Sampler sampler_;
  std::vector<std::vector<TokenId>> results_;
  std::vector<char> ended_;
  std::vector<TokenId> next_;
};

}  // namespace internal

/// Continues `prompt` token by token.
///
///     auto sequences = generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 3, .seed = 42}, context);
///
/// @param prompt Ids, at least one.
/// @return       `num_return_sequences` sequences of ids, the prompt included, each ended by its own end-of-text or at full length.
/// @throws ArgumentError when an option is absurd, an id is not in the vocabulary, or the length exceeds the model's positions.
template <CausalLanguageModel Model>
std::vector<std::vector<TokenId>> generate(Model const& model, std::span<TokenId const> prompt, GenerateOptions const& options,
                                           Context& context) {
  return internal::Generation<Model>(model, prompt, options, context).run();
}

}  // namespace axiform::inline AXIFORM_ARCH
