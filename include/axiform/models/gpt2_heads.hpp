/// @file
/// GPT-2 that labels texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// GPT-2 that labels texts by their last token (GPT2ForSequenceClassification).
template <DimensionsLike D>
struct Gpt2ForSequenceClassification {
  using DimensionsType = D;  ///< The dimensions that the type has, or leaves free.
  static constexpr ModelHead kind = ModelHead::sequence_classification;  ///< Its head.

  Gpt2<D> gpt2;                                  ///< The model; its language-model head is not used.
  Linear<typename D::Hidden, axes::Labels, Bias::absent> score;  ///< On the last token.
  std::optional<TokenId> padding_id;             ///< Tokens with this id do not count as a text's last.

  /// @return [Sequences, Labels]. @throws As `Gpt2`; ArgumentError for an empty sequence.
  Tensor<float, axes::Sequences, axes::Labels> operator()(TokenBatch const& batch, Context& context) const;

  std::size_t positions() const noexcept { return gpt2.positions(); }      ///< The longest sequence, in tokens.
  std::size_t token_types() const noexcept { return gpt2.token_types(); }  ///< None.
  std::size_t labels() const noexcept { return score.outputs(); }          ///< Labels that it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.gpt2);
    visitor("score", self.score);
    visitor("padding_id", self.padding_id);
  }

 private:
  // The row of the last token that is not padding; of the first token when all are (as transformers has it).
  std::size_t last_token(TokenBatch const& batch, std::size_t sequence) const {
    std::size_t const first = batch.sequences.offset(sequence);
    std::size_t row = batch.sequences.offset(sequence + 1);
    if (row == first) throw ArgumentError("sequence " + std::to_string(sequence) + ": is empty, expected at least one token");
    for (--row; row > first && padding_id && batch.ids[row] == *padding_id;) --row;
    return row;
  }
};

template <DimensionsLike D>
Tensor<float, axes::Sequences, axes::Labels> Gpt2ForSequenceClassification<D>::operator()(TokenBatch const& batch, Context& context) const {
  Context::Pass const pass(context);
  auto const states = gpt2(batch, context);
  auto last = make_tensor<float>(context, Shape<axes::Sequences, typename D::Hidden>::of({batch.sequences.count(), states.columns()}));
  for (std::size_t s = 0; s < batch.sequences.count(); ++s) std::ranges::copy(states.row(last_token(batch, s)), last.row(s).begin());
  return score(last, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> Gpt2ForSequenceClassification<>::operator()(TokenBatch const&, Context&) const;
#endif

/// Loads GPT2ForSequenceClassification, with as many labels as the config names.
template <DimensionsLike D>
struct ModelLoader<Gpt2ForSequenceClassification<D>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<Gpt2ForSequenceClassification<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    auto body = internal::Gpt2Body<D>::create_without_lm_head(directory);
    auto const hidden = body.gpt2.dimensions.hidden;
    auto const padding_id = body.config.padding_id;
    return {{std::move(body.gpt2),
             {hidden, body.labels(directory)},
             padding_id ? std::optional(static_cast<TokenId>(*padding_id)) : std::nullopt},
            std::move(body.names)};
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
