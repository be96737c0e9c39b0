/// @file
/// `Llama`: causal language models with RMS norms, rotary positions, gated feed-forward blocks and heads of keys that several heads of queries
/// share: Llama 2 and 3, SmolLM2, Mistral, Qwen2 and Qwen3.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/causal.hpp>
#include <axiform/models/llama_recipes.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What a Llama is made with besides its dimensions.
struct LlamaSettings {
  /// Of the blocks; the epsilon is also that of the final norm.
  LayerSettings layers = {.activation = Activation::silu, .layer_norm_epsilon = 1e-6f};
  std::vector<std::size_t> windows = {};        ///< How far each layer sees, 0 for all, where layers differ; else `layers.window` holds.
  HeadWeights head_weights = HeadWeights::own;  ///< Whether the head is the token embedding.
  PrintedSettings printed = {.class_prefix = "Llama", .padding_id = {}};  ///< What only the module tree shows.
};

/// A causal language model with its head (Hugging Face's LlamaForCausalLM and its kin, by the recipe).
///
///     auto llama = load<Llama<>>(directory, context);            // Llama, SmolLM2, Mistral
///     auto qwen = load<Qwen3<>>("qwen3-0.6b.gguf", context);
///     auto sequences = generate(llama, ids, {.max_length = 30}, context);
template <DimensionsLike D, RecipeLike Recipe>
struct Llama {
  using DimensionsType = D;                                        ///< The dimensions that the type has, or leaves free.
  using Settings = LlamaSettings;                                  ///< What it is made with besides.
  static constexpr ModelHead kind = ModelHead::causal_lm;          ///< Its head, which may go unused.
  using Cache = KeyValueCache;                                     ///< What `generate` keeps the past in.
  using States = Tensor<float, axes::Tokens, typename D::Hidden>;  ///< Hidden states of packed tokens.

  D dimensions;                                                         ///< The widths.
  ModelSizes sizes;                                                     ///< Layers, vocabulary, and positions of the longest text.
  TokenEmbedding<axes::VocabularyEntries, typename D::Hidden> tokens;   ///< One row a token; the head's matrix too, where the two are tied.
  Stack<D, Recipe> decoder;                                             ///< The blocks, and the norm behind the last.
  VocabularyHead<typename D::Hidden, axes::VocabularyEntries> lm_head;  ///< To the vocabulary.
  PrintedSettings printed;                                              ///< What only the module tree shows.

  /// A Llama with zero weights, to be loaded or initialised.
  /// @throws ArgumentError when windows are given, and not one for each layer.
  static constexpr Llama create(D const& d, ModelSizes const& sizes, LlamaSettings const& settings = {}) {
    std::vector<LayerSettings> layers(sizes.layers, settings.layers);
    if (!settings.windows.empty()) {
      if (settings.windows.size() != sizes.layers)
        throw ArgumentError("Llama: found " + std::to_string(settings.windows.size()) + " windows, expected one for each of " +
                            std::to_string(sizes.layers) + " layers");
      for (std::size_t i = 0; i < sizes.layers; ++i) layers[i].window = settings.windows[i];
    }
    return {d,
            sizes,
            {sizes.vocabulary, d.hidden, settings.head_weights},
            Stack<D, Recipe>::create(d, layers, settings.layers),
            {d.hidden, sizes.vocabulary, settings.head_weights, Bias::absent},
            settings.printed};
  }
  /// The same where the type has all dimensions.
  static constexpr Llama create(LlamaSettings const& settings = {}) requires NamedDimensions<D> { return create(D{}, D::sizes, settings); }

  /// The hidden states behind the final norm, for whole sequences.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id has no row, a sequence is longer than the positions, or the batch has segments; ShapeError when the batch
  ///         does not fit together.
  States operator()(TokenBatch const& batch, Context& context) const;
  /// The same for one sequence.
  States operator()(TokenIds const& ids, Context& context) const {
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    return (*this)({.ids = ids, .sequences = sequences}, context);
  }
  /// The same for new tokens behind those in the cache, which grows by them. The same bits as whole sequences have.
  /// @throws As above; ArgumentError also when the cache has no room.
  States operator()(TokenBatch const& batch, Cache& cache, Context& context) const;

  /// Logits of the next token behind each row.
  /// @param hidden_states [Rows, Hidden], after the final norm.
  /// @return              [Rows, VocabularyEntries].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::VocabularyEntries> logits(X const& hidden_states, Context& context) const {
    return lm_head(hidden_states, tokens, context);
  }

  /// As `causal_last_logits`. @return [Sequences, VocabularyEntries].
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const;
  /// As `causal_all_logits`. @return [Tokens, VocabularyEntries].
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids,
                                                                  SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                  Context& context) const;

  /// The longest sequence, in tokens.
  std::size_t positions() const noexcept { return sizes.positions; }
  /// Segments that it tells apart: none.
  std::size_t token_types() const noexcept { return 0; }
  /// Width of the hidden states.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }
  /// Tokens that there are: ids are below it.
  std::size_t vocabulary() const noexcept { return sizes.vocabulary; }
  /// What its caches are kept in from now on.
  void keep_caches_in(CacheFormat format) noexcept { decoder.cache_format = format; }
  /// An empty cache for `sequences` sequences of up to `capacity` tokens each.
  Cache make_cache(std::size_t sequences, std::size_t capacity) const { return Cache(decoder.cache_widths(), sequences, capacity); }

  /// Parameters in all, a tied head counted once.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes, HeadWeights weights = HeadWeights::own) {
    return count_parameters(create(d, sizes, {.head_weights = weights}));
  }
  /// Floating-point operations that one token takes behind `context_length` tokens: two for each weight of a product, the head included, and
  /// the two products of attention.
  static constexpr std::size_t flops_per_token(D const& d, ModelSizes const& sizes, std::size_t context_length) {
    return sizes.layers * Block<D, Recipe>::flops_per_token(d, context_length) + 2 * sizes.vocabulary * d.hidden;
  }
  /// Bytes that a token takes in the key-value cache.
  static constexpr std::size_t key_value_bytes_per_token(D const& d, ModelSizes const& sizes) {
    return 2 * sizes.layers * d.key_width() * sizeof(float);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("tokens", self.tokens);
    visitor("", self.decoder);
    visitor("lm_head", self.lm_head);
    visitor("printed", self.printed);
  }

 private:
  States embed(TokenBatch const& batch, Context& context) const {
    if (!batch.token_types.empty()) throw ArgumentError("token batch: found token types, expected none: the model has one segment");
    if (!batch.attended.empty())
      throw ArgumentError("token batch: found attended tokens, expected none: each token attends to all before it");
    auto states = make_tensor<float>(context, Shape<axes::Tokens, typename D::Hidden>::of({batch.ids.size(), tokens.columns()}));
    tokens.write_rows(batch.ids, states.view(), "token id");
    return states;
  }
};

template <DimensionsLike D, RecipeLike Recipe>
auto Llama<D, Recipe>::operator()(TokenBatch const& batch, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, sizes.positions);
  return decoder(embed(batch, context), batch.sequences, context);
}

template <DimensionsLike D, RecipeLike Recipe>
auto Llama<D, Recipe>::operator()(TokenBatch const& batch, Cache& cache, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, sizes.positions);
  cache.check_room(batch.sequences, sizes.positions);
  return decoder(embed(batch, context), {.sequences = batch.sequences, .cache = &cache}, context);
}

template <DimensionsLike D, RecipeLike Recipe>
auto Llama<D, Recipe>::last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                   Context& context) const -> Tensor<float, axes::Sequences, axes::VocabularyEntries> {
  return causal_last_logits(*this, ids, sequences, cache, context);
}

template <DimensionsLike D, RecipeLike Recipe>
auto Llama<D, Recipe>::all_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                  Context& context) const -> Tensor<float, axes::Tokens, axes::VocabularyEntries> {
  return causal_all_logits(*this, ids, sequences, cache, context);
}

#if defined(AXIFORM_COMPILED)
#define AXIFORM_INSTANCES_OF(Model)                                                                                                      \
  AXIFORM_INSTANCE(models) Model::States Model::operator()(TokenBatch const&, Context&) const;                                           \
  AXIFORM_INSTANCE(models) Model::States Model::operator()(TokenBatch const&, Cache&, Context&) const;                                   \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Tensor<float, axes::Sequences, axes::VocabularyEntries> Model::last_logits(                                                            \
      std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&, Cache&, Context&) const;                                           \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Tensor<float, axes::Tokens, axes::VocabularyEntries> Model::all_logits(std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&, \
                                                                         Cache&, Context&) const;
AXIFORM_INSTANCES_OF(Llama<>)
AXIFORM_INSTANCES_OF(Qwen2<>)
AXIFORM_INSTANCES_OF(Qwen3<>)
#undef AXIFORM_INSTANCES_OF
#endif

}  // namespace axiform::inline AXIFORM_ARCH
