/// @file
/// GPT-2 (Radford et al. 2019): a pre-norm stack of causal blocks, with the token embedding as its head, or a head of its own.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/causal.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// GPT-2's block: causal self-attention, then the feed-forward block, each behind its norm.
struct Gpt2Recipe : BlockRecipe {
  static constexpr char const* name = "Gpt2Block";                        ///< In module trees.
  static constexpr char const* stack_name = "Gpt2";                       ///< In messages.
  static constexpr NormPlacement placement = NormPlacement::before;       ///< Where it normalises.
  static constexpr AttentionMask mask = AttentionMask::causal;            ///< Which keys a token sees.
  static constexpr MemberOrder order = MemberOrder::norms_before;         ///< Of its members' names.
};

/// What a GPT-2 is made with besides its dimensions.
struct Gpt2Settings {
  /// Of the blocks; the epsilon is also that of the final norm.
  LayerSettings layers = {.activation = Activation::gelu_tanh, .layer_norm_epsilon = 1e-5f};
  HeadWeights head_weights = HeadWeights::tied;  ///< Whether the head is the token embedding.
  PrintedSettings printed = {.class_prefix = "GPT2", .padding_id = {}};  ///< What only the module tree shows.
};

/// A GPT-2 with its language-model head (Hugging Face's GPT2LMHeadModel); the head is the token embedding, tied, unless the checkpoint has
/// another.
///
///     auto gpt2 = load<Gpt2<>>(directory, context);
///     auto hidden_states = gpt2(ids, context);                   // [Tokens, Hidden], after the final norm
///     auto logits = gpt2.logits(hidden_states, context);         // [Tokens, VocabularyEntries]
///     auto sequences = generate(gpt2, ids, {.max_length = 30}, context);
template <DimensionsLike D>
struct Gpt2 {
  using DimensionsType = D;                                  ///< The dimensions that the type has, or leaves free.
  using Settings = Gpt2Settings;                             ///< What it is made with besides.
  static constexpr ModelHead kind = ModelHead::causal_lm;    ///< Its head, which may go unused.
  using Cache = KeyValueCache;                               ///< What `generate` keeps the past in.
  using States = Tensor<float, axes::Tokens, typename D::Hidden>;  ///< Hidden states of packed tokens.

  D dimensions;                                                   ///< The widths.
  ModelSizes sizes;                                               ///< Layers, vocabulary and positions.
  TokenEmbedding<axes::VocabularyEntries, typename D::Hidden> tokens;   ///< One row a token; the head's matrix too, where the two are tied.
  Embedding<axes::Positions, typename D::Hidden> position_table;        ///< One row a position, from 0.
  Stack<D, Gpt2Recipe> decoder;                                        ///< The blocks, and the norm behind the last.
  VocabularyHead<typename D::Hidden, axes::VocabularyEntries> lm_head;  ///< To the vocabulary.
  PrintedSettings printed;                                        ///< What only the module tree shows.

  /// A GPT-2 with zero weights, to be loaded or initialised.
  static constexpr Gpt2 create(D const& d, ModelSizes const& sizes, Gpt2Settings const& settings = {}) {
    return {d,
            sizes,
            {sizes.vocabulary, d.hidden, settings.head_weights},
            {sizes.positions, d.hidden},
            Stack<D, Gpt2Recipe>::create(d, sizes.layers, settings.layers),
            {d.hidden, sizes.vocabulary, settings.head_weights, Bias::absent},
            settings.printed};
  }
  /// The same where the type has all dimensions.
  static constexpr Gpt2 create(Gpt2Settings const& settings = {})
    requires NamedDimensions<D>
  {
    return create(D{}, D::sizes, settings);
  }

  /// The hidden states behind the final norm, for whole sequences.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id has no row or a sequence is longer than the positions; ShapeError when the batch does not fit together.
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
  /// Segments that it tells apart: it was trained with none.
  std::size_t token_types() const noexcept { return 0; }
  /// Width of the hidden states.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }
  /// Tokens that there are: ids are below it.
  std::size_t vocabulary() const noexcept { return sizes.vocabulary; }
  /// What its caches are kept in from now on.
  void keep_caches_in(CacheFormat format) noexcept { decoder.cache_format = format; }
  /// An empty cache for `sequences` sequences of up to `capacity` tokens each.
  Cache make_cache(std::size_t sequences, std::size_t capacity) const {
    return Cache(decoder.cache_widths(), sequences, capacity);
  }

  /// Parameters in all, a tied head counted once.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes, HeadWeights weights = HeadWeights::tied) {
    return count_parameters(create(d, sizes, {.head_weights = weights}));
  }
  /// Floating-point operations that one token takes behind `context_length` tokens: two for each weight of a product, the head included, and
  /// the two products of attention.
  static constexpr std::size_t flops_per_token(D const& d, ModelSizes const& sizes, std::size_t context_length) {
    return sizes.layers * Block<D, Gpt2Recipe>::flops_per_token(d, context_length) + 2 * sizes.vocabulary * d.hidden;
  }
  /// Bytes that a token takes in the key-value cache.
  static constexpr std::size_t key_value_bytes_per_token(D const& d, ModelSizes const& sizes) {
    return 2 * sizes.layers * d.width() * sizeof(float);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("tokens", self.tokens);
    visitor("positions", self.position_table);
    visitor("", self.decoder);
    visitor("lm_head", self.lm_head);
    visitor("printed", self.printed);
  }

 private:
  // Positions go on behind what is in the cache. A token type k, which GPT-2 was not trained with, adds row k of the token embedding.
  States embed(TokenBatch const& batch, Cache const* cache, Context& context) const {
    if (!batch.attended.empty())
      throw ArgumentError("token batch: found attended tokens, expected none: each token attends to all before it");
    auto sum = make_tensor<float>(context, Shape<axes::Tokens, typename D::Hidden>::of({batch.ids.size(), position_table.columns()}));
    tokens.write_rows(batch.ids, sum.view(), "token id");
    position_table.add_positions(batch.sequences, sum.view(), cache ? cache->lengths() : std::span<std::size_t const>());
    if (!batch.token_types.empty()) tokens.add_rows(batch.token_types, sum.view(), "token type");
    return sum;
  }
};

template <DimensionsLike D>
auto Gpt2<D>::operator()(TokenBatch const& batch, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, sizes.positions);
  return decoder(embed(batch, nullptr, context), batch.sequences, context);
}

template <DimensionsLike D>
auto Gpt2<D>::operator()(TokenBatch const& batch, Cache& cache, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, sizes.positions);
  cache.check_room(batch.sequences, sizes.positions);
  return decoder(embed(batch, &cache, context), {.sequences = batch.sequences, .cache = &cache}, context);
}

template <DimensionsLike D>
auto Gpt2<D>::last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                          Context& context) const -> Tensor<float, axes::Sequences, axes::VocabularyEntries> {
  return causal_last_logits(*this, ids, sequences, cache, context);
}

template <DimensionsLike D>
auto Gpt2<D>::all_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const
    -> Tensor<float, axes::Tokens, axes::VocabularyEntries> {
  return causal_all_logits(*this, ids, sequences, cache, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models) Gpt2<>::States Gpt2<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models) Gpt2<>::States Gpt2<>::operator()(TokenBatch const&, Cache&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::VocabularyEntries> Gpt2<>::last_logits(std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&,
                                                                            Cache&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::VocabularyEntries> Gpt2<>::all_logits(std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&,
                                                                        Cache&, Context&) const;
#endif

}  // namespace axiform::inline AXIFORM_ARCH
