/// @file
/// `chosen_attention`: the one map that someone wants to look at, out of all that a pass computed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/inspect/attention_table.hpp>

namespace axiform {

/// Which attention map.
struct AttentionChoice {
  std::ptrdiff_t layer = -1;             ///< From 0; negative ones count from the end, so that -1 is the last.
  std::optional<std::size_t> head = {};  ///< From 0; nothing for the mean over the heads.
  AttentionKind kind = AttentionKind::self;  ///< Of a decoder beside an encoder: its own, or that to the encoder.
};

/// The attention of one sequence in a layer, of a head or of all heads on average.
///
///     Capture capture;
///     context.observe(&capture);
///     bert(ids, context);
///     print_attention_table(std::cout, chosen_attention(capture, {.layer = -1}), tokens, tokens);
///
/// @return [Queries, Keys].
/// @throws ArgumentError when the layer, the head or the sequence is not there; the message says which are.
Tensor<float, axes::Queries, axes::Keys> chosen_attention(Capture const& capture, AttentionChoice const& choice, std::size_t sequence = 0);

/// The same of an encoder-decoder (`capture_attention`), one of its three attentions; `choice.kind` is not heeded.
///
///     auto const seen = capture_attention(model, source, target, context);
///     auto const map = chosen_attention(seen, EncoderDecoderAttention::cross, {.layer = -1});
///     print_attention_table(std::cout, map, target_tokens, source_tokens);
///
/// @return [Queries, Keys].
/// @throws As above.
Tensor<float, axes::Queries, axes::Keys> chosen_attention(EncoderDecoderCapture const& seen, EncoderDecoderAttention which,
                                                          AttentionChoice choice);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

AXIFORM_INLINE Tensor<float, axes::Queries, axes::Keys> chosen_attention(Capture const& capture, AttentionChoice const& choice,
                                                                         std::size_t sequence) {
  auto const layers = static_cast<std::ptrdiff_t>(capture.layers());
  if (layers == 0) throw ArgumentError("layer: found " + std::to_string(choice.layer) + ", and no layer was seen");
  if (choice.layer < -layers || choice.layer >= layers)
    throw ArgumentError("layer: found " + std::to_string(choice.layer) + ", expected " + std::to_string(-layers) + " to " +
                        std::to_string(layers - 1));
  auto const layer = static_cast<std::size_t>(choice.layer < 0 ? choice.layer + layers : choice.layer);
  auto const& map = choice.kind == AttentionKind::self ? capture.attention(layer, sequence) : capture.cross_attention(layer, sequence);
  if (!choice.head) return mean_over_heads(map);
  auto const view = attention_of_head(map, *choice.head);
  Tensor<float, axes::Queries, axes::Keys> attention(view.length<0>(), view.length<1>());
  for (std::size_t query = 0; query < view.rows(); ++query) std::ranges::copy(view.row(query), attention.row(query).begin());
  return attention;
}

AXIFORM_INLINE Tensor<float, axes::Queries, axes::Keys> chosen_attention(EncoderDecoderCapture const& seen, EncoderDecoderAttention which,
                                                                         AttentionChoice choice) {
  choice.kind = which == EncoderDecoderAttention::cross ? AttentionKind::cross : AttentionKind::self;
  return chosen_attention(seen.side(which), choice);
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
