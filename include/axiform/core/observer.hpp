/// @file
/// `Observer`: looks into a forward pass. `Capture` keeps what it saw.
#pragma once

#include <cstddef>
#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// Which attention of a layer is at work.
enum class AttentionKind {
  self,  ///< Tokens attend to tokens of their own sequence.
  cross  ///< The decoder's tokens attend to the encoder's.
};

/// What a layer computes on its way, row by row.
enum class LayerOperation {
  query,        ///< The queries of self-attention, [Tokens, Width], with their bias.
  key,          ///< Its keys, likewise.
  value,        ///< Its values, likewise.
  attended,     ///< All heads side by side, before the output's product: [Tokens, Width].
  cross_query,  ///< The queries of cross-attention, [Tokens, Width], with their bias.
  /// Its keys, [SourceTokens, KeyWidth]: seen where they are made, in a pass beside an encoder's output, or once where the source is projected.
  cross_key,
  cross_value,     ///< Its values, likewise.
  cross_attended,  ///< All its heads side by side, before the output's product: [Tokens, Width].
  inner            ///< The feed-forward block's inner width, behind the activation: [Tokens, Inner].
};

/// Sees what a forward pass computes. Derive, or use `Capture`. A context without an observer pays one look at a null pointer
/// a layer; results have the same bits with and without one.
class Observer {
 public:
  virtual ~Observer() = default;

  /// Layer `index` (from 0) begins. What follows comes from it.
  virtual void begin_layer(std::size_t /*index*/) {}

  /// Where the probabilities [heads, queries, keys] of one sequence are to be written, after the softmax; null for "not wanted".
  /// The memory must stay until the pass ends.
  virtual float* attention_probabilities(AttentionKind /*kind*/, std::size_t /*sequence*/, std::size_t /*heads*/, std::size_t /*queries*/,
                                         std::size_t /*keys*/) {
    return nullptr;
  }

  /// The hidden states [Tokens, Hidden] after stage `index`: 0 is what enters the first layer, i + 1 what leaves layer i
  /// (with the final norm, where the model has one, after the last layer).
  virtual void hidden_states(std::size_t /*index*/, View<axes::Tokens, axes::Hidden> /*states*/) {}

  /// What an operation of the layer gave, [rows, columns], the rows most often tokens; valid during the call.
  virtual void operation(LayerOperation /*operation*/, View<axes::Tokens, axes::Hidden> /*values*/) {}
};

/// Keeps all attention probabilities and hidden states of the passes since `clear`.
///
///     Capture capture;
///     context.observe(&capture);
///     model(ids, context);
///     capture.attention(layer, sequence)(head, query, key);
class Capture final : public Observer {
 public:
  using AttentionMap = Tensor<float, axes::Heads, axes::Queries, axes::Keys>;  ///< Probabilities of one sequence in one layer.

  void begin_layer(std::size_t index) override {
    layer_ = index;
    if (self_.size() <= index) self_.resize(index + 1), cross_.resize(index + 1);
  }
  float* attention_probabilities(AttentionKind kind, std::size_t, std::size_t heads, std::size_t queries, std::size_t keys) override {
    if (self_.empty()) begin_layer(0);
    auto& maps = kind == AttentionKind::self ? self_[layer_] : cross_[layer_];
    return maps.emplace_back(AttentionMap(heads, queries, keys)).data();
  }
  void hidden_states(std::size_t, View<axes::Tokens, axes::Hidden> states) override {
    Tensor<float, axes::Tokens, axes::Hidden> kept(states.rows(), states.columns());
    for (std::size_t row = 0; row < states.rows(); ++row) std::ranges::copy(states.row(row), kept.row(row).begin());
    hidden_states_.push_back(std::move(kept));
  }

  /// Layers that were seen.
  std::size_t layers() const noexcept { return self_.size(); }
  /// The map [Heads, Queries, Keys] of a layer and a sequence.
  /// @throws ArgumentError when it was not seen.
  AttentionMap const& attention(std::size_t layer, std::size_t sequence = 0) const { return at(self_, "attention", layer, sequence); }
  /// The same of the attention to the encoder.
  AttentionMap const& cross_attention(std::size_t layer, std::size_t sequence = 0) const {
    return at(cross_, "cross-attention", layer, sequence);
  }
  /// One entry a stage: what enters the first layer, then what leaves each.
  std::vector<Tensor<float, axes::Tokens, axes::Hidden>> const& all_hidden_states() const noexcept { return hidden_states_; }

  /// Forgets all that was seen.
  void clear() noexcept {
    self_.clear();
    cross_.clear();
    hidden_states_.clear();
    layer_ = 0;
  }

 private:
  using Maps = std::vector<std::vector<AttentionMap>>;
  static AttentionMap const& at(Maps const& maps, char const* what, std::size_t layer, std::size_t sequence) {
    if (layer >= maps.size())
      throw ArgumentError(std::string(what) + " of layer " + std::to_string(layer) + ": " + std::to_string(maps.size()) + " layers were seen");
    if (sequence >= maps[layer].size())
      throw ArgumentError(std::string(what) + " of sequence " + std::to_string(sequence) + ": " + std::to_string(maps[layer].size()) +
                          " sequences were seen");
    return maps[layer][sequence];
  }

  std::size_t layer_ = 0;
  Maps self_, cross_;
  std::vector<Tensor<float, axes::Tokens, axes::Hidden>> hidden_states_;
};

/// The three attentions of an encoder-decoder.
enum class EncoderDecoderAttention {
  encoder,  ///< The source's tokens attend to each other.
  decoder,  ///< The target's tokens attend to themselves and to what came before them.
  cross     ///< The target's tokens attend to the source's.
};

/// What the two sides of an encoder-decoder computed (`capture_attention`). They are apart: both count their layers from 0.
struct EncoderDecoderCapture {
  Capture encoder;  ///< `attention` is within the source.
  Capture decoder;  ///< `attention` is within the target, `cross_attention` from the target to the source.

  /// The side that has one of the attentions.
  Capture const& side(EncoderDecoderAttention which) const noexcept {
    return which == EncoderDecoderAttention::encoder ? encoder : decoder;
  }
};

}  // namespace axiform
