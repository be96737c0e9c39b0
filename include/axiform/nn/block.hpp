/// @file
/// `Block`: attention, attention to an encoder where the recipe has it, and the feed-forward block, each with its residual and norm. `Stack`:
/// blocks one after another.
///
///     struct Gpt2Recipe : BlockRecipe {
///       static constexpr char const* name = "Gpt2Block";
///       static constexpr auto placement = NormPlacement::before;
///       static constexpr auto mask = AttentionMask::causal;
///       static constexpr auto order = MemberOrder::norms_before;
///     };
///     auto stack = Stack<D, Gpt2Recipe>::create(d, layers, {.activation = Activation::gelu_tanh});
///     auto states = stack(x, {.sequences = sequences, .cache = &cache}, context);
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/nn/attention.hpp>
#include <axiform/nn/cross_attention.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// The source of a block that has none.
struct NoSource {};

}  // namespace internal

/// One transformer block, made by a recipe.
template <DimensionsLike D, RecipeLike Recipe>
struct Block {
  using Norm = typename Recipe::template Norm<typename D::Hidden>;                            ///< Its norms.
  /// That of the attention, which a first block may lack.
  using AttentionNorm = std::conditional_t<Recipe::first_norm == FirstNorm::present, Norm, std::optional<Norm>>;
  using FeedForward = typename Recipe::template FeedForward<D>;                               ///< Its feed-forward block.
  using Places = typename Attention<D, Recipe>::Places;                                       ///< What a pass says of positions.
  static constexpr bool has_source = Recipe::cross_attention == CrossAttentionPart::present;  ///< Whether it attends to an encoder, too.
  static constexpr char const* class_name = Recipe::name;                                     ///< In module trees.
  /// What it attends to besides its own tokens: an `EncoderOutput`, or what was projected before.
  using Source = std::conditional_t<has_source, CrossSource<D>, internal::NoSource>;

  /// What a block reads besides the tokens.
  template <Axis Rows>
  struct Input {
    SequenceOffsets<Rows> const& sequences;    ///< Where each sequence begins.
    [[no_unique_address]] Source source = {};  ///< What it attends to besides.
    [[no_unique_address]] Places places = {};  ///< Where tokens stand, from the stack's position.
    Past past = {};                            ///< What came before, to which the tokens are added.
    std::size_t layer = 0;                     ///< Of the source, where it was projected before.
    std::span<std::size_t const> attended = {};  ///< How many tokens of each sequence, the first, are attended to; empty for all.
  };

  Attention<D, Recipe> attention;                                                                      ///< Within each sequence.
  AttentionNorm attention_norm;                                                                        ///< Of the attention.
  [[no_unique_address]] internal::MemberIf<has_source, CrossAttention<D, Recipe>, 0> cross_attention;  ///< To the source.
  [[no_unique_address]] internal::MemberIf<has_source, Norm, 1> cross_attention_norm;                  ///< Of the cross-attention.
  FeedForward mlp;                                                                                     ///< The feed-forward block.
  Norm mlp_norm;                                                                                       ///< Of the feed-forward block.

  /// A block with zero weights, to be loaded or initialised.
  static constexpr Block create(D const& d, LayerSettings const& settings) {
    auto const norm = [&] { return Norm(d.hidden, settings.layer_norm_epsilon); };
    if constexpr (has_source) {
      auto feed_forward = make_feed_forward(d, settings);
      return {Attention<D, Recipe>(d, settings), norm(), CrossAttention<D, Recipe>(d, settings), norm(), std::move(feed_forward), norm()};
    } else {
      return {Attention<D, Recipe>(d, settings), norm(), {}, {}, make_feed_forward(d, settings), norm()};
    }
  }

  /// @param x     [Rows, Hidden], packed: whole sequences, or those behind the past.
  /// @param input `{.sequences = …}`, and what the recipe and the caller have besides.
  /// @return      [Rows, Hidden].
  /// @throws As `Attention`.
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, Input<RowAxis<X>> const& input, Context& context) const {
    auto const h = with_norm(attention_norm, x, context, [&](auto const& y, auto const& residual) {
      return attention(y, {.sequences = input.sequences, .places = input.places, .past = input.past, .attended = input.attended}, context,
                       residual);
    });
    auto const feed_forward = [&](auto const& y, auto const& residual) { return mlp(y, context, residual); };
    if constexpr (has_source) {
      auto const g = with_norm(cross_attention_norm, h, context,
                               [&](auto const& y, auto const& residual) { return attend_to_source(y, input, context, residual); });
      return with_norm(mlp_norm, g, context, feed_forward);
    } else {
      return with_norm(mlp_norm, h, context, feed_forward);
    }
  }
  /// Whole sequences, by a block without a source.
  template <RowsOf<typename D::Hidden> X>
    requires(!has_source)
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences,
                                                           Context& context) const {
    return (*this)(x, Input<RowAxis<X>>{.sequences = sequences}, context);
  }

  /// Floating-point operations that one token takes among `context_length` tokens: two for each weight of a product, and the two products of
  /// self-attention.
  static constexpr std::size_t flops_per_token(D const& d, std::size_t context_length)
    requires(!has_source)
  {
    return 2 * count_product_weights(create(d, {})) + 4 * context_length * d.width();
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    auto const part_and_norm = [&](char const* name, auto& part, char const* norm_name, auto& norm) {
      if constexpr (Recipe::order == MemberOrder::norms_before) visitor(norm_name, norm);
      visitor(name, part);
      if constexpr (Recipe::order == MemberOrder::norms_behind) visitor(norm_name, norm);
    };
    part_and_norm("attention", self.attention, "attention_norm", self.attention_norm);
    part_and_norm("cross_attention", self.cross_attention, "cross_attention_norm", self.cross_attention_norm);
    part_and_norm("mlp", self.mlp, "mlp_norm", self.mlp_norm);
  }

 private:
  static constexpr FeedForward make_feed_forward(D const& d, LayerSettings const& settings) {
    if constexpr (requires { FeedForward::create(d, settings.activation, settings.gate); }) {
      return FeedForward::create(d, settings.activation, settings.gate);
    } else {
      return FeedForward::create(d, settings.activation);
    }
  }

  template <class X, class Part>
  static auto with_norm(std::optional<Norm> const& norm, X const& x, Context& context, Part const& part) {
    static_assert(Recipe::placement == NormPlacement::before, "a block that normalises behind its parts has every norm");
    return norm ? with_norm(*norm, x, context, part) : part(x, add_residual(x));
  }
  template <class X, class Part>
  static auto with_norm(Norm const& norm, X const& x, Context& context, Part const& part) {
    if constexpr (Recipe::placement == NormPlacement::after) {
      return norm(part(x, add_residual(x)), context);
    } else {
      return part(norm(x, context), add_residual(x));
    }
  }

  template <class X, class Residual>
  auto attend_to_source(X const& x, Input<RowAxis<X>> const& input, Context& context, Residual const& residual) const {
    CrossSource<D> const& source = input.source;
    if (source.output()) return cross_attention(x, input.sequences, source.output()->states, source.output()->sequences, context, residual);
    if (source.source_of().size() < input.sequences.count())
      throw ShapeError("source: found " + std::to_string(input.sequences.count()) + " sequences, expected at most the " +
                       std::to_string(source.source_of().size()) + " that have a source");
    auto keys = make_tensor<kernels::CachedKeys>(context, Shape<axes::Sequences>(input.sequences.count()));
    for (std::size_t s = 0; s < input.sequences.count(); ++s) keys.data()[s] = source.projected()->keys(input.layer, source.source_of()[s]);
    return cross_attention(x, input.sequences, std::span<kernels::CachedKeys const>(keys.elements()), context, residual);
  }
};

/// Which layer of a stack runs at each step, where some run more than once (ALBERT's do, Lan et al. 2020).
struct LayerOrder {
  std::size_t layers = 0;                 ///< Layers that there are.
  std::vector<std::size_t> of_step = {};  ///< The layer of each step; empty where each runs once, one after another.
};

namespace internal {

template <class X>
void observe_hidden_states(Context& context, std::size_t stage, X const& states) {
  if (Observer* const observer = context.observer())
    observer->hidden_states(stage, View<axes::Tokens, axes::Hidden>(states.data(), Shape<axes::Tokens, axes::Hidden>::of(states.lengths()),
                                                                    states.row_stride()));
}

}  // namespace internal

/// Blocks one after another, and what they share: positions and a final norm. A pre-norm stack has a final norm; a post-norm one can be given one
/// (`final_norm.emplace(…)`).
template <DimensionsLike D, RecipeLike Recipe>
struct Stack {
  using BlockType = Block<D, Recipe>;                            ///< Its blocks.
  using Position = typename Recipe::template Position<D>;        ///< How self-attention sees where tokens stand.
  using Source = typename BlockType::Source;                     ///< What they attend to besides their own tokens.
  static constexpr bool has_source = BlockType::has_source;      ///< Whether they do.
  static constexpr char const* class_name = Recipe::stack_name;  ///< In module trees.

  /// What a stack reads besides the tokens.
  template <Axis Rows>
  struct Input {
    SequenceOffsets<Rows> const& sequences;    ///< Where each sequence begins.
    [[no_unique_address]] Source source = {};  ///< What the blocks attend to besides.
    KeyValueCache* cache = nullptr;            ///< What came before, to which the tokens are added; null for whole sequences.
    std::span<std::size_t const> attended = {};  ///< How many tokens of each sequence, the first, are attended to; empty for all.
  };

  std::vector<BlockType> layers;                                                 ///< First to last.
  std::optional<typename Recipe::template Norm<typename D::Hidden>> final_norm;  ///< Behind the last layer.
  Position position;                                                             ///< Shared by all layers.
  LayerOrder order;                                                              ///< Which of them runs at each step.
  CacheFormat cache_format = CacheFormat::f32;                                   ///< What caches for it are kept in.

  /// A stack with zero weights, to be loaded or initialised.
  static constexpr Stack create(D const& d, std::size_t layers, LayerSettings const& settings) {
    return create(d, std::vector<LayerSettings>(layers, settings), settings);
  }
  /// The same where layers differ, in how far they see, say. `shared` has what is the stack's: positions, and the epsilon of the final norm.
  static constexpr Stack create(D const& d, std::span<LayerSettings const> layers, LayerSettings const& shared) {
    Stack stack{{}, {}, make_position(d, layers, shared), {}};
    stack.layers.reserve(layers.size());
    for (LayerSettings const& layer : layers) stack.layers.push_back(BlockType::create(d, layer));
    if constexpr (Recipe::first_norm == FirstNorm::absent)
      if (!stack.layers.empty()) stack.layers.front().attention_norm.reset();
    if (Recipe::placement == NormPlacement::before) stack.final_norm.emplace(d.hidden, shared.layer_norm_epsilon);
    return stack;
  }

  /// Lets layers run in an order of their own.
  /// @throws ArgumentError when a step names a layer that is not there.
  constexpr void run_in(LayerOrder new_order) {
    for (std::size_t const layer : new_order.of_step)
      if (layer >= layers.size())
        throw ArgumentError(std::string(class_name) + ": found layer " + std::to_string(layer) + " at a step, expected less than " +
                            std::to_string(layers.size()));
    order = std::move(new_order);
  }
  /// Steps that a pass takes: its layers, or more where some run more than once.
  constexpr std::size_t steps() const noexcept { return order.of_step.empty() ? layers.size() : order.of_step.size(); }
  /// What runs at a step.
  BlockType const& layer(std::size_t step) const { return layers[index_of(step)]; }
  /// Steps at which a layer runs.
  std::size_t runs_of(std::size_t layer) const {
    return order.of_step.empty() ? 1 : static_cast<std::size_t>(std::ranges::count(order.of_step, layer));
  }

  /// @param x     [Rows, Hidden], packed: what enters the first layer; with a cache, the tokens behind those that it has.
  /// @param input `{.sequences = …}`, and what the recipe and the caller have besides. A cache grows by the tokens.
  /// @return      [Rows, Hidden], with a cache the same bits as without.
  /// @throws ArgumentError when there is no layer; else as `Attention`.
  template <RowsOf<typename D::Hidden> X>
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, Input<RowAxis<X>> const& input, Context& context) const {
    if (layers.empty()) throw ArgumentError(std::string(class_name) + ": found no layer, expected at least one");
    Context::Pass const pass(context);
    auto const placed =
        position(input.sequences, input.cache != nullptr ? input.cache->lengths() : std::span<std::size_t const>(), context);
    internal::observe_hidden_states(context, 0, x);
    std::optional<Tensor<float, RowAxis<X>, typename D::Hidden>> states;
    for (std::size_t i = 0; i < steps(); ++i) {
      if (Observer* const observer = context.observer()) observer->begin_layer(i);
      typename BlockType::template Input<RowAxis<X>> const layer_input{.sequences = input.sequences,
                                                                       .source = input.source,
                                                                       .places = places_in(placed, index_of(i)),
                                                                       .past = {input.cache, i},
                                                                       .layer = i,
                                                                       .attended = input.attended};
      states.emplace(states ? layer(i)(*states, layer_input, context) : layer(i)(x, layer_input, context));
      if (i + 1 == steps() && final_norm) states.emplace((*final_norm)(*states, context));
      internal::observe_hidden_states(context, i + 1, *states);
    }
    if (input.cache != nullptr) input.cache->advance(input.sequences);
    return std::move(*states);
  }
  /// Whole sequences, by a stack without a source.
  template <RowsOf<typename D::Hidden> X>
    requires(!has_source)
  Tensor<float, RowAxis<X>, typename D::Hidden> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences,
                                                           Context& context) const {
    return (*this)(x, Input<RowAxis<X>>{.sequences = sequences}, context);
  }

  /// The widths of a cache for its blocks: `KeyValueCache(stack.cache_widths(), sequences, capacity)`.
  CacheWidths cache_widths() const noexcept {
    if (layers.empty()) return {.layers = 0, .heads = 0, .head_size = 0};
    auto const& attention = layers[0].attention;
    return {.layers = steps(), .heads = attention.key_heads(), .head_size = attention.head_size(), .format = cache_format};
  }

  /// The keys and values that every layer makes of an encoder's output: what `CrossSource` takes instead of the output, so that they are not made
  /// again for every token.
  ProjectedSource project_source(EncoderOutput<D> const& output, Context& context) const
    requires has_source
  {
    if (layers.empty()) throw ArgumentError(std::string(class_name) + ": found no layer, expected at least one");
    std::size_t const key_width = layers[0].cross_attention.key_width();
    output.sequences.check_rows(output.states.rows(), "source");
    std::size_t const heads = layers[0].cross_attention.key_heads();
    ProjectedSource projected({.layers = steps(), .heads = heads, .head_size = heads == 0 ? 0 : key_width / heads}, output.sequences);
    for (std::size_t i = 0; i < steps(); ++i) {
      if (Observer* const observer = context.observer()) observer->begin_layer(i);
      layer(i).cross_attention.project(output.states, projected, i, context);
    }
    return projected;
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("layers", self.layers);
    visitor("final_norm", self.final_norm);
    visitor("position", self.position);
    visitor("order", self.order);
    visitor("cache_format", self.cache_format);
  }

 private:
  std::size_t index_of(std::size_t step) const { return order.of_step.empty() ? step : order.of_step[step]; }

  static constexpr bool has_position_by_layer = requires(D const& d, std::span<PositionSettings const> settings) {
    Position::create(d, settings);
  };

  static constexpr Position make_position(D const& d, [[maybe_unused]] std::span<LayerSettings const> layers,
                                          [[maybe_unused]] LayerSettings const& shared) {
    if constexpr (has_position_by_layer) {
      std::vector<PositionSettings> positions;
      for (LayerSettings const& layer : layers) positions.push_back(layer.position);
      return Position::create(d, positions);
    } else {
      return Position::create(d, shared.position);
    }
  }
  template <class Pass>
  typename BlockType::Places places_in(Pass const& pass, [[maybe_unused]] std::size_t layer) const {
    if constexpr (has_position_by_layer) {
      return position.places(pass, layer);
    } else {
      return pass;
    }
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
