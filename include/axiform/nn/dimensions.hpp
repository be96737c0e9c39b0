/// @file
/// `Dimensions`: the widths that all layers of a model share, in the type, as values, or both.
#pragma once

#include <concepts>
#include <cstddef>

#include <axiform/core/axis.hpp>
#include <axiform/core/config.hpp>

namespace axiform {

/// Lengths that a family of models adds to its widths. They size tables and lists and are not axes of any kernel.
struct ModelSizes {
  std::size_t layers = 0;       ///< Blocks of the encoder or decoder.
  std::size_t vocabulary = 0;   ///< Rows of the token embedding.
  std::size_t positions = 0;    ///< Rows of the position embedding: the longest sequence.
  std::size_t token_types = 0;  ///< Rows of the segment embedding; 0 where a family has none.

  friend constexpr bool operator==(ModelSizes const&, ModelSizes const&) = default;  ///< Equal lengths.
};

/// The widths of a transformer. With `Const` axes the compiler checks every shape; with dynamic ones the same layers take their
/// lengths from a value of this type, and shapes are checked when they run.
///
///     struct Small : Dimensions<Const<256>, Const<4>, Const<64>, Const<1024>> {
///       static constexpr ModelSizes sizes{.layers = 4, .vocabulary = 8000, .positions = 256, .token_types = 2};
///     };
///
/// @tparam HiddenAxis   Width of the hidden states.
/// @tparam HeadsAxis    Number of attention heads.
/// @tparam HeadSizeAxis Width of one head. Heads * HeadSize need not be the hidden width (FLAN-T5-small: 6 * 64 and 512).
/// @tparam InnerAxis    Width inside the feed-forward block.
/// @tparam KeyHeadsAxis Number of heads of keys and values, where several heads of queries share one (Ainslie et al. 2023).
template <Axis HiddenAxis, Axis HeadsAxis, Axis HeadSizeAxis, Axis InnerAxis, Axis KeyHeadsAxis = HeadsAxis>
struct Dimensions {
  using Hidden = HiddenAxis;                             ///< The axis of hidden states.
  using Heads = HeadsAxis;                               ///< The axis of heads.
  using KeyHeads = KeyHeadsAxis;                         ///< The axis of heads of keys and values.
  using HeadSize = HeadSizeAxis;                         ///< The axis within a head.
  using Inner = InnerAxis;                               ///< The axis inside the feed-forward block.
  using Width = Product<HeadsAxis, HeadSizeAxis>;        ///< All heads side by side.
  using KeyWidth = Product<KeyHeadsAxis, HeadSizeAxis>;  ///< All heads of keys, or of values, side by side.

  Length<HiddenAxis> hidden;                           ///< Width of the hidden states.
  Length<HeadsAxis> heads;                             ///< Number of heads.
  Length<HeadSizeAxis> head_size;                      ///< Width of one head.
  Length<InnerAxis> inner;                             ///< Width inside the feed-forward block.
  Length<KeyHeadsAxis> key_heads = as_many_as(heads);  ///< Number of heads of keys and values.

  /// The width of all heads side by side.
  constexpr Length<Width> width() const { return heads * head_size; }
  /// The width of all heads of keys, or of values, side by side.
  constexpr Length<KeyWidth> key_width() const { return key_heads * head_size; }

 private:
  static constexpr Length<KeyHeadsAxis> as_many_as(Length<HeadsAxis> heads) {
    if constexpr (StaticAxis<KeyHeadsAxis>) {
      return {};
    } else {
      return Length<KeyHeadsAxis>(static_cast<std::size_t>(heads));
    }
  }
};

/// Dimensions that a checkpoint decides.
using DynamicDimensions = Dimensions<axes::Hidden, axes::Heads, axes::HeadSize, axes::Inner>;

/// The same of models whose heads of keys and values may be fewer than those of queries.
using DynamicGroupedDimensions = Dimensions<axes::Hidden, axes::Heads, axes::HeadSize, axes::Inner, axes::KeyHeads>;

/// A `Dimensions`, or a struct derived from one.
template <class D>
concept DimensionsLike = requires(D const& d) {
  typename D::Hidden;
  typename D::Heads;
  typename D::HeadSize;
  typename D::Inner;
  typename D::Width;
  typename D::KeyHeads;
  typename D::KeyWidth;
  { d.hidden } -> std::convertible_to<std::size_t>;
  { d.heads } -> std::convertible_to<std::size_t>;
  { d.head_size } -> std::convertible_to<std::size_t>;
  { d.inner } -> std::convertible_to<std::size_t>;
  { d.key_heads } -> std::convertible_to<std::size_t>;
};

/// Dimensions whose every width is in the type.
template <class D>
concept StaticDimensions = DimensionsLike<D> && StaticAxis<typename D::Hidden> && StaticAxis<typename D::Heads> &&
                           StaticAxis<typename D::HeadSize> && StaticAxis<typename D::Inner> && StaticAxis<typename D::KeyHeads>;

/// Static dimensions that also say how many layers, tokens and positions: a whole model's size is in the type.
template <class D>
concept NamedDimensions = StaticDimensions<D> && requires {
  { D::sizes } -> std::convertible_to<ModelSizes>;
};

}  // namespace axiform
