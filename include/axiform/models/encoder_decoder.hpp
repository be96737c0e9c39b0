/// @file
/// The Transformer of Vaswani et al. 2017 (figure 1) and its kin: an encoder, a decoder that attends to it, and a head on the vocabulary. BART,
/// Marian, T5 and PyTorch's `nn.Transformer` are this model with other recipes and settings; models/families/ has a file for each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/models/causal.hpp>
#include <axiform/models/encoder_decoder_recipes.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/decoder_cache.hpp>
#include <axiform/nn/sequence_embedding.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Sequences that an encoder reads, packed: no padding, no mask. It refers to what the caller holds.
struct SourceBatch {
  std::span<TokenId const> ids;                          ///< All tokens, one sequence after another.
  SequenceOffsets<axes::SourceTokens> const& sequences;  ///< Where each sequence begins.
};

/// Whether encoder and decoder read one table of tokens.
enum class TokenTables {
  shared,   ///< One table.
  separate  ///< The encoder has a table of its own, perhaps of another vocabulary.
};

/// Whether a post-norm stack has a norm behind its last block (PyTorch's `nn.Transformer` has; a pre-norm stack always has).
enum class FinalNorm { absent, present };

/// What a side of an encoder-decoder is made with besides its dimensions.
struct StackSettings {
  std::size_t layers = 6;                    ///< Blocks.
  LayerSettings layer = {};                  ///< Of each.
  SequenceEmbeddingSettings embedding = {};  ///< Of what enters the first.
  FinalNorm final_norm = FinalNorm::absent;  ///< Of a post-norm stack.
};

/// A stack of blocks, and how tokens become what enters it.
template <DimensionsLike D, RecipeLike Recipe>
struct EmbeddedStack {
  SequenceEmbedding<typename D::Hidden> embedding;  ///< Positions, scale and norm; the token table is the model's.
  Stack<D, Recipe> stack;                           ///< The blocks.

  /// A stack with zero weights, to be loaded or initialised.
  static constexpr EmbeddedStack create(D const& d, StackSettings const& settings) {
    EmbeddedStack side{SequenceEmbedding<typename D::Hidden>::create(d.hidden, settings.embedding),
                       Stack<D, Recipe>::create(d, settings.layers, settings.layer)};
    if (settings.final_norm == FinalNorm::present && !side.stack.final_norm)
      side.stack.final_norm.emplace(d.hidden, settings.layer.layer_norm_epsilon);
    return side;
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.embedding);
    visitor("", self.stack);
  }
};

/// What an encoder-decoder is made with besides its dimensions.
struct EncoderDecoderSettings {
  StackSettings encoder = {};                    ///< Of the encoder.
  StackSettings decoder = {};                    ///< Of the decoder.
  std::size_t vocabulary = 0;                    ///< Tokens of the decoder, and of the encoder where they share a table.
  std::size_t source_vocabulary = 0;             ///< Tokens of the encoder where the tables are separate.
  TokenTables tables = TokenTables::shared;      ///< Whether they share one.
  HeadWeights head_weights = HeadWeights::tied;  ///< Whether the head is the decoder's token table.
  Bias head_bias = Bias::absent;                 ///< Of the head (BART's `final_logits_bias`).
  float head_scale = 1;                          ///< States are multiplied by it before the head (T5: hidden^-0.5 where it is tied).
  PrintedSettings printed = {};                  ///< What only the module tree shows.
};

/// An encoder-decoder with its head (Hugging Face's MarianMTModel, BartForConditionalGeneration, T5ForConditionalGeneration).
///
///     auto const model = load<EncoderDecoder<>>(directory, context);
///     auto const encoded = model.encode({source_ids, source_sequences}, context);              // [SourceTokens, Hidden]
///     auto const states = model({.ids = target_ids, .sequences = target_sequences}, {encoded, source_sequences}, context);
///     auto const logits = model.logits(states, context);                                       // [Tokens, VocabularyEntries]
///     auto const texts = generate(model, source_ids, {.decoding = Decoding::greedy, .decoder_start = 0}, context);
/// @tparam D       Widths, of both sides where the type has them.
/// @tparam Recipe_ The blocks of both sides; models/encoder_decoder_recipes.hpp.
template <DimensionsLike D, class Recipe_>
struct EncoderDecoder {
  using DimensionsType = D;                                                    ///< The dimensions that the type has, or leaves free.
  using Recipe = Recipe_;                                                      ///< What its blocks are made of.
  using Settings = EncoderDecoderSettings;                                     ///< What it is made with besides.
  static constexpr ModelHead kind = ModelHead::conditional_generation;         ///< Its head, which may go unused.
  using Cache = DecoderCache;                                                  ///< What `generate` keeps the past in.
  using Source = std::shared_ptr<ProjectedSource const>;                       ///< What the decoder keeps of encoded sources.
  using Table = TokenEmbedding<axes::VocabularyEntries, typename D::Hidden>;   ///< Rows of tokens.
  using States = Tensor<float, axes::Tokens, typename D::Hidden>;              ///< Hidden states of packed targets.
  using SourceStates = Tensor<float, axes::SourceTokens, typename D::Hidden>;  ///< Hidden states of packed sources.

  D encoder_dimensions;                                                 ///< Widths of the encoder.
  D dimensions;                                                         ///< Widths of the decoder; the hidden one is the encoder's.
  Table tokens;                                                         ///< One row a token; the head's matrix too, where the two are tied.
  std::optional<Table> source_tokens;                                   ///< The encoder's, where it has its own.
  EmbeddedStack<D, typename Recipe::Encoder> encoder;                   ///< Reads sources.
  EmbeddedStack<D, typename Recipe::Decoder> decoder;                   ///< Reads targets, and what the encoder made of their sources.
  VocabularyHead<typename D::Hidden, axes::VocabularyEntries> lm_head;  ///< To the vocabulary.
  float head_scale;                                                     ///< Of states before the head.
  PrintedSettings printed;                                              ///< What only the module tree shows.

  /// A model with zero weights, to be loaded or initialised.
  /// @throws ShapeError when the two sides have other hidden widths.
  static constexpr EncoderDecoder create(D const& encoder_dimensions, D const& dimensions, EncoderDecoderSettings const& settings) {
    if (std::size_t{encoder_dimensions.hidden} != std::size_t{dimensions.hidden})
      throw ShapeError("encoder-decoder: found an encoder of width " + std::to_string(std::size_t{encoder_dimensions.hidden}) +
                       " and a decoder of width " + std::to_string(std::size_t{dimensions.hidden}) + ", expected the same");
    EncoderDecoder model{encoder_dimensions,
                         dimensions,
                         {settings.vocabulary, dimensions.hidden, settings.head_weights},
                         std::nullopt,
                         EmbeddedStack<D, typename Recipe::Encoder>::create(encoder_dimensions, settings.encoder),
                         EmbeddedStack<D, typename Recipe::Decoder>::create(dimensions, settings.decoder),
                         {dimensions.hidden, settings.vocabulary, settings.head_weights, settings.head_bias},
                         settings.head_scale,
                         settings.printed};
    if (settings.tables == TokenTables::separate)
      model.source_tokens.emplace(settings.source_vocabulary, dimensions.hidden, HeadWeights::own);
    return model;
  }

  /// The encoder's states, for whole sources.
  /// @return [SourceTokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id has no row or a source is longer than its positions; ShapeError when the batch does not fit together.
  SourceStates encode(SourceBatch const& batch, Context& context) const;

  /// The decoder's states for whole targets ("teacher forcing"), beside encoded sources: target s attends to source s.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws As `encode`, and ShapeError when there are other numbers of sources and targets.
  States operator()(TokenBatch const& batch, EncoderOutput<D> const& source, Context& context) const;
  /// The same for new tokens behind those in the cache, which grows by them. The same bits as whole targets have.
  /// @throws As above; ArgumentError also when the cache has no room.
  States operator()(TokenBatch const& batch, Cache& cache, Context& context) const;

  /// Logits of the next token behind each row.
  /// @param hidden_states [Rows, Hidden], the decoder's.
  /// @return              [Rows, VocabularyEntries].
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, axes::VocabularyEntries> logits(X const& hidden_states, Context& context) const {
    if (head_scale == 1) return lm_head(hidden_states, tokens, context);
    auto scaled = make_tensor<float>(context, Shape<RowAxis<X>, typename D::Hidden>::of(hidden_states.lengths()));
    for (std::size_t row = 0; row < scaled.rows(); ++row) {
      std::ranges::copy(hidden_states.row(row), scaled.row(row).begin());
      kernels::scale_row(scaled.row(row).data(), scaled.columns(), head_scale);
    }
    return lm_head(scaled, tokens, context);
  }

  /// Encodes sources, and projects them to the keys and values of every layer of the decoder: all that the decoder reads of them.
  /// @throws As `encode`.
  Source project_source(std::span<TokenId const> ids, SequenceOffsets<axes::SourceTokens> const& sequences, Context& context) const;

  /// As `causal_last_logits`. @return [Sequences, VocabularyEntries].
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const;
  /// As `causal_all_logits`. @return [Tokens, VocabularyEntries].
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids,
                                                                  SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                  Context& context) const;

  /// The longest target, in tokens.
  std::size_t positions() const noexcept { return decoder.embedding.longest(); }
  /// The longest source, in tokens.
  std::size_t source_positions() const noexcept { return encoder.embedding.longest(); }
  /// Width of the hidden states.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }
  /// Tokens of the decoder: ids are below it.
  std::size_t vocabulary() const noexcept { return tokens.rows(); }
  /// Tokens of the encoder.
  std::size_t source_vocabulary() const noexcept { return source_table().rows(); }
  /// What its caches are kept in from now on: the past of the target's tokens; what is made of a source stays floats.
  void keep_caches_in(CacheFormat format) noexcept { decoder.stack.cache_format = format; }
  /// An empty cache, with one sequence of up to `capacity` tokens for each entry of `source_of`, which says which source it attends to.
  /// @throws ArgumentError when there is no such source.
  Cache make_cache(Source source, std::span<std::size_t const> source_of, std::size_t capacity) const {
    return Cache(decoder.stack.cache_widths(), source_of, capacity, std::move(source));
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("encoder_dimensions", self.encoder_dimensions);
    visitor("dimensions", self.dimensions);
    visitor("tokens", self.tokens);
    visitor("source_tokens", self.source_tokens);
    visitor("encoder", self.encoder);
    visitor("decoder", self.decoder);
    visitor("lm_head", self.lm_head);
    visitor("head_scale", self.head_scale);
    visitor("printed", self.printed);
  }

 private:
  Table const& source_table() const noexcept { return source_tokens ? *source_tokens : tokens; }

  States embed(TokenBatch const& batch, std::span<std::size_t const> past, Context& context) const {
    check_batch(batch, positions());
    if (!batch.token_types.empty()) throw ArgumentError("token batch: found token types, expected none: the model has one segment");
    if (!batch.attended.empty())
      throw ArgumentError("token batch: found attended tokens, expected none: each token attends to all before it");
    return decoder.embedding(batch.ids, batch.sequences, past, tokens, context);
  }
};

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::encode(SourceBatch const& batch, Context& context) const -> SourceStates {
  Context::Pass const pass(context);
  batch.sequences.check_rows(batch.ids.size(), "source");
  for (std::size_t s = 0; s < batch.sequences.count(); ++s)
    if (batch.sequences.length(s) > source_positions())
      throw ArgumentError("source " + std::to_string(s) + ": found " + std::to_string(batch.sequences.length(s)) +
                          " tokens, expected at most the model's " + std::to_string(source_positions()) + " positions");
  return encoder.stack(encoder.embedding(batch.ids, batch.sequences, {}, source_table(), context), batch.sequences, context);
}

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::operator()(TokenBatch const& batch, EncoderOutput<D> const& source, Context& context) const -> States {
  Context::Pass const pass(context);
  return decoder.stack(embed(batch, {}, context), {.sequences = batch.sequences, .source = source}, context);
}

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::operator()(TokenBatch const& batch, Cache& cache, Context& context) const -> States {
  Context::Pass const pass(context);
  cache.past().check_room(batch.sequences, positions());
  return decoder.stack(embed(batch, cache.lengths(), context), {.sequences = batch.sequences, .source = cache, .cache = &cache.past()},
                       context);
}

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::project_source(std::span<TokenId const> ids, SequenceOffsets<axes::SourceTokens> const& sequences,
                                                Context& context) const -> Source {
  Context::Pass const pass(context);
  auto const encoded = encode({ids, sequences}, context);
  return std::make_shared<ProjectedSource const>(decoder.stack.project_source({encoded, sequences}, context));
}

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                             Context& context) const -> Tensor<float, axes::Sequences, axes::VocabularyEntries> {
  return causal_last_logits(*this, ids, sequences, cache, context);
}

template <DimensionsLike D, class Recipe_>
auto EncoderDecoder<D, Recipe_>::all_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                            Context& context) const -> Tensor<float, axes::Tokens, axes::VocabularyEntries> {
  return causal_all_logits(*this, ids, sequences, cache, context);
}

#if defined(AXIFORM_COMPILED)
#define AXIFORM_INSTANCES_OF(Model)                                                                                                      \
  AXIFORM_INSTANCE(models) Model::SourceStates Model::encode(SourceBatch const&, Context&) const;                                        \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Model::States Model::operator()(TokenBatch const&, EncoderOutput<DynamicDimensions> const&, Context&) const;                           \
  AXIFORM_INSTANCE(models) Model::States Model::operator()(TokenBatch const&, Cache&, Context&) const;                                   \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Model::Source Model::project_source(std::span<TokenId const>, SequenceOffsets<axes::SourceTokens> const&, Context&) const;             \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Tensor<float, axes::Sequences, axes::VocabularyEntries> Model::last_logits(                                                            \
      std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&, Cache&, Context&) const;                                           \
  AXIFORM_INSTANCE(models)                                                                                                               \
  Tensor<float, axes::Tokens, axes::VocabularyEntries> Model::all_logits(std::span<TokenId const>, SequenceOffsets<axes::Tokens> const&, \
                                                                         Cache&, Context&) const;
AXIFORM_INSTANCES_OF(Bart<>)
AXIFORM_INSTANCES_OF(MBart<>)
AXIFORM_INSTANCES_OF(T5<>)
AXIFORM_INSTANCES_OF(Transformer<>)
AXIFORM_INSTANCES_OF(PreNormTransformer<>)
#undef AXIFORM_INSTANCES_OF
#endif

}  // namespace axiform::inline AXIFORM_ARCH
