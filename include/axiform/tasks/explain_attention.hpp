/// @file
/// `explain_attention`: what one head of one layer does, step by step, with the numbers, for those who want to see how attention works.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <iomanip>
#include <limits>
#include <optional>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/probabilities.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/capture_attention.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/attention.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Which head is explained.
struct AttentionHeadChoice {
  std::ptrdiff_t layer = 0;  ///< From 0; negative ones count from the last.
  std::size_t head = 0;      ///< From 0.
  std::size_t sequence = 0;  ///< Of the batch.
};

/// Everything that a head computes for one sequence (Vaswani et al. 2017, eq. 1), in order.
struct AttentionSteps {
  std::size_t layer = 0;                       ///< Whose attention it is, from 0.
  std::size_t head = 0;                        ///< Which head, from 0.
  AttentionKind kind = AttentionKind::self;    ///< Whether keys and values are of other tokens than queries: a source's.
  AttentionMask mask = AttentionMask::none;    ///< Whether a token sees only itself and what came before it.
  std::size_t attended = 0;                    ///< How many tokens, the first, are attended to: all, unless the batch says otherwise.
  float scale = 1;                             ///< 1 / √HeadSize, or what the model has instead.
  Tensor<float, axes::Tokens, axes::Hidden> states;        ///< What enters the attention: behind the norm where the layer normalises first.
  /// Of cross-attention what keys and values are made of: what leaves the encoder. Otherwise no rows: they are made of `states`.
  Tensor<float, axes::SourceTokens, axes::Hidden> source{0, 0};
  Tensor<float, axes::Queries, axes::HeadSize> query;      ///< Q = states W_Qᵀ + b_Q.
  Tensor<float, axes::Keys, axes::HeadSize> key;           ///< K = states W_Kᵀ + b_K, or of the source.
  Tensor<float, axes::Keys, axes::HeadSize> value;         ///< V = states W_Vᵀ + b_V, or of the source.
  Tensor<float, axes::Queries, axes::Keys> scores;         ///< Q Kᵀ.
  Tensor<float, axes::Queries, axes::Keys> scaled;         ///< Scores times the scale.
  Tensor<float, axes::Queries, axes::Keys> masked;         ///< The same with -infinity where a token must not look.
  Tensor<float, axes::Queries, axes::Keys> probabilities;  ///< Softmax of each row.
  Tensor<float, axes::Queries, axes::HeadSize> output;  ///< Probabilities times V: the head's part of what the output's product is given.
};

namespace internal {

// A row of a parameter, in float64.
inline std::vector<double> parameter_row(ConstParameterRef const& parameter, std::size_t row) {
  std::vector<float> values(parameter.columns());
  parameter.read_row(row, values);
  return {values.begin(), values.end()};
}

// states [rows, hidden] times the rows of one head of a weight, and its bias, all by name: "query", "key", "value".
template <Axis Rows, Axis StateRows, class Attention>
Tensor<float, Rows, axes::HeadSize> project_head(Attention const& attention, std::string const& name,
                                                 Tensor<float, StateRows, axes::Hidden> const& states, std::size_t head,
                                                 std::size_t head_size) {
  Tensor<float, Rows, axes::HeadSize> result(states.rows(), head_size);
  std::vector<double> sums(states.rows() * head_size);
  for_each_parameter(attention, [&](std::string_view path, ConstParameterRef const& parameter) {
    if (path == name + ".bias") {
      auto const bias = parameter_row(parameter, 0);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += bias[head * head_size + i % head_size];
    } else if (path == name + ".weight") {
      for (std::size_t column = 0; column < head_size; ++column) {
        auto const weights = parameter_row(parameter, head * head_size + column);
        for (std::size_t token = 0; token < states.rows(); ++token) {
          auto const state = states.row(token);
          for (std::size_t i = 0; i < weights.size(); ++i) sums[token * head_size + column] += weights[i] * state[i];
        }
      }
    }
  });
  std::ranges::copy(sums, result.data());
  return result;
}

// Which head, of what.
struct HeadPlace {
  std::size_t layer;
  std::size_t head;
  std::size_t head_size;
  AttentionMask mask;
  std::size_t attended;
};

// The steps behind the projections, as the formula says them: plain loops in float64, not the kernels. `source` has no rows where tokens attend to
// their own sequence.
template <class Attention>
AttentionSteps explain_head(Attention const& attention, HeadPlace const& place, Tensor<float, axes::Tokens, axes::Hidden> states,
                            Tensor<float, axes::SourceTokens, axes::Hidden> source) {
  auto const [layer, head, head_size, mask, attended] = place;
  bool const is_cross = source.rows() > 0;
  std::size_t const queries = states.rows(), keys = is_cross ? source.rows() : queries;
  double const scale = attention.scale() ? double{*attention.scale()} : 1 / std::sqrt(static_cast<double>(head_size));
  auto const of_keys = [&](char const* name) {
    return is_cross ? project_head<axes::Keys>(attention, name, source, head, head_size)
                    : project_head<axes::Keys>(attention, name, states, head, head_size);
  };
  auto query_rows = project_head<axes::Queries>(attention, "query", states, head, head_size);
  auto key_rows = of_keys("key"), value_rows = of_keys("value");
  AttentionSteps steps{.layer = layer,
                       .head = head,
                       .kind = is_cross ? AttentionKind::cross : AttentionKind::self,
                       .mask = mask,
                       .attended = attended,
                       .scale = static_cast<float>(scale),
                       .states = std::move(states),
                       .source = std::move(source),
                       .query = std::move(query_rows),
                       .key = std::move(key_rows),
                       .value = std::move(value_rows),
                       .scores = Tensor<float, axes::Queries, axes::Keys>(queries, keys),
                       .scaled = Tensor<float, axes::Queries, axes::Keys>(queries, keys),
                       .masked = Tensor<float, axes::Queries, axes::Keys>(queries, keys),
                       .probabilities = Tensor<float, axes::Queries, axes::Keys>(queries, keys),
                       .output = Tensor<float, axes::Queries, axes::HeadSize>(queries, head_size)};
  std::vector<double> row(keys);
  for (std::size_t query = 0; query < queries; ++query) {
    for (std::size_t key = 0; key < keys; ++key) {
      double score = 0;
      for (std::size_t i = 0; i < head_size; ++i) score += static_cast<double>(steps.query(query, i)) * steps.key(key, i);
      bool const is_hidden = key >= attended || (mask == AttentionMask::causal && key > query);
      row[key] = is_hidden ? -std::numeric_limits<double>::infinity() : score * scale;
      steps.scores(query, key) = static_cast<float>(score);
      steps.scaled(query, key) = static_cast<float>(score * scale);
      steps.masked(query, key) = static_cast<float>(row[key]);
    }
    if (attended == 0)
      std::ranges::fill(row, 0);  // as the model has it: nothing to attend to gives zeros
    else
      axiform::detail::to_probabilities(row);
    for (std::size_t key = 0; key < keys; ++key) steps.probabilities(query, key) = static_cast<float>(row[key]);
    for (std::size_t i = 0; i < head_size; ++i) {
      double output = 0;
      for (std::size_t key = 0; key < keys; ++key) output += row[key] * steps.value(key, i);
      steps.output(query, i) = static_cast<float>(output);
    }
  }
  return steps;
}

// A copy of some rows, whose columns have a name of their own.
template <Axis Rows, class X>
Tensor<float, Rows, axes::Hidden> copy_rows(X const& x, std::size_t first, std::size_t count) {
  Tensor<float, Rows, axes::Hidden> copy(count, std::size_t{x.columns()});
  for (std::size_t row = 0; row < count; ++row) std::ranges::copy(x.row(first + row), copy.row(row).begin());
  return copy;
}

// What enters an attention: what enters its block, or that behind the norm.
template <NormPlacement placement, class Norm, class X>
auto entering_attention([[maybe_unused]] Norm const& norm, X const& x, [[maybe_unused]] Context& context) {
  if constexpr (placement == NormPlacement::before) {
    return norm(x, context);
  } else {
    return x;
  }
}

// Which layer is chosen, when there is one, and such a head.
inline std::size_t checked_layer(AttentionHeadChoice const& choice, std::size_t layers, std::size_t heads) {
  auto const count = static_cast<std::ptrdiff_t>(layers);
  if (choice.layer < -count || choice.layer >= count)
    throw ArgumentError("layer: found " + std::to_string(choice.layer) + ", expected " + std::to_string(-count) + " to " +
                        std::to_string(count - 1));
  if (choice.head >= heads)
    throw ArgumentError("head: found " + std::to_string(choice.head) + ", expected 0 to " + std::to_string(heads - 1));
  return static_cast<std::size_t>(choice.layer < 0 ? choice.layer + count : choice.layer);
}

// Keeps what enters one layer.
class LayerInput final : public Observer {
 public:
  explicit LayerInput(std::size_t layer) : layer_(layer) {}
  void hidden_states(std::size_t index, View<axes::Tokens, axes::Hidden> states) override {
    if (index != layer_) return;
    states_ = Tensor<float, axes::Tokens, axes::Hidden>(states.rows(), states.columns());
    for (std::size_t row = 0; row < states.rows(); ++row) std::ranges::copy(states.row(row), states_.row(row).begin());
  }
  View<axes::Tokens, axes::Hidden> states() const noexcept { return states_; }

 private:
  std::size_t layer_;
  Tensor<float, axes::Tokens, axes::Hidden> states_{0, 0};
};

// Runs the model on the batch, and explains a head of a layer of `stack` on the rows of its sequence. `normalize(layer, states)` is what comes before
// the attention.
template <class Model, class Stack, class Normalize>
AttentionSteps explain_model(Model const& model, Stack const& stack, TokenBatch const& batch, AttentionHeadChoice const& choice,
                             AttentionMask mask, Context& context, Normalize const& normalize) {
  std::size_t const index = checked_layer(choice, stack.steps(), model.dimensions.heads);
  std::size_t const tokens = batch.sequences.length(choice.sequence), first = batch.sequences.offset(choice.sequence);
  if (tokens == 0) throw ArgumentError("sequence " + std::to_string(choice.sequence) + ": found no token, expected at least one");

  LayerInput input(index);
  KeepObserver const keep(context);
  context.observe(&input);
  model(batch, context);

  std::size_t const attended = batch.attended.empty() ? tokens : std::min(batch.attended[choice.sequence], tokens);
  return explain_head(stack.layer(index).attention, {index, choice.head, model.dimensions.head_size, mask, attended},
                      copy_rows<axes::Tokens>(normalize(stack.layer(index), input.states()), first, tokens),
                      Tensor<float, axes::SourceTokens, axes::Hidden>(0, 0));
}

}  // namespace internal

/// What a head of a BERT computes for a sequence. The model runs; from what entered the layer, and the layer's parameters, the head is then
/// computed again, number by number, so that each step can be looked at. Its probabilities and output are the model's, but for rounding. Tokens that
/// nothing attends to (`TokenBatch::attended`) are hidden from all.
///
///     auto const steps = explain_attention(bert, encoding.ids, {.layer = -1, .head = 3}, context);
///     print_attention_steps(std::cout, steps, tokenizer.tokens(encoding), {.query = 2});
///
/// @throws ArgumentError when there is no such layer, head or sequence, or the sequence is empty; and as the model.
template <DimensionsLike D>
AttentionSteps explain_attention(Bert<D> const& bert, TokenBatch const& batch, AttentionHeadChoice const& choice, Context& context) {
  return internal::explain_model(bert, bert.encoder, batch, choice, AttentionMask::none, context,
                                 [](auto const&, View<axes::Tokens, axes::Hidden> states) { return states; });
}
/// The same of a GPT-2, whose layers normalise first and whose tokens see only what came before them; it refuses tokens that nothing attends to.
template <DimensionsLike D>
AttentionSteps explain_attention(Gpt2<D> const& gpt2, TokenBatch const& batch, AttentionHeadChoice const& choice, Context& context) {
  auto const normalize = [&](Block<D, Gpt2Recipe> const& layer, View<axes::Tokens, axes::Hidden> states) {
    return layer.attention_norm(fix<axes::Tokens, typename D::Hidden>(states), context);
  };
  return internal::explain_model(gpt2, gpt2.decoder, batch, choice, AttentionMask::causal, context, normalize);
}

/// What a head of an encoder-decoder computes for a source and a whole target, in one of its three attentions. In cross-attention queries are the
/// target's and keys and values the source's, and nothing is hidden.
///
///     auto const steps = explain_attention(marian, EncoderDecoderAttention::cross, source, target, {.layer = 0, .head = 3}, context);
///     print_attention_steps(std::cout, steps, target_tokens, source_tokens, {.query = 2});
///
/// @param source,target At least one token each.
/// @param choice        Its sequence is 0: there is one.
/// @throws ArgumentError as above; also where a bias by distance is added to the scores, as in T5's own attention of either side: only its
///         cross-attention is explained.
template <DimensionsLike D, class Recipe>
AttentionSteps explain_attention(EncoderDecoder<D, Recipe> const& model, EncoderDecoderAttention which, TokenIds const& source,
                                 TokenIds const& target, AttentionHeadChoice const& choice, Context& context) {
  if (choice.sequence != 0) throw ArgumentError("sequence: found " + std::to_string(choice.sequence) + ", expected 0: there is one");
  // Both sides come of one run, whichever of them is explained: what is wrong with either is said in any case.
  auto const seen = capture_attention(model, source, target, context);
  internal::KeepObserver const keep(context);
  context.observe(nullptr);
  constexpr NormPlacement placement = Recipe::Decoder::placement;
  static_assert(Recipe::Encoder::placement == placement);
  auto const x_of = [](Capture const& side, std::size_t layer) {
    return fix<axes::Tokens, typename D::Hidden>(side.all_hidden_states()[layer]);
  };
  auto const explain_self = [&](auto const& stack, D const& dimensions, Capture const& side) -> AttentionSteps {
    using Side = typename std::remove_cvref_t<decltype(stack)>::BlockType;
    std::size_t const index = internal::checked_layer(choice, stack.steps(), dimensions.heads);
    if constexpr (!std::same_as<typename Side::Places, typename NoPosition<D>::Places>) {
      throw ArgumentError("attention: found a bias by distance, which is not explained; expected cross-attention, which has none");
    } else {
      auto const& layer = stack.layer(index);
      auto const states = internal::entering_attention<placement>(layer.attention_norm, x_of(side, index), context);
      AttentionMask const mask = layer.attention.is_causal ? AttentionMask::causal : AttentionMask::none;
      return internal::explain_head(layer.attention, {index, choice.head, dimensions.head_size, mask, states.rows()},
                                    internal::copy_rows<axes::Tokens>(states, 0, states.rows()),
                                    Tensor<float, axes::SourceTokens, axes::Hidden>(0, 0));
    }
  };
  if (which == EncoderDecoderAttention::encoder) return explain_self(model.encoder.stack, model.encoder_dimensions, seen.encoder);
  if (which == EncoderDecoderAttention::decoder) return explain_self(model.decoder.stack, model.dimensions, seen.decoder);

  // What enters cross-attention is what the layer's own attention gives.
  auto const& stack = model.decoder.stack;
  std::size_t const index = internal::checked_layer(choice, stack.steps(), model.dimensions.heads);
  auto const& layer = stack.layer(index);
  auto const sequences = SequenceOffsets<axes::Tokens>::single(target.size());
  auto const x = x_of(seen.decoder, index);
  auto const behind = layer.attention(internal::entering_attention<placement>(layer.attention_norm, x, context),
                                      {.sequences = sequences, .places = stack.position(sequences, {}, context)}, context, add_residual(x));
  auto const& norm = placement == NormPlacement::after ? layer.attention_norm : layer.cross_attention_norm;
  auto const states = norm(behind, context);
  auto const& encoded = seen.encoder.all_hidden_states().back();
  return internal::explain_head(
      layer.cross_attention, {index, choice.head, model.dimensions.head_size, AttentionMask::none, encoded.rows()},
      internal::copy_rows<axes::Tokens>(states, 0, states.rows()), internal::copy_rows<axes::SourceTokens>(encoded, 0, encoded.rows()));
}

/// The same of one sequence.
template <class Model>
AttentionSteps explain_attention(Model const& model, TokenIds const& ids, AttentionHeadChoice const& choice, Context& context) {
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  return explain_attention(model, TokenBatch{.ids = ids, .sequences = sequences}, choice, context);
}

/// What `print_attention_steps` tells.
struct AttentionStepsOptions {
  std::size_t query = 0;    ///< The token whose attention is told.
  std::size_t numbers = 4;  ///< Of each vector, so many are printed.
};

namespace internal {

inline std::string first_numbers(std::span<float const> row, std::size_t count) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(3);
  for (float const value : row.first(std::min(count, row.size()))) out << std::setw(8) << value;
  return out.str() + (row.size() > count ? "  …" : "");
}

}  // namespace internal

/// Tells the steps of one token as text: its query; each key's token, with its key, score, scaled and masked score, probability and value; the output.
///
/// @param queries One a row of the queries: the target's tokens in cross-attention.
/// @param keys    One a row of the keys: the source's tokens in cross-attention.
/// @throws ShapeError when there are not as many tokens as rows; ArgumentError when there is no such query.
inline void print_attention_steps(std::ostream& out, AttentionSteps const& steps, std::span<std::string const> queries,
                                  std::span<std::string const> keys, AttentionStepsOptions const& options = {}) {
  auto const check = [](std::span<std::string const> tokens, std::size_t rows, char const* what) {
    if (tokens.size() != rows)
      throw ShapeError("attention steps: found " + std::to_string(tokens.size()) + " tokens for " + std::to_string(rows) + " rows of " +
                       what);
  };
  check(queries, steps.query.rows(), "queries");
  check(keys, steps.key.rows(), "keys");
  if (options.query >= queries.size())
    throw ArgumentError("query: found " + std::to_string(options.query) + ", expected 0 to " + std::to_string(queries.size() - 1));
  std::size_t const query = options.query, head_size = steps.query.columns(), shown = std::min(options.numbers, head_size);
  std::size_t width = 5;
  for (std::string const& token : keys) width = std::max(width, count_code_points(token));
  auto const padded = [&](std::string const& text) { return text + std::string(width - std::min(width, count_code_points(text)), ' '); };
  auto const vector = [&](auto const& rows, std::size_t row) { return internal::first_numbers(rows.row(row), shown); };
  std::size_t const vector_width = 8 * shown + (head_size > shown ? 3 : 0);
  bool const is_cross = steps.kind == AttentionKind::cross;

  std::string hidden = is_cross ? "Nothing is hidden: each token of the target may look at all of the source."
                                : "Nothing is hidden: each token may look at all others.";
  if (steps.mask == AttentionMask::causal) {
    hidden = "Tokens that come later are hidden: their score becomes -inf.";
  } else if (steps.attended < keys.size()) {
    hidden = "Tokens from number " + std::to_string(steps.attended) + " on are hidden: their score becomes -inf.";
  }

  std::ostringstream text;
  text << std::fixed << std::setprecision(3);
  text << "Layer " << steps.layer << ", head " << steps.head << ": what \"" << queries[query] << "\" (token " << query << ") looks at"
       << (is_cross ? " in the source.\n\n" : ".\n\n") << "1. Each token comes as " << steps.states.columns() << " numbers. ";
  if (is_cross) {
    text << "Three matrices of the head make " << head_size << " numbers of them each: of a token of the target\n"
         << "   a query (what it looks for), of a token of the source a key (what it offers) and a value (what it gives).";
  } else {
    text << "Three matrices of the head make " << head_size << " numbers of them each: a query (what it\n"
         << "   looks for), a key (what it offers) and a value (what it gives).";
  }
  text << (head_size > shown ? " The first " + std::to_string(shown) + " are shown.\n" : "\n") << "   The query of " << queries[query]
       << ":" << vector(steps.query, query) << "\n"
       << "2. Its score for a token is its query times that token's key, number by number, added up.\n";
  if (steps.scale == 1) {
    text << "3. Scores are not divided: the model was trained without.\n";
  } else {
    text << "3. Scores are divided by the root of " << head_size << ", which is " << 1 / steps.scale
         << ", so that they do not grow with the head's size.\n";
  }
  text << "4. " << hidden << "\n"
       << "5. Softmax makes shares that sum to 1: e to the power of each score, divided by the sum of them all.\n\n";
  text << "   " << padded("token") << "  " << std::left << std::setw(static_cast<int>(vector_width)) << "     key" << std::right;
  for (char const* const column : {"score", "scaled", "masked", "share"}) text << std::setw(10) << column;
  text << "       value\n";
  for (std::size_t key = 0; key < keys.size(); ++key) {
    text << "   " << padded(keys[key]) << "  " << vector(steps.key, key);
    for (auto const* const step : {&steps.scores, &steps.scaled, &steps.masked, &steps.probabilities})
      text << std::setw(10) << (*step)(query, key);
    text << "    " << vector(steps.value, key) << "\n";
  }
  text << "\n6. The output is the sum of the values, each times its share:\n   " << vector(steps.output, query) << "\n";
  out << text.str();
}
/// The same where tokens attend to their own sequence.
/// @throws As above.
inline void print_attention_steps(std::ostream& out, AttentionSteps const& steps, std::span<std::string const> tokens,
                                  AttentionStepsOptions const& options = {}) {
  print_attention_steps(out, steps, tokens, tokens, options);
}

}  // namespace axiform::inline AXIFORM_ARCH
