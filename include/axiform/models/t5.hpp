/// @file
/// `T5Encoder`: the encoder of a T5 alone, as sentence-t5, GTR and INSTRUCTOR have it. The whole model is `T5` (models/encoder_decoder_recipes.hpp).
#pragma once

#include <cstddef>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/encoder_decoder_recipes.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/sequence_embedding.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// The encoder of a T5 (Hugging Face's T5EncoderModel): from the checkpoint of an encoder alone, or from that of a whole T5, whose decoder is passed over.
///
///     auto const encoder = load<T5Encoder<>>(directory, context);
///     auto const hidden_states = encoder(ids, context);   // [Tokens, Hidden]
///     auto const embedder = SentenceEmbedding<T5Encoder<>>::from_directory("sentence-t5-base", context);
template <DimensionsLike D>
struct T5Encoder {
  using DimensionsType = D;                                        ///< The dimensions that the type has, or leaves free.
  using Settings = EncoderDecoderSettings;                         ///< What it is made with besides: those of a whole T5.
  using States = Tensor<float, axes::Tokens, typename D::Hidden>;  ///< Hidden states of packed tokens.
  static constexpr ModelHead kind = ModelHead::none;               ///< It has no head.
  static constexpr bool heeds_attended = true;                     ///< Whether it takes `TokenBatch::attended`.

  D dimensions;                                                        ///< The widths.
  TokenEmbedding<axes::VocabularyEntries, typename D::Hidden> tokens;  ///< One row a token.
  EmbeddedStack<D, T5Recipe::Encoder> encoder;                         ///< The layers, and the norm behind the last.
  PrintedSettings printed;                                             ///< What only the module tree shows.

  /// An encoder with zero weights, to be loaded or initialised. What the settings say of a decoder is not heeded.
  static constexpr T5Encoder create(D const& d, EncoderDecoderSettings const& settings) {
    return {d,
            {settings.vocabulary, d.hidden, HeadWeights::own},
            EmbeddedStack<D, T5Recipe::Encoder>::create(d, settings.encoder),
            settings.printed};
  }

  /// The hidden states behind the final norm.
  /// @return [Tokens, Hidden], packed as the batch.
  /// @throws ArgumentError when an id has no row, or the batch has segments; ShapeError when the batch does not fit together.
  States operator()(TokenBatch const& batch, Context& context) const;
  /// The same for one sequence.
  States operator()(TokenIds const& ids, Context& context) const {
    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    return (*this)({.ids = ids, .sequences = sequences}, context);
  }

  /// The longest sequence, in tokens: any, as far as the model goes.
  std::size_t positions() const noexcept { return encoder.embedding.longest(); }
  std::size_t token_types() const noexcept { return 0; }                  ///< Segments that it tells apart: none.
  std::size_t hidden_size() const noexcept { return dimensions.hidden; }  ///< Width of the hidden states.
  std::size_t vocabulary() const noexcept { return tokens.rows(); }       ///< Tokens that there are: ids are below it.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("tokens", self.tokens);
    visitor("encoder", self.encoder);
    visitor("printed", self.printed);
  }
};

template <DimensionsLike D>
auto T5Encoder<D>::operator()(TokenBatch const& batch, Context& context) const -> States {
  Context::Pass const pass(context);
  check_batch(batch, positions());
  if (!batch.token_types.empty()) throw ArgumentError("token batch: found token types, expected none: the model has one segment");
  return encoder.stack(encoder.embedding(batch.ids, batch.sequences, {}, tokens, context),
                       {.sequences = batch.sequences, .attended = batch.attended}, context);
}

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models) T5Encoder<>::States T5Encoder<>::operator()(TokenBatch const&, Context&) const;
#endif

}  // namespace axiform::inline AXIFORM_ARCH
