/// @file
/// BART that labels texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/families/bart.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// BART that labels texts, or pairs of texts (BartForSequenceClassification, and so bart-large-mnli). The decoder reads the text once more, each token in the
/// place of the one behind it, beside what the encoder made of it; its state at the last token that ends a text goes into the head.
///
///     auto const model = load<BartForSequenceClassification<>>(directory, context);
///     auto const logits = model({.ids = ids, .sequences = sequences}, context);   // [Sequences, Labels]
template <DimensionsLike D>
struct BartForSequenceClassification {
  using DimensionsType = D;                                              ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::sequence_classification;  ///< Its head.

  EncoderDecoder<D, PostNormRecipe> bart;  ///< The model; its language-model head is not used.
  SequenceClassificationHead<D> head;      ///< On the last end of a text.
  TokenId end_of_text;                     ///< What ends a text.
  TokenId decoder_start;                   ///< What the decoder reads before the text.

  /// @return [Sequences, Labels].
  /// @throws ArgumentError when a text has no token that ends it, an id has no row, or a text is longer than the positions; ShapeError when the batch
  ///         does not fit together.
  Tensor<float, axes::Sequences, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  /// The longest text, in tokens.
  std::size_t positions() const noexcept { return std::min(bart.positions(), bart.source_positions()); }
  std::size_t token_types() const noexcept { return 0; }                 ///< None.
  std::size_t labels() const noexcept { return head.output.outputs(); }  ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bart);
    visitor("head", self.head);
    visitor("end_of_text", self.end_of_text);
    visitor("decoder_start", self.decoder_start);
  }

 private:
  std::size_t last_end(TokenBatch const& batch, std::size_t sequence) const {
    std::size_t const first = batch.sequences.offset(sequence);
    for (std::size_t row = batch.sequences.offset(sequence + 1); row > first; --row)
      if (batch.ids[row - 1] == end_of_text) return row - 1;
    throw ArgumentError("sequence " + std::to_string(sequence) + ": found no token " + std::to_string(end_of_text) +
                        ", expected at least one, for it ends the text");
  }
};

template <DimensionsLike D>
Tensor<float, axes::Sequences, axes::Labels> BartForSequenceClassification<D>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  check_batch(batch, positions());
  auto const sources = batch.sequences.template relabel<axes::SourceTokens>();
  std::vector<TokenId> shifted(batch.ids.begin(), batch.ids.end());
  for (std::size_t s = 0; s < batch.sequences.count(); ++s) {
    auto const text = std::span(shifted).subspan(batch.sequences.offset(s), batch.sequences.length(s));
    if (text.empty()) continue;
    std::shift_right(text.begin(), text.end(), 1);
    text.front() = decoder_start;
  }
  auto const encoded = bart.encode({batch.ids, sources}, context);
  TokenBatch targets = batch;
  targets.ids = shifted;
  auto const states = bart(targets, {encoded, sources}, context);
  auto ends = make_tensor<float>(context, Shape<axes::Sequences, typename D::Hidden>::of({batch.sequences.count(), states.columns()}));
  for (std::size_t s = 0; s < batch.sequences.count(); ++s) std::ranges::copy(states.row(last_end(batch, s)), ends.row(s).begin());
  return head(ends, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> BartForSequenceClassification<>::operator()(TokenBatch const&, Context&) const;
#endif

/// Loads BartForSequenceClassification, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<BartForSequenceClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<BartForSequenceClassification<D>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    auto plan = internal::BartPlan<D, PostNormRecipe>::of(directory, checkpoint, ModelHead::sequence_classification);
    auto const& hidden = plan.decoder.hidden;
    std::string const file = (directory / "config.json").string();
    if (plan.config.end_of_text_ids.size() != 1)
      throw CheckpointError(file + ": eos_token_id: found " + std::to_string(plan.config.end_of_text_ids.size()) +
                            " ids, expected one, at which texts are labelled");
    if (!plan.config.decoder_start)
      throw CheckpointError(file + ": decoder_start_token_id: found none, expected the token that the decoder begins with");
    return {{plan.create(),
             {{hidden, hidden}, Activation::tanh, {hidden, read_label_config(directory).labels.size()}},
             static_cast<TokenId>(plan.config.end_of_text_ids.front()),
             static_cast<TokenId>(*plan.config.decoder_start)},
            std::move(plan.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
