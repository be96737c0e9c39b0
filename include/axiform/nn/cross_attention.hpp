/// @file
/// `CrossAttention`: the tokens of a decoder attend to those of an encoder, whose keys and values `ProjectedSource` keeps.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/observe.hpp>
#include <axiform/nn/recipe.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What a decoder attends to: the encoder's output, and where each of its sequences begins.
template <DimensionsLike D>
struct EncoderOutput {
  View<axes::SourceTokens, typename D::Hidden> states;   ///< [SourceTokens, Hidden], packed.
  SequenceOffsets<axes::SourceTokens> const& sequences;  ///< Where each sequence begins.

  /// Refers to both, which the caller keeps.
  EncoderOutput(View<axes::SourceTokens, typename D::Hidden> encoded, SequenceOffsets<axes::SourceTokens> const& offsets)
      : states(encoded), sequences(offsets) {}
  EncoderOutput(View<axes::SourceTokens, typename D::Hidden>,
                SequenceOffsets<axes::SourceTokens> const&&) = delete;  ///< They would dangle.
};

/// The keys and values that each layer of a decoder makes of an encoder's output, projected once: `Stack::project_source` fills it. Each sequence
/// has as much room as it has tokens.
class ProjectedSource {
 public:
  /// Nothing yet, for sequences of the given lengths.
  /// @throws ShapeError when its size exceeds the address space.
  ProjectedSource(CacheWidths const& widths, SequenceOffsets<axes::SourceTokens> const& sequences) : layers_(widths.layers) {
    std::size_t floats = 0;
    places_.reserve(sequences.count());
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      auto const layout = kernels::KeyValueLayout::for_keys(widths.heads, widths.head_size, sequences.length(s));
      places_.push_back({layout, floats, sequences.length(s)});
      if (__builtin_add_overflow(floats, layout.floats(), &floats)) refuse(sequences.total());
    }
    layer_floats_ = floats;
    std::size_t bytes = sizeof(float);
    for (std::size_t factor : {floats, layers_})
      if (__builtin_mul_overflow(bytes, factor, &bytes)) refuse(sequences.total());
    buffer_ = Buffer(bytes);
  }

  std::size_t layers() const noexcept { return layers_; }            ///< Decoder layers.
  std::size_t sequences() const noexcept { return places_.size(); }  ///< Sequences of the encoder.
  std::size_t bytes() const noexcept { return buffer_.bytes(); }     ///< Memory that it takes.

  /// Keys and values of a sequence in a layer, as attention reads them.
  /// @throws ArgumentError when there is no such sequence or layer.
  kernels::CachedKeys keys(std::size_t layer, std::size_t sequence) const {
    if (layer >= layers_ || sequence >= places_.size())
      throw ArgumentError("projected source: found sequence " + std::to_string(sequence) + " in layer " + std::to_string(layer) +
                          ", expected one of " + std::to_string(places_.size()) + " in one of " + std::to_string(layers_));
    Place const& place = places_[sequence];
    return {.layout = place.layout, .data = data() + layer * layer_floats_ + place.offset, .count = place.tokens};
  }

  /// Writes a layer's keys and values.
  /// @param rows Of all sequences, one after another.
  void write(std::size_t layer, kernels::KeyValueRows rows, Context& context) {
    std::size_t const heads = places_.empty() ? 0 : places_[0].layout.heads;
    for_row_ranges(context.executor(), heads, layer_floats_ / (heads + 1), [&](std::size_t first_head, std::size_t last_head) {
      kernels::KeyValueRows of = rows;
      for (Place const& place : places_) {
        kernels::append_keys_values(place.layout, data() + layer * layer_floats_ + place.offset, 0, place.tokens, of, first_head,
                                    last_head);
        of.key += place.tokens * of.key_stride;
        of.value += place.tokens * of.value_stride;
      }
    });
  }

 private:
  struct Place {
    kernels::KeyValueLayout layout;
    std::size_t offset;  // in a layer
    std::size_t tokens;
  };
  [[noreturn]] static void refuse(std::size_t tokens) {
    throw ShapeError("projected source: " + std::to_string(tokens) + " tokens are too many");
  }
  float* data() const noexcept { return static_cast<float*>(buffer_.data()); }

  std::size_t layers_;
  std::size_t layer_floats_ = 0;
  std::vector<Place> places_;
  Buffer buffer_;
};

/// What the sequences of a decoder attend to: the encoder's output, whose keys and values each layer projects in every pass; or those that were
/// projected before.
template <DimensionsLike D>
class CrossSource {
 public:
  /// Sequence s attends to sequence s of `output`, which the caller keeps.
  CrossSource(EncoderOutput<D> const& output) : output_(output) {}
  /// Sequence s attends to sequence `source_of[s]` of `projected`; both are the caller's to keep.
  CrossSource(ProjectedSource const& projected, std::span<std::size_t const> source_of) : projected_(&projected), source_of_(source_of) {}

  std::optional<EncoderOutput<D>> const& output() const noexcept { return output_; }  ///< What is to be projected, if it is.
  ProjectedSource const* projected() const noexcept { return projected_; }            ///< What was projected, if it was.
  std::span<std::size_t const> source_of() const noexcept { return source_of_; }  ///< The source of each sequence, of what was projected.

 private:
  std::optional<EncoderOutput<D>> output_;
  ProjectedSource const* projected_ = nullptr;
  std::span<std::size_t const> source_of_;
};

/// Multi-head attention from one side to another (Vaswani et al. 2017, section 3.2.3).
template <DimensionsLike D, RecipeLike Recipe = BlockRecipe>
class CrossAttention {
 public:
  using HiddenAxis = typename D::Hidden;                       ///< The width of the hidden states.
  using Width = typename D::Width;                             ///< All heads side by side.
  using KeyWidth = typename D::KeyWidth;                       ///< All heads of keys side by side.
  static constexpr char const* class_name = "CrossAttention";  ///< In module trees.

  /// Zero weights, to be loaded or initialised.
  constexpr explicit CrossAttention(D const& d, LayerSettings const& settings = {})
      : query_(d.hidden, d.width()),
        key_value_(d.hidden, Length<Const<2>>{} * d.key_width()),
        output_(d.width(), d.hidden),
        heads_(d.heads),
        key_heads_(d.key_heads),
        scale_(settings.attention_scale) {}

  /// @param x                [Rows, Hidden]: those that attend.
  /// @param memory           [SourceRows, Hidden]: those attended to, the encoder's output.
  /// @param sequences,source Where each sequence begins on either side; sequence s of one attends to sequence s of the other. A sequence
  ///                         whose source is empty gets the output's bias alone.
  /// @return                 [Rows, Hidden], with the epilogues applied.
  /// @throws ShapeError when the numbers of sequences differ, or sequences do not fill their rows.
  template <RowsOf<typename D::Hidden> X, RowsOf<typename D::Hidden> Memory, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences, Memory const& memory,
                                                   SequenceOffsets<RowAxis<Memory>> const& source, Context& context,
                                                   Epilogues const&... epilogues) const {
    auto const query = query_(x, context);
    auto key_value = key_value_(memory, context);
    auto const half = [&](std::size_t index) { return internal::fused_part<KeyWidth>(key_value, index * key_width(), key_width()); };
    internal::observe_operation(context, LayerOperation::cross_query, query);
    internal::observe_operation(context, LayerOperation::cross_key, half(0));
    internal::observe_operation(context, LayerOperation::cross_value, half(1));
    auto const attended =
        grouped_attention(query, half(0), half(1), heads_, sequences, source, AttentionKind::cross, {.scale = scale_}, context);
    internal::observe_operation(context, LayerOperation::cross_attended, attended);
    return output_(attended, context, epilogues...);
  }

  /// The same to keys and values that were projected before; the same bits.
  /// @param source One entry a sequence.
  template <RowsOf<typename D::Hidden> X, EpilogueOf<RowAxis<X>, typename D::Hidden>... Epilogues>
  Tensor<float, RowAxis<X>, HiddenAxis> operator()(X const& x, SequenceOffsets<RowAxis<X>> const& sequences,
                                                   std::span<kernels::CachedKeys const> source, Context& context,
                                                   Epilogues const&... epilogues) const {
    auto const query = query_(x, context);
    internal::observe_operation(context, LayerOperation::cross_query, query);
    auto const attended = projected_attention(query, heads_, sequences, source, {.scale = scale_}, context);
    internal::observe_operation(context, LayerOperation::cross_attended, attended);
    return output_(attended, context, epilogues...);
  }

  /// Writes the keys and values of `memory` to layer `layer` of `projected`.
  template <RowsOf<typename D::Hidden> Memory>
  void project(Memory const& memory, ProjectedSource& projected, std::size_t layer, Context& context) const {
    auto key_value = key_value_(memory, context);
    internal::observe_operation(context, LayerOperation::cross_key, internal::fused_part<KeyWidth>(key_value, 0, key_width()));
    internal::observe_operation(context, LayerOperation::cross_value, internal::fused_part<KeyWidth>(key_value, key_width(), key_width()));
    projected.write(layer, {key_value.data(), key_value.row_stride(), key_value.data() + key_width(), key_value.row_stride()}, context);
  }

  constexpr std::size_t width() const noexcept { return query_.outputs(); }              ///< All heads of queries side by side.
  constexpr std::size_t key_width() const noexcept { return key_value_.outputs() / 2; }  ///< All heads of keys side by side.
  constexpr std::size_t key_heads() const noexcept { return key_heads_; }                ///< Heads of keys and values.
  /// What scores are multiplied by, where it is not 1 / sqrt(head size).
  constexpr std::optional<float> scale() const noexcept { return scale_; }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    std::size_t const width = self.key_width();
    visitor("query", self.query_);
    visitor("key", self.key_value_.template part<Recipe::biases.key>(0, width));
    visitor("value", self.key_value_.template part<Recipe::biases.value>(width, width));
    visitor("output", self.output_);
  }

 private:
  static constexpr bool has_key_value_bias = Recipe::biases.key == Bias::present || Recipe::biases.value == Bias::present;

  Linear<HiddenAxis, Width, Recipe::biases.query> query_;
  Linear<HiddenAxis, Product<Const<2>, KeyWidth>, has_key_value_bias ? Bias::present : Bias::absent> key_value_;
  Linear<Width, HiddenAxis, Recipe::biases.output> output_;
  std::size_t heads_;
  std::size_t key_heads_;
  std::optional<float> scale_;
};

}  // namespace axiform::inline AXIFORM_ARCH
