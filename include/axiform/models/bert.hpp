/// @file
/// BERT (Devlin et al. 2019): embeddings, a post-norm encoder, a pooler.
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
#include <axiform/models/dimensions.hpp>
#include <axiform/nn/describe.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Token, position and segment embeddings, summed and normalised.
template <DimensionsLike D>
struct BertEmbeddings {
  Embedding<VocabularyEntries, typename D::Hidden> words;  ///< One row a token of the vocabulary.
  Embedding<Positions, typename D::Hidden> positions;      ///< One row a position, from 0.
  Embedding<TokenTypes, typename D::Hidden> token_types;   ///< One row a segment.
  LayerNorm<typename D::Hidden> norm;                      ///< Of their sum.

  /// Tables of zeros, to be loaded or initialised.
  static BertEmbeddings create(D const& d, ModelSizes const& sizes, float layer_norm_epsilon) {
    return {{sizes.vocabulary, d.hidden}, {sizes.positions, d.hidden}, {sizes.token_types, d.hidden}, {d.hidden, layer_norm_epsilon}};
  }

  /// @return [Tokens, Hidden].
  /// @throws ArgumentError when an id or a segment has no row; ShapeError when a sequence is longer than the positions.
  Tensor<float, Tokens, typename D::Hidden> operator()(TokenBatch const& batch, Context& context) const {
    check_batch(batch, positions.rows());
    auto sum = make_tensor<float>(context, Shape<Tokens, typename D::Hidden>::of({batch.ids.size(), words.columns()}));
    words.write_rows(batch.ids, sum.view(), "token id");
    if (!batch.token_types.empty()) {
      token_types.add_rows(batch.token_types, sum.view(), "token type");
    } else if (token_types.rows() != 0) {
      token_types.add_row(0, sum.view());
    }
    positions.add_positions(batch.sequences, sum.view());
    return norm(sum, context);
  }

  /// Parameters in all, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) {
    return (sizes.vocabulary + sizes.positions + sizes.token_types) * d.hidden + LayerNorm<typename D::Hidden>::parameter_count(d.hidden);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("words", self.words);
    visitor("positions", self.positions);
    visitor("token_types", self.token_types);
    visitor("norm", self.norm);
  }
};

/// Whether a BERT has the pooler, which some checkpoints leave out.
enum class Pooler { present, absent };

/// What a BERT is made with besides its dimensions.
struct BertSettings {
  /// Of the encoder's layers; the epsilon is also that of the embeddings' norm.
  LayerSettings layers = {.activation = Activation::gelu, .layer_norm_epsilon = 1e-12f};
  Pooler pooler = Pooler::present;  ///< Whether there is one.
};

/// A BERT encoder without a task's head (Hugging Face's BertModel).
///
///     auto bert = load<Bert<MiniLmL6>>("models/minilm-l6", context);     // dimensions in the type
///     auto bert = load<Bert<>>(directory, context);                      // dimensions of the checkpoint
///     auto hidden_states = bert(ids, context);                           // [Tokens, Hidden]
template <DimensionsLike D = DynamicDimensions>
struct Bert {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.

  D dimensions;                                                          ///< The widths.
  ModelSizes sizes;                                                      ///< Layers, vocabulary, positions, segments.
  BertEmbeddings<D> embeddings;                                          ///< What enters the first layer.
  Encoder<D, NormPlacement::after> encoder;                              ///< The layers.
  std::optional<Linear<typename D::Hidden, typename D::Hidden>> pooler;  ///< Some checkpoints have none.

  /// A BERT with zero weights, to be loaded or initialised.
  static Bert create(D const& d, ModelSizes const& sizes, BertSettings const& settings = {}) {
    Bert bert{d, sizes, BertEmbeddings<D>::create(d, sizes, settings.layers.layer_norm_epsilon),
              Encoder<D, NormPlacement::after>::create(d, sizes.layers, settings.layers), std::nullopt};
    if (settings.pooler == Pooler::present) bert.pooler.emplace(d.hidden, d.hidden);
    return bert;
  }
  /// The same where the type has all dimensions.
  static Bert create(BertSettings const& settings = {})
    requires NamedDimensions<D>
  {
    return create(D{}, D::sizes, settings);
  }

  /// The hidden states of the last layer.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id or a segment has no row; ShapeError when the batch does not fit together or a sequence is longer
  ///         than the positions.
  Tensor<float, Tokens, typename D::Hidden> operator()(TokenBatch const& batch, Context& context) const {
    Context::Pass const pass(context);
    return encoder(embeddings(batch, context), batch.sequences, context);
  }
  /// The same for one sequence.
  Tensor<float, Tokens, typename D::Hidden> operator()(std::span<TokenId const> ids, Context& context) const {
    auto const sequences = SequenceOffsets<Tokens>::single(ids.size());
    return (*this)({.ids = ids, .sequences = sequences}, context);
  }

  /// tanh of the dense layer over the first token of each sequence ([CLS]).
  /// @param hidden_states [Tokens, Hidden]: what the call operator gave.
  /// @return              [Sequences, Hidden].
  /// @throws ArgumentError when the checkpoint had no pooler, or a sequence is empty.
  Tensor<float, Sequences, typename D::Hidden> pool(View<Tokens, typename D::Hidden> hidden_states, SequenceOffsets<Tokens> const& sequences,
                                                    Context& context) const {
    if (!pooler) throw ArgumentError("pooler: this BERT has none");
    return (*pooler)(select_rows(hidden_states, sequences, SequenceRow::first, context), context, activate(Activation::tanh));
  }

  /// Parameters in all, the pooler included, from the lengths alone.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) {
    return BertEmbeddings<D>::parameter_count(d, sizes) + Encoder<D, NormPlacement::after>::parameter_count(d, sizes.layers) +
           Linear<typename D::Hidden, typename D::Hidden>::parameter_count(d.hidden, d.hidden);
  }
  /// Floating-point operations that one token takes in a sequence of `context_length` tokens: two for each weight of a product, and the two
  /// products of attention.
  static constexpr std::size_t flops_per_token(D const& d, ModelSizes const& sizes, std::size_t context_length) {
    return sizes.layers * internal::layer_flops_per_token(d, context_length);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("embeddings", self.embeddings);
    visitor("encoder", self.encoder);
    visitor("pooler", self.pooler);
  }

  /// The tree that PyTorch prints for Hugging Face's BertModel.
  ModuleNode module_tree() const {
    ModuleNode layers{{}, "ModuleList", {}};
    for (std::size_t i = 0; i < encoder.layers.size(); ++i) layers.add(std::to_string(i), layer_tree(encoder.layers[i]));
    ModuleNode tree{{}, "BertModel", {}};
    tree.add("embeddings", ModuleNode{{}, "BertEmbeddings", {}}
                               .add("word_embeddings", embedding_leaf(sizes.vocabulary, dimensions.hidden, ", padding_idx=0"))
                               .add("position_embeddings", embedding_leaf(sizes.positions, dimensions.hidden))
                               .add("token_type_embeddings", embedding_leaf(sizes.token_types, dimensions.hidden))
                               .add("LayerNorm", describe(embeddings.norm))
                               .add("dropout", dropout_leaf()));
    tree.add("encoder", ModuleNode{{}, "BertEncoder", {}}.add("layer", std::move(layers)));
    if (pooler) tree.add("pooler", ModuleNode{{}, "BertPooler", {}}.add("dense", describe(*pooler)).add("activation", module_leaf("Tanh()")));
    return tree;
  }

 private:
  ModuleNode layer_tree(EncoderLayer<D, NormPlacement::after> const& layer) const {
    ModuleNode const square = linear_leaf(dimensions.hidden, dimensions.width());
    ModuleNode const self = ModuleNode{{}, "BertSelfAttention", {}}
                                .add("query", square)
                                .add("key", square)
                                .add("value", square)
                                .add("dropout", dropout_leaf());
    ModuleNode const self_output = ModuleNode{{}, "BertSelfOutput", {}}
                                       .add("dense", linear_leaf(dimensions.width(), dimensions.hidden))
                                       .add("LayerNorm", describe(layer.attention_norm))
                                       .add("dropout", dropout_leaf());
    return ModuleNode{{}, "BertLayer", {}}
        .add("attention", ModuleNode{{}, "BertAttention", {}}.add("self", self).add("output", self_output))
        .add("intermediate", ModuleNode{{}, "BertIntermediate", {}}
                                 .add("dense", describe(layer.mlp.up))
                                 .add("intermediate_act_fn", activation_leaf(layer.mlp.activation)))
        .add("output", ModuleNode{{}, "BertOutput", {}}
                           .add("dense", describe(layer.mlp.down))
                           .add("LayerNorm", describe(layer.mlp_norm))
                           .add("dropout", dropout_leaf()));
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
