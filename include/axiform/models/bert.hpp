/// @file
/// BERT (Devlin et al. 2019): embeddings, a post-norm encoder, a pooler. RoBERTa (Liu et al. 2019), DistilBERT (Sanh et al. 2019), ELECTRA (Clark et al.
/// 2020) and ALBERT (Lan et al. 2020) are the same encoder with other embeddings; ALBERT's layers run more than once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The axis of embeddings, whose width may be another than that of the hidden states where lengths are free (ELECTRA, ALBERT).
template <DimensionsLike D>
using EmbeddedAxis = std::conditional_t<StaticAxis<typename D::Hidden>, typename D::Hidden, axes::Embedded>;

/// Token, position and segment embeddings, summed and normalised.
///
/// BERT counts positions from 0. RoBERTa counts from `padding_id` + 1, and a literal padding token stands at position `padding_id` without
/// being counted (`create_position_ids_from_input_ids` of transformers).
template <DimensionsLike D>
struct BertEmbeddings {
  using Embedded = EmbeddedAxis<D>;  ///< Their width.

  TokenEmbedding<axes::VocabularyEntries, Embedded> words;      ///< One row a token of the vocabulary; a masked-LM head may share it.
  Embedding<axes::Positions, Embedded> positions;               ///< One row a position; none where attention sees them.
  Embedding<axes::TokenTypes, Embedded> token_types;            ///< One row a segment; none in DistilBERT.
  LayerNorm<Embedded> norm;                                     ///< Of their sum.
  std::optional<TokenId> padding_id;                            ///< Where positions begin behind it (RoBERTa); else empty.

  /// Tables of zeros, to be loaded or initialised. `head` says whether a head shares the token table.
  static constexpr BertEmbeddings create(Length<Embedded> width, ModelSizes const& sizes, float layer_norm_epsilon,
                                         std::optional<TokenId> padding_id = {}, HeadWeights head = HeadWeights::own) {
    return {{sizes.vocabulary, width, head}, {sizes.positions, width}, {sizes.token_types, width}, {width, layer_norm_epsilon}, padding_id};
  }

  /// The longest sequence, in tokens: 512 of RoBERTa's 514 positions; of any length where there are none.
  std::size_t longest() const noexcept {
    if (positions.rows() == 0) return std::numeric_limits<std::size_t>::max();
    std::size_t const skipped = padding_id ? static_cast<std::size_t>(*padding_id) + 1 : 0;
    return positions.rows() - std::min(positions.rows(), skipped);
  }

  /// @return [Tokens, Embedded].
  /// @throws ArgumentError when an id or a segment has no row, or a sequence is longer than the positions.
  Tensor<float, axes::Tokens, Embedded> operator()(TokenBatch const& batch, Context& context) const {
    check_batch(batch, longest());
    auto sum = make_tensor<float>(context, Shape<axes::Tokens, Embedded>::of({batch.ids.size(), words.columns()}));
    words.write_rows(batch.ids, sum.view(), "token id");
    if (!batch.token_types.empty()) {
      token_types.add_rows(batch.token_types, sum.view(), "token type");
    } else if (token_types.rows() != 0) {
      token_types.add_row(0, sum.view());
    }
    if (padding_id) {
      add_positions_behind_padding(batch, sum.view());
    } else if (positions.rows() != 0) {
      positions.add_positions(batch.sequences, sum.view());
    }
    return norm(sum, context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("words", self.words);
    visitor("positions", self.positions);
    visitor("token_types", self.token_types);
    visitor("norm", self.norm);
    visitor("padding_id", self.padding_id);
  }

 private:
  void add_positions_behind_padding(TokenBatch const& batch, TensorView<float, axes::Tokens, Embedded> sum) const {
    auto const padding = static_cast<std::size_t>(*padding_id);
    for (std::size_t s = 0; s < batch.sequences.count(); ++s) {
      std::size_t next = padding + 1;
      for (std::size_t i = batch.sequences.offset(s); i < batch.sequences.offset(s + 1); ++i) {
        std::size_t const position = batch.ids[i] == *padding_id ? padding : next++;
        positions.add_row(
            position, TensorView<float, axes::Tokens, Embedded>(sum.row(i).data(), Shape<axes::Tokens, Embedded>::of({1, sum.columns()})));
      }
    }
  }
};

/// What a BERT is made with besides its dimensions.
struct BertSettings {
  /// Of the encoder's layers; the epsilon is also that of the embeddings' norm.
  LayerSettings layers = {.activation = Activation::gelu, .layer_norm_epsilon = 1e-12f};
  Pooler pooler = Pooler::present;         ///< Whether there is one.
  std::optional<TokenId> padding_id = {};  ///< Where positions begin behind it (RoBERTa: 1); else empty.
  /// Tied where a masked-LM head computes with the token table, which is then packed for products.
  HeadWeights head_weights = HeadWeights::own;
  std::optional<Activation> masked_lm_activation = {};  ///< Of a masked-LM head; that of the layers where it is not given.
  Activation classifier_activation = Activation::tanh;  ///< Behind the dense layer of a classifier of texts.
  /// Width of embeddings that a linear layer makes hidden states of (ELECTRA, ALBERT); empty where they enter the layers as they are.
  std::optional<std::size_t> embedded = {};
  LayerOrder order = {};                                ///< Which layer runs at each step, where some run more than once (ALBERT).
  PrintedSettings printed = {};                         ///< What only the module tree shows.
};

/// A BERT encoder without a task's head (Hugging Face's BertModel, RobertaModel, XLMRobertaModel, DistilBertModel, ElectraModel, AlbertModel). What
/// the families do differently is in the embeddings (RoBERTa's positions, no segments in DistilBERT, another width in ELECTRA and ALBERT), and in how
/// often a layer runs (ALBERT).
///
///     auto bert = load<Bert<MiniLmL6>>("models/minilm-l6", context);     // dimensions in the type
///     auto bert = load<Bert<>>(directory, context);                      // dimensions and family of the checkpoint
///     auto hidden_states = bert(ids, context);                           // [Tokens, Hidden]
/// @tparam Recipe Its block: another one makes another family (MPNet's has a relative bias).
template <DimensionsLike D, RecipeLike Recipe>
struct Bert {
  using DimensionsType = D;                             ///< The dimensions that the type has, or leaves free.
  using Settings = BertSettings;                        ///< What it is made with besides.
  static constexpr ModelHead kind = ModelHead::none;    ///< It has no head.
  static constexpr bool heeds_attended = true;          ///< Whether it takes `TokenBatch::attended`.

  D dimensions;                                                          ///< The widths.
  ModelSizes sizes;                                                      ///< Layers, vocabulary, positions, segments.
  BertEmbeddings<D> embeddings;                                          ///< What enters the first layer.
  std::optional<Linear<EmbeddedAxis<D>, typename D::Hidden>> projection;  ///< Of embeddings of another width.
  Stack<D, Recipe> encoder;                              ///< The layers.
  std::optional<Linear<typename D::Hidden, typename D::Hidden>> pooler;  ///< Some checkpoints have none.
  PrintedSettings printed;                                               ///< What only the module tree shows.

  /// A BERT with zero weights, to be loaded or initialised.
  /// @throws ShapeError when embeddings have a width of their own and the type has the hidden one.
  static constexpr Bert create(D const& d, ModelSizes const& sizes, BertSettings const& settings = {}) {
    Length<EmbeddedAxis<D>> const width(settings.embedded.value_or(d.hidden));
    bool const has_order = !settings.order.of_step.empty();
    ModelSizes tables = sizes;
    if (Recipe::position_table == PositionTable::absent) tables.positions = 0;
    Bert bert{d,
              sizes,
              BertEmbeddings<D>::create(width, tables, settings.layers.layer_norm_epsilon, settings.padding_id, settings.head_weights),
              std::nullopt,
              Stack<D, Recipe>::create(d, has_order ? settings.order.layers : sizes.layers, settings.layers),
              std::nullopt,
              settings.printed};
    if (has_order) bert.encoder.run_in(settings.order);
    if (settings.embedded) bert.projection.emplace(width, d.hidden);
    if (settings.pooler == Pooler::present) bert.pooler.emplace(d.hidden, d.hidden);
    return bert;
  }
  /// The same where the type has all dimensions.
  static constexpr Bert create(BertSettings const& settings = {})
    requires NamedDimensions<D>
  {
    return create(D{}, D::sizes, settings);
  }

  /// The hidden states of the last layer.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id or a segment has no row or a sequence is longer than `positions()`; ShapeError when the batch does not
  ///         fit together.
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(TokenBatch const& batch, Context& context) const;
  /// The same for one sequence.
  Tensor<float, axes::Tokens, typename D::Hidden> operator()(TokenIds const& ids, Context& context) const {
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    return (*this)({.ids = ids, .sequences = sequences}, context);
  }

  /// tanh of the dense layer over the first token of each sequence ([CLS]).
  /// @param hidden_states [Tokens, Hidden]: what the call operator gave.
  /// @return              [Sequences, Hidden].
  /// @throws ArgumentError when the checkpoint had no pooler, or a sequence is empty.
  template <ViewableAs<axes::Tokens, typename D::Hidden> X>
  Tensor<float, axes::Sequences, typename D::Hidden> pool(X const& hidden_states, SequenceOffsets<axes::Tokens> const& sequences,
                                                          Context& context) const {
    if (!pooler) throw ArgumentError("pooler: this BERT has none");
    return (*pooler)(select_rows(hidden_states, sequences, SequenceRow::first, context), context, activate(Activation::tanh));
  }

  /// The longest sequence, in tokens.
  std::size_t positions() const noexcept { return std::min(embeddings.longest(), sizes.positions); }
  std::size_t token_types() const noexcept { return sizes.token_types; }       ///< Segments that it tells apart; 0 where it has none.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }       ///< Width of the hidden states.

  /// Parameters in all, the pooler included.
  static constexpr std::size_t parameter_count(D const& d, ModelSizes const& sizes) {
    return count_parameters(create(d, sizes));
  }
  /// Floating-point operations that one token takes in a sequence of `context_length` tokens: two for each weight of a product, and the two
  /// products of attention.
  static constexpr std::size_t flops_per_token(D const& d, ModelSizes const& sizes, std::size_t context_length) {
    return sizes.layers * Block<D, Recipe>::flops_per_token(d, context_length);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("embeddings", self.embeddings);
    visitor("projection", self.projection);
    visitor("encoder", self.encoder);
    visitor("pooler", self.pooler);
    visitor("printed", self.printed);
  }
};

template <DimensionsLike D, RecipeLike Recipe>
Tensor<float, axes::Tokens, typename D::Hidden> Bert<D, Recipe>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  check_batch(batch, positions());
  auto embedded = embeddings(batch, context);
  using Input = typename Stack<D, Recipe>::template Input<axes::Tokens>;
  Input const input{.sequences = batch.sequences, .attended = batch.attended};
  if (projection) return encoder((*projection)(embedded, context), input, context);
  return encoder(relabel<EmbeddedAxis<D>, typename D::Hidden>(std::move(embedded)), input, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models) Tensor<float, axes::Tokens, axes::Hidden> Bert<>::operator()(TokenBatch const&, Context&) const;
#endif

}  // namespace axiform::inline AXIFORM_ARCH
