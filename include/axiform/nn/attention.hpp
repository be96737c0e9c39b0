/// @file
/// `Attention`: tokens that attend to tokens of their own sequence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/observe.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// One layer of a cache of the past, or nothing.
struct Past {
  KeyValueCache* cache = nullptr;  ///< Its lengths are those before the pass.
  std::size_t layer = 0;           ///< Which of its layers.
};

/// Multi-head self-attention (Vaswani et al. 2017, section 3.2). The recipe says which keys a token sees, which products have a bias, and how queries
/// and keys are normalised and turned before keys enter a cache; several heads of queries may share one of keys and values (Ainslie et al.
/// 2023).
template <DimensionsLike D, RecipeLike Recipe = BlockRecipe>
class Attention {
 public:
  using HiddenAxis = typename D::Hidden;                                    ///< The width of the hidden states.
  using Width = typename D::Width;                                          ///< All heads of queries side by side.
  using KeyWidth = typename D::KeyWidth;                                    ///< All heads of keys side by side.
  using Places = typename Recipe::template Position<D>::Places;             ///< What a pass says of positions.
  static constexpr bool is_causal = Recipe::mask == AttentionMask::causal;  ///< Whether a token sees only itself and what came before.
  /// In module trees.
  static constexpr char const* class_name = is_causal ? "CausalSelfAttention" : "SelfAttention";

  /// What attention reads besides the tokens.
  template <Axis Rows>
  struct Input {
    SequenceOffsets<Rows> const& sequences;    ///< Where each sequence begins.
    [[no_unique_address]] Places places = {};  ///< Where tokens stand, from the stack's position.
    Past past = {};                            ///< What came before, to which the tokens are added.
    std::span<std::size_t const> attended = {};  ///< How many tokens of each sequence, the first, are attended to; empty for all.
  };

  /// Zero weights, to be loaded or initialised.
  /// @throws ShapeError when the heads are no multiple of the key heads.
  constexpr explicit Attention(D const& d, LayerSettings const& settings = {})
      : projection_(d.hidden, fused_width(d)),
        output_(d.width(), d.hidden),
        query_norm_(make_norm<0>(d, settings)),
        key_norm_(make_norm<1>(d, settings)),
        heads_(d.heads),
        key_heads_(d.key_heads),
        head_size_(d.head_size),
        window_(settings.window),
        scale_(settings.attention_scale) {
    if (key_heads_ == 0 ? heads_ != 0 : heads_ % key_heads_ != 0)
      throw ShapeError("attention: found " + std::to_string(heads_) + " heads and " + std::to_string(key_heads_) +
                       " heads of keys, expected a multiple of these");
  }

  /// @param x     [Rows, Hidden], packed: whole sequences, or new tokens of each of the cache's first sequences. With a cache their keys and values
  ///              are appended to its layer; its lengths grow when the model calls `KeyValueCache::advance` after its last layer.
  /// @param input `{.sequences = …}`, and what the recipe and the caller have besides.
  /// @return      [Rows, Hidden], with the epilogues applied; with a cache the same bits as without.
  /// @throws ShapeError when the sequences do not fill the rows, or the cache has too few sequences, too little room or other heads;
  ///         ArgumentError when it lacks the layer, or is given where a token sees what comes behind it.
  template <RowsOf<HiddenAxis> X, EpilogueOf<RowAxis<X>, HiddenAxis>... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> operator()(X const& x, Input<RowAxis<X>> const& input, Context& context,
                                                   Epilogues const&... epilogues) const {
    AttentionSettings const options{.mask = Recipe::mask,
                                    .window = window_,
                                    .scale = scale_,
                                    .bias = input.places.bias(),
                                    .attended = input.attended,
                                    .in_bfloat16 = projection_.format() == WeightFormat::bf16};
    if constexpr (may_hand_on_rounded)
      if (input.past.cache == nullptr && hands_on_rounded(options, context))
        return output_(
            rounded_attention<Width>(projection_.rounded(x, context), heads_, key_heads_, width(), input.sequences, options, context),
            context, epilogues...);
    auto fused = projection_(x, context);
    std::size_t const width = heads_ * head_size_, key_width = key_heads_ * head_size_;
    auto const query = internal::fused_part<Width>(fused, 0, width);
    auto const key = internal::fused_part<KeyWidth>(fused, width, key_width);
    auto const value = internal::fused_part<KeyWidth>(fused, width + key_width, key_width);
    if constexpr (has_head_norms) {
      query_norm_.normalize_heads(query, context);
      key_norm_.normalize_heads(key, context);
    }
    input.places.turn(query, heads_, context);
    input.places.turn(key, key_heads_, context);
    internal::observe_operation(context, LayerOperation::query, query);
    internal::observe_operation(context, LayerOperation::key, key);
    internal::observe_operation(context, LayerOperation::value, value);
    auto const attended = attend(query, key, value, input, options, context);
    internal::observe_operation(context, LayerOperation::attended, attended);
    return output_(attended, context, epilogues...);
  }
  /// Whole sequences, nothing before them: `attention(x, sequences, context, add_residual(x))`.
  template <RowsOf<HiddenAxis> X, EpilogueOf<RowAxis<X>, HiddenAxis>... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Context& context,
                                                   Epilogues const&... epilogues) const {
    return (*this)(x, Input<RowAxis<X>>{.sequences = sequences}, context, epilogues...);
  }

  constexpr std::size_t width() const noexcept { return heads_ * head_size_; }  ///< All heads of queries side by side.
  /// All heads of keys side by side: what a cache holds.
  constexpr std::size_t key_width() const noexcept { return key_heads_ * head_size_; }
  constexpr std::size_t key_heads() const noexcept { return key_heads_; }  ///< Heads of keys and values.
  constexpr std::size_t head_size() const noexcept { return head_size_; }  ///< Columns of one head.
  /// What scores are multiplied by, where it is not 1 / sqrt(head size).
  constexpr std::optional<float> scale() const noexcept { return scale_; }
  /// Of `keys` keys, those that one query sees at most: all of them, unless there is a window.
  constexpr std::size_t most_keys(std::size_t keys) const noexcept {
    std::size_t const reach = is_causal ? window_ : 2 * window_ - 1;
    return window_ == 0 ? keys : std::min(keys, reach);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    constexpr auto& b = Recipe::biases;
    std::size_t const width = self.width(), key_width = self.key_width();
    visitor("query", self.projection_.template part<b.query>(0, width));
    visitor("key", self.projection_.template part<b.key>(width, key_width));
    visitor("value", self.projection_.template part<b.value>(width + key_width, key_width));
    visitor("output", self.output_);
    if constexpr (has_head_norms) {
      visitor("query_norm", self.query_norm_);
      visitor("key_norm", self.key_norm_);
    }
  }

 private:
  // Three equal widths are a product, as messages say it.
  static constexpr bool is_grouped = !std::is_same_v<Width, KeyWidth>;
  static constexpr bool has_head_norms = Recipe::query_key_norm == QueryKeyNorm::by_head;
  static constexpr bool has_fused_bias =
      Recipe::biases.query == Bias::present || Recipe::biases.key == Bias::present || Recipe::biases.value == Bias::present;
  using FusedWidth = std::conditional_t<is_grouped, Sum<Width, Product<Const<2>, KeyWidth>>, Product<Const<3>, Width>>;
  using HeadNorm = typename Recipe::template Norm<typename D::HeadSize>;
  template <int Place>
  using OptionalHeadNorm = internal::MemberIf<has_head_norms, HeadNorm, Place>;

  static constexpr Length<FusedWidth> fused_width(D const& d) {
    if constexpr (is_grouped) {
      return d.width() + Length<Const<2>>{} * d.key_width();
    } else {
      return Length<Const<3>>{} * d.width();
    }
  }
  template <int Place>
  static constexpr OptionalHeadNorm<Place> make_norm([[maybe_unused]] D const& d, [[maybe_unused]] LayerSettings const& settings) {
    if constexpr (has_head_norms) {
      return HeadNorm(d.head_size, settings.layer_norm_epsilon);
    } else {
      return {};
    }
  }

  // Whether nothing but attention reads queries, keys and values, and nothing but the next product what it gives: of this type, and in this pass.
  static constexpr bool may_hand_on_rounded = can_round_results(WeightFormat::bf16) && !is_causal && !has_head_norms && !Places::turns;
  bool hands_on_rounded(AttentionSettings const& options, Context const& context) const noexcept {
    return options.in_bfloat16 && output_.format() == WeightFormat::bf16 && context.observer() == nullptr &&
           can_attend_to_rounded(options, head_size_);
  }

  template <Axis Rows>
  Tensor<float, Rows, Width> attend(TensorView<float, Rows, Width> query, TensorView<float, Rows, KeyWidth> key,
                                    TensorView<float, Rows, KeyWidth> value, Input<Rows> const& input, AttentionSettings const& options,
                                    Context& context) const {
    if (input.past.cache != nullptr) {
      if constexpr (is_causal)
        return cached_attention(query, key, value, heads_, input.sequences, input.past.cache->layer(input.past.layer), options, context);
      throw ArgumentError("attention: found a cache of the past, expected none: each token sees those behind it, too");
    }
    return grouped_attention(query, key, value, heads_, input.sequences, input.sequences, AttentionKind::self, options, context);
  }

  Linear<HiddenAxis, FusedWidth, has_fused_bias ? Bias::present : Bias::absent> projection_;
  Linear<Width, HiddenAxis, Recipe::biases.output> output_;
  [[no_unique_address]] OptionalHeadNorm<0> query_norm_;
  [[no_unique_address]] OptionalHeadNorm<1> key_norm_;
  std::size_t heads_;
  std::size_t key_heads_;
  std::size_t head_size_;
  std::size_t window_;
  std::optional<float> scale_;
};

}  // namespace axiform::inline AXIFORM_ARCH
