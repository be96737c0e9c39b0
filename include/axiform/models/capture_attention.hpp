/// @file
/// `capture_attention`: what an encoder-decoder attends to while it reads a source and writes a target.
#pragma once

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/one_of.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Puts the observer back that a context had.
class KeepObserver {
 public:
  explicit KeepObserver(Context& context) : context_(context), before_(context.observer()) {}
  ~KeepObserver() { context_.observe(before_); }
  KeepObserver(KeepObserver const&) = delete;
  KeepObserver& operator=(KeepObserver const&) = delete;

 private:
  Context& context_;
  Observer* before_;
};

}  // namespace internal

/// Runs a source and a whole target, with an observer for each side: both count their layers from 0.
///
/// @param model           An `EncoderDecoder`, or `AnySequenceToSequence`.
/// @param source          What the encoder reads, at least one token.
/// @param target          What the decoder has written, from the token on with which it begins, at least one.
/// @param encoder,decoder What sees either side; null for none. The context's own observer sees nothing.
/// @throws ArgumentError when one of the two has no token, or as the model.
template <class Model>
  requires(internal::takes_sources<Model>)
void run_observed(Model const& model, TokenIds const& source, TokenIds const& target, Observer* encoder, Observer* decoder,
                  Context& context) {
  if constexpr (requires { model.variant(); }) {
    model.visit_model([&](auto const& one) { run_observed(one, source, target, encoder, decoder, context); });
  } else {
    if (source.size() == 0) throw ArgumentError("source: found no token, expected at least one");
    if (target.size() == 0) throw ArgumentError("target: found no token, expected at least one");
    internal::KeepObserver const keep(context);
    auto const sources = SequenceOffsets<axes::SourceTokens>::single(source.size());
    auto const targets = SequenceOffsets<axes::Tokens>::single(target.size());
    context.observe(encoder);
    auto const encoded = model.encode({source, sources}, context);
    context.observe(decoder);
    model({.ids = target, .sequences = targets}, {encoded, sources}, context);
  }
}

/// Runs a source and a whole target, and keeps all attention probabilities and hidden states of both sides.
///
///     auto const seen = capture_attention(model, source, target, context);
///     seen.decoder.cross_attention(layer)(head, query, key);   // how much target token `query` attends to source token `key`
///     write_attention_view("translation.html", attention_view(seen.encoder, seen.decoder, source_tokens, target_tokens));
///
/// @throws As `run_observed`, whose parameters it has.
template <class Model>
  requires(internal::takes_sources<Model>)
EncoderDecoderCapture capture_attention(Model const& model, TokenIds const& source, TokenIds const& target, Context& context) {
  EncoderDecoderCapture seen;
  run_observed(model, source, target, &seen.encoder, &seen.decoder, context);
  return seen;
}

}  // namespace axiform::inline AXIFORM_ARCH
