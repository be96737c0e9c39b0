/// @file
/// Where tokens stand, as attention sees it: not at all, by turning queries and keys, or by a bias of the scores. A stack has one of these; for
/// each pass it says what that pass needs, and every block of the stack is handed the same `Places`.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>
#include <axiform/ops/rotary.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Whether the layers of a stack share a relative bias (`RelativeBiasByLayer`).
enum class BiasTables {
  shared,   ///< One for all: T5.
  by_layer  ///< Each has its own: UMT5.
};

/// What a stack's position is made with.
struct PositionSettings {
  double rotary_base = 10000.0;     ///< Of the frequencies of rotary positions: `rope_theta`.
  std::size_t rotary_columns = 0;   ///< Columns of a head that are turned; 0 for all.
  RotaryScaling rotary_scaling = {};  ///< How the frequencies are lowered: `rope_scaling`.
  std::size_t buckets = 32;         ///< Of a relative bias: `relative_attention_num_buckets`.
  std::size_t most_distance = 128;  ///< From where on all distances share a bucket: `relative_attention_max_distance`.
  BiasTables bias_tables = BiasTables::shared;  ///< Whether layers share that bias, where a family has both.

  friend constexpr bool operator==(PositionSettings const&, PositionSettings const&) = default;  ///< Equal settings.
};

/// Attention does not see where tokens stand.
template <DimensionsLike D>
struct NoPosition {
  /// Nothing.
  struct Places {
    static constexpr bool turns = false;  ///< Whether `turn` does something.
    /// Leaves queries and keys as they are.
    template <Axis Rows, Axis Width>
    void turn(TensorView<float, Rows, Width>, std::size_t, Context&) const noexcept {}
    /// Adds nothing.
    ScoreBias bias() const noexcept { return {}; }
  };

  /// Has no settings.
  static constexpr NoPosition create(D const&, PositionSettings const&) { return {}; }
  /// What a pass needs: nothing.
  template <Axis Rows>
  Places operator()(SequenceOffsets<Rows> const&, std::span<std::size_t const>, Context&) const noexcept {
    return {};
  }
  // No `visit`: what visits a stack takes it for a setting, and neither trees nor tables name it.
};

/// Queries and keys are turned by their positions (Su et al. 2021; transformers' LlamaRotaryEmbedding).
template <DimensionsLike D, RotaryPairs pairs = RotaryPairs::halves>
class Rotary {
 public:
  /// The angles of a pass, which the pass keeps.
  class Places {
   public:
    static constexpr bool turns = true;  ///< Whether `turn` does something.
    /// None: attention that is turned refuses them.
    Places() : angles_(nullptr, Shape<axes::Tokens, axes::HeadSize>(0, 0)) {}
    /// Those of the pass.
    template <Axis Rows>
    Places(Tensor<float, Rows, axes::HeadSize> const& angles)
        : angles_(angles.data(), Shape<axes::Tokens, axes::HeadSize>(angles.rows(), angles.columns())) {}

    /// The same as a view, one row a token.
    explicit Places(View<axes::Tokens, axes::HeadSize> angles) : angles_(angles) {}

    /// Turns the first columns of each head, in place.
    /// @throws ShapeError when there are not as many angles as rows.
    template <Axis Rows, Axis Width>
    void turn(TensorView<float, Rows, Width> x, std::size_t heads, Context& context) const {
      rotate(x, heads, angles_, pairs, context);
    }
    /// Adds nothing.
    ScoreBias bias() const noexcept { return {}; }

   private:
    View<axes::Tokens, axes::HeadSize> angles_;
  };

  /// The frequencies of a head's columns.
  /// @throws ArgumentError when the columns that are turned are odd, or more than a head has.
  static constexpr Rotary create(D const& d, PositionSettings const& settings) {
    std::size_t const columns = settings.rotary_columns != 0 ? settings.rotary_columns : std::size_t{d.head_size};
    if (columns % 2 != 0 || columns > d.head_size)
      throw ArgumentError("rotary: found " + std::to_string(columns) + " columns to turn, expected an even number, at most the head's " +
                          std::to_string(std::size_t{d.head_size}));
    if (std::is_constant_evaluated()) return Rotary({});  // no pass runs there
    return Rotary(rotary_frequencies(columns, settings.rotary_base, settings.rotary_scaling));
  }
  /// Divides each frequency by a number of its own, as files say it that name no scaling (GGUF's `rope_freqs.weight`).
  /// @throws ShapeError when there are not as many as frequencies.
  void divide_frequencies(std::span<float const> divisors) {
    if (divisors.size() != frequencies_.size())
      throw ShapeError("rotary: found " + std::to_string(divisors.size()) + " divisors, expected one for each of " +
                       std::to_string(frequencies_.size()) + " frequencies");
    for (std::size_t i = 0; i < divisors.size(); ++i) frequencies_[i] /= divisors[i];
  }
  /// The angles of a pass's tokens.
  /// @param past How many tokens came before those of each sequence; none when empty.
  template <Axis Rows>
  Tensor<float, Rows, axes::HeadSize> operator()(SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past,
                                                 Context& context) const {
    return rotary_angles(frequencies_, sequences, past, context);
  }

  std::span<float const> frequencies() const noexcept { return frequencies_; }  ///< How much each pair turns from one position to the next.

 private:
  constexpr explicit Rotary(std::vector<float> frequencies) : frequencies_(std::move(frequencies)) {}

  std::vector<float> frequencies_;
};

/// The same where the frequencies differ from layer to layer, as between layers that see all and those that see a window (ModernBERT). Layers of the
/// same settings share their angles.
template <DimensionsLike D, RotaryPairs pairs = RotaryPairs::halves>
class RotaryByLayer {
 public:
  using Places = typename Rotary<D, pairs>::Places;          ///< The angles of one layer.
  using Pass = Tensor<float, axes::Tokens, axes::HeadSize>;  ///< Those of all tokens by the first settings, then by the next.

  /// @param layers The settings of each layer.
  /// @throws ArgumentError when not all layers turn as many columns; else as `Rotary::create`.
  static constexpr RotaryByLayer create(D const& d, std::span<PositionSettings const> layers) {
    RotaryByLayer result;
    std::vector<PositionSettings> kinds;
    for (PositionSettings const& layer : layers) {
      std::size_t kind = 0;
      while (kind < kinds.size() && !(kinds[kind] == layer)) ++kind;
      result.kinds_.push_back(kind);
      if (kind < kinds.size()) continue;
      if (layer.rotary_columns != layers.front().rotary_columns)
        throw ArgumentError("rotary: found a layer that turns " + std::to_string(layer.rotary_columns) + " columns, expected " +
                            std::to_string(layers.front().rotary_columns) + " as in the first");
      kinds.push_back(layer);
      result.rotaries_.push_back(Rotary<D, pairs>::create(d, layer));
    }
    return result;
  }
  /// The angles of a pass's tokens.
  /// @param past How many tokens came before those of each sequence; none when empty.
  template <Axis Rows>
  Pass operator()(SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past, Context& context) const {
    std::size_t const tokens = sequences.total(), columns = rotaries_.empty() ? 0 : 2 * rotaries_.front().frequencies().size();
    auto angles = make_tensor<float>(context, Shape<axes::Tokens, axes::HeadSize>(rotaries_.size() * tokens, columns));
    for (std::size_t kind = 0; kind < rotaries_.size(); ++kind)
      write_rotary_angles(rotaries_[kind].frequencies(), sequences, past, part_of(angles, kind));
    return angles;
  }
  /// What a layer needs of a pass.
  Places places(Pass const& angles, std::size_t layer) const { return Places(part_of(angles, kinds_[layer])); }

 private:
  constexpr RotaryByLayer() = default;

  template <class Angles>
  auto part_of(Angles& angles, std::size_t kind) const {
    std::size_t const tokens = angles.rows() / rotaries_.size();
    using Part =
        std::conditional_t<std::is_const_v<Angles>, View<axes::Tokens, axes::HeadSize>, TensorView<float, axes::Tokens, axes::HeadSize>>;
    return Part(angles.data() + kind * tokens * angles.columns(), Shape<axes::Tokens, axes::HeadSize>(tokens, angles.columns()));
  }

  std::vector<Rotary<D, pairs>> rotaries_;  // of each settings that some layers share
  std::vector<std::size_t> kinds_;          // which of them each layer has
};

/// Which way a relative bias looks.
enum class RelativeDirections {
  both,  ///< An encoder's: half of the buckets are for keys before the query, half for those behind.
  past   ///< A decoder's: all buckets are for keys up to the query.
};

/// The bucket of a distance from query to key, `key - query`: exact up to an eighth or a quarter of the buckets, then ever wider, the last for all
/// from `most_distance` on (Raffel et al. 2020; `T5Attention._relative_position_bucket` and MPNet's of transformers).
inline std::size_t relative_bucket(std::ptrdiff_t distance, RelativeDirections directions, std::size_t buckets, std::size_t most_distance) {
  std::size_t first = 0;
  if (directions == RelativeDirections::both) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = std::max<std::ptrdiff_t>(-distance, 0);
  }
  auto const length = static_cast<std::size_t>(distance);
  std::size_t const exact = buckets / 2;
  if (length < exact) return first + length;
  if (length >= most_distance) return first + buckets - 1;  // what the formula gives, without a logarithm for each of many
  // torch's steps: the logarithm and the quotients in float, their constant in double.
  float const log = std::log(static_cast<float>(length) / static_cast<float>(exact)) /
                    static_cast<float>(std::log(static_cast<double>(most_distance) / static_cast<double>(exact)));
  auto const further = static_cast<std::size_t>(log * static_cast<float>(buckets - exact));
  return first + std::min(buckets - 1, exact + further);
}

/// A learned number for each head and bucket of distances is added to the scaled scores (Raffel et al. 2020, section 2.1).
template <DimensionsLike D, RelativeDirections directions>
class RelativeBias {
 public:
  /// The bias of each distance that a pass can have, which the pass keeps: [Heads, 2 * reach + 1].
  using Pass = Tensor<float, axes::Heads, axes::Keys>;

  /// The bias, as attention reads it.
  class Places {
   public:
    static constexpr bool turns = false;  ///< Whether `turn` does something.
    /// No bias.
    Places() = default;
    /// That of the pass.
    Places(Pass const& by_distance) : Places(by_distance.data(), by_distance.columns()) {}
    /// The same of rows that lie together, `columns` numbers a head, the one of distance 0 in their middle.
    Places(float const* by_distance, std::size_t columns) : bias_{by_distance + columns / 2, static_cast<std::ptrdiff_t>(columns), -1} {}

    /// Leaves queries and keys as they are.
    template <Axis Rows, Axis Width>
    void turn(TensorView<float, Rows, Width>, std::size_t, Context&) const noexcept {}
    /// The bias.
    ScoreBias bias() const noexcept { return bias_; }

   private:
    ScoreBias bias_;
  };

  /// Zeros, to be loaded or initialised.
  /// @throws ArgumentError when there are too few buckets for the distances.
  static constexpr RelativeBias create(D const& d, PositionSettings const& settings) {
    std::size_t const exact = settings.buckets / (directions == RelativeDirections::both ? 4 : 2);
    if (exact == 0 || settings.most_distance <= exact)
      throw ArgumentError("relative bias: found " + std::to_string(settings.buckets) + " buckets for distances up to " +
                          std::to_string(settings.most_distance) + ", expected at least " +
                          (directions == RelativeDirections::both ? "4" : "2") + " buckets, and distances beyond the exact ones");
    return RelativeBias(d, settings);
  }
  /// The bias of each distance between the pass's tokens and those before them.
  template <Axis Rows>
  Pass operator()(SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past, Context& context) const {
    auto by_distance = make_tensor<float>(context, Shape<axes::Heads, axes::Keys>(heads_, columns(sequences, past)));
    write(by_distance.data(), by_distance.columns());
    return by_distance;
  }

  std::size_t heads() const noexcept { return heads_; }  ///< Heads, each of which has its own.
  /// How many distances a pass can have: those between the tokens of its longest sequence, in both directions.
  template <Axis Rows>
  static std::size_t columns(SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past) {
    std::size_t longest = 1;
    for (std::size_t s = 0; s < sequences.count(); ++s) longest = std::max(longest, sequences.length(s) + (past.empty() ? 0 : past[s]));
    return 2 * longest - 1;
  }
  /// Writes the bias of so many distances, a row a head.
  void write(float* target, std::size_t columns) const noexcept {
    auto const reach = static_cast<std::ptrdiff_t>(columns / 2);
    for (std::ptrdiff_t distance = -reach; distance <= reach; ++distance, ++target) {
      float const* const row = table_.data() + relative_bucket(distance, directions, buckets_, most_distance_) * heads_;
      for (std::size_t head = 0; head < heads_; ++head) target[head * columns] = row[head];
    }
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) { visitor("weight", self.table_.ref()); }

 private:
  constexpr RelativeBias(D const& d, PositionSettings const& settings)
      : heads_(d.heads),
        buckets_(settings.buckets),
        most_distance_(settings.most_distance),
        table_(Shape<axes::Keys, typename D::Heads>::of({settings.buckets, std::size_t{d.heads}})) {}

  std::size_t heads_;
  std::size_t buckets_;
  std::size_t most_distance_;
  Parameter<axes::Keys, typename D::Heads> table_;  // [buckets, Heads], as checkpoints have it
};

/// The same where a checkpoint says whether layers share their bias (`PositionSettings::bias_tables`): T5 and UMT5.
template <DimensionsLike D, RelativeDirections directions>
class RelativeBiasByLayer {
 public:
  using Places = typename RelativeBias<D, directions>::Places;  ///< The bias of one layer.
  /// The bias of each distance that a pass can have, by the first table, then by the next.
  using Pass = Tensor<float, axes::Heads, axes::Keys>;

  /// Zeros, to be loaded or initialised.
  /// @param layers The settings of each layer.
  /// @throws As `RelativeBias::create`.
  static constexpr RelativeBiasByLayer create(D const& d, std::span<PositionSettings const> layers) {
    RelativeBiasByLayer result;
    for (PositionSettings const& layer : layers) {
      result.biases_.push_back(RelativeBias<D, directions>::create(d, layer));
      result.tables_ = layer.bias_tables;
      if (result.tables_ == BiasTables::shared) break;
    }
    return result;
  }
  /// The biases of a pass.
  /// @param past How many tokens came before those of each sequence; none when empty.
  template <Axis Rows>
  Pass operator()(SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past, Context& context) const {
    std::size_t const heads = biases_.empty() ? 0 : biases_.front().heads();
    std::size_t const columns = RelativeBias<D, directions>::columns(sequences, past);
    auto by_distance = make_tensor<float>(context, Shape<axes::Heads, axes::Keys>(biases_.size() * heads, columns));
    for (std::size_t i = 0; i < biases_.size(); ++i) biases_[i].write(by_distance.data() + i * heads * columns, columns);
    return by_distance;
  }
  /// What a layer needs of a pass.
  Places places(Pass const& by_distance, std::size_t layer) const {
    std::size_t const table = tables_ == BiasTables::shared ? 0 : layer;
    return Places(by_distance.data() + table * biases_[table].heads() * by_distance.columns(), by_distance.columns());
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    if (self.tables_ == BiasTables::shared && !self.biases_.empty()) {
      visitor("", self.biases_.front());
    } else {
      visitor("layers", self.biases_);
    }
  }

 private:
  constexpr RelativeBiasByLayer() = default;

  std::vector<RelativeBias<D, directions>> biases_;
  BiasTables tables_ = BiasTables::shared;
};

}  // namespace axiform::inline AXIFORM_ARCH
