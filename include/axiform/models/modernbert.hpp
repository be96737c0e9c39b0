/// @file
/// `ModernBert` (Warner et al. 2024): an encoder of rotary positions, most of whose layers see a window to both sides.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <axiform/core/activation.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/modernbert_recipe.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// How far ModernBERT's layers see where nothing else is said: the first and every third from there all tokens (0), the others the 64 tokens before
/// a token and the 64 behind it.
constexpr std::vector<std::size_t> modernbert_windows(std::size_t layers) {
  std::vector<std::size_t> windows(layers, 65);
  for (std::size_t i = 0; i < layers; i += 3) windows[i] = 0;
  return windows;
}

/// What a ModernBERT is made with besides its dimensions.
struct ModernBertSettings {
  /// Of the blocks; the epsilon is also that of the other norms, and the position that of layers that see all tokens.
  LayerSettings layers = {.activation = Activation::gelu, .layer_norm_epsilon = 1e-5f, .position = {.rotary_base = 160000.0}};
  PositionSettings local_position = {};  ///< Of layers that see a window.
  /// How far each layer sees, as `AttentionSettings::window` says; empty for `modernbert_windows`.
  std::vector<std::size_t> windows = {};
  /// Tied where a masked-LM head computes with the token table, which is then packed for products.
  HeadWeights head_weights = HeadWeights::own;
  Activation head_activation = Activation::gelu;                          ///< Of a head's transform.
  ClassifierPooling classifier_pooling = ClassifierPooling::first_token;  ///< What a classifier of texts sees of one.
  /// What only the module tree shows.
  PrintedSettings printed = {.class_prefix = "ModernBert",
                             .embedding_dropout = "0.0",
                             .hidden_dropout = "0.0",
                             .attention_dropout = "0.0",
                             .classifier_dropout = "0.0",
                             .padding_id = {}};
};

/// Token embeddings, normalised: positions are seen by attention alone, and there are no segments.
template <DimensionsLike D>
struct ModernBertEmbeddings {
  using Norm = ModernBertRecipe::Norm<typename D::Hidden>;  ///< Without a bias.

  TokenEmbedding<axes::VocabularyEntries, typename D::Hidden> words;  ///< One row a token of the vocabulary; a masked-LM head may share it.
  Norm norm;                                                          ///< Of the rows.

  /// @return [Tokens, Hidden]. @throws ArgumentError when an id has no row.
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(TokenBatch const& batch, Context& context) const {
    auto rows = make_tensor<float>(context, Shape<axes::Tokens, typename D::Hidden>::of({batch.ids.size(), words.columns()}));
    words.write_rows(batch.ids, rows.view(), "token id");
    return norm(rows, context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("words", self.words);
    visitor("norm", self.norm);
  }
};

/// A ModernBERT without a task's head (Hugging Face's ModernBertModel).
///
///     auto const modernbert = load<ModernBert<>>(directory, context);
///     auto const hidden_states = modernbert(ids, context);   // [Tokens, Hidden]
///     auto const embedder = SentenceEmbedding<ModernBert<>>::from_directory("gte-modernbert-base", context);
template <DimensionsLike D>
struct ModernBert {
  using DimensionsType = D;                                        ///< The dimensions that the type has, or leaves free.
  using Settings = ModernBertSettings;                             ///< What it is made with besides.
  using States = Tensor<float, axes::Tokens, typename D::Hidden>;  ///< Hidden states of packed tokens.
  static constexpr ModelHead kind = ModelHead::none;               ///< It has no head.
  static constexpr bool heeds_attended = true;                     ///< Whether it takes `TokenBatch::attended`.

  D dimensions;                        ///< The widths.
  ModelSizes sizes;                    ///< Layers, vocabulary, and positions of the longest text.
  ModernBertEmbeddings<D> embeddings;  ///< What enters the first layer.
  Stack<D, ModernBertRecipe> encoder;  ///< The layers, and the norm behind the last.
  PrintedSettings printed;             ///< What only the module tree shows.

  /// A ModernBERT with zero weights, to be loaded or initialised.
  /// @throws ArgumentError when windows are given, and not one for each layer.
  static constexpr ModernBert create(D const& d, ModelSizes const& sizes, ModernBertSettings const& settings = {}) {
    auto windows = settings.windows;
    if (windows.empty()) windows = modernbert_windows(sizes.layers);
    if (windows.size() != sizes.layers)
      throw ArgumentError("ModernBERT: found " + std::to_string(windows.size()) + " windows, expected one for each of " +
                          std::to_string(sizes.layers) + " layers");
    std::vector<LayerSettings> layers(sizes.layers, settings.layers);
    for (std::size_t i = 0; i < sizes.layers; ++i) {
      layers[i].window = windows[i];
      if (windows[i] != 0) layers[i].position = settings.local_position;
    }
    return {d,
            sizes,
            {{sizes.vocabulary, d.hidden, settings.head_weights}, {d.hidden, settings.layers.layer_norm_epsilon}},
            Stack<D, ModernBertRecipe>::create(d, layers, settings.layers),
            settings.printed};
  }
  /// The same where the type has all dimensions.
  static constexpr ModernBert create(ModernBertSettings const& settings = {}) requires NamedDimensions<D> {
    return create(D{}, D::sizes, settings);
  }

  /// The hidden states behind the final norm.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id has no row, a sequence is longer than `positions()`, or the batch has segments; ShapeError when the batch
  ///         does not fit together.
  States operator()(TokenBatch const& batch, Context& context) const;
  /// The same for one sequence.
  States operator()(TokenIds const& ids, Context& context) const {
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    return (*this)({.ids = ids, .sequences = sequences}, context);
  }

  std::size_t positions() const noexcept { return sizes.positions; }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return 0; }                  ///< Segments that it tells apart: none.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }  ///< Width of the hidden states.

  /// Parameters in all.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) { return count_parameters(create(d, sizes)); }
  /// Floating-point operations that one token takes in a sequence of `context_length` tokens, where the layers see as far as `modernbert_windows`
  /// says: two for each weight of a product, and the two products of attention.
  static constexpr std::size_t flops_per_token(D const& d, ModelSizes const& sizes, std::size_t context_length) {
    std::size_t seen = 0;
    for (std::size_t const window : modernbert_windows(sizes.layers))
      seen += window == 0 ? context_length : std::min(context_length, 2 * window - 1);
    return sizes.layers * Block<D, ModernBertRecipe>::flops_per_token(d, 0) + 4 * seen * d.width();
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("embeddings", self.embeddings);
    visitor("encoder", self.encoder);
    visitor("printed", self.printed);
  }
};

template <DimensionsLike D>
auto ModernBert<D>::operator()(TokenBatch const& batch, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, sizes.positions);
  if (!batch.token_types.empty()) throw ArgumentError("token batch: found token types, expected none: the model has one segment");
  return encoder(embeddings(batch, context), {.sequences = batch.sequences, .attended = batch.attended}, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models) ModernBert<>::States ModernBert<>::operator()(TokenBatch const&, Context&) const;
#endif

}  // namespace axiform::inline AXIFORM_ARCH
