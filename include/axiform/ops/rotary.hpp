/// @file
/// Rotary positions of rows of heads.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/rotary.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

using kernels::RotaryPairs;

/// How frequencies are lowered, so that a model reads longer texts than it was first trained with (transformers' `rope_scaling`).
struct RotaryScaling {
  /// Which frequencies are.
  enum class Kind {
    none,    ///< None.
    linear,  ///< All.
    llama3   ///< Low ones; high ones are kept, and those between are blended (Llama 3.1).
  };
  Kind kind = Kind::none;                 ///< Which frequencies are lowered.
  double factor = 1;                      ///< What they are divided by: `factor`.
  double low_frequency_factor = 1;        ///< Frequencies of fewer turns than this within `original_positions` are low: `low_freq_factor`.
  double high_frequency_factor = 4;       ///< Those of more turns than this are high: `high_freq_factor`.
  std::size_t original_positions = 8192;  ///< The longest text of the first training: `original_max_position_embeddings`.

  friend constexpr bool operator==(RotaryScaling const&, RotaryScaling const&) = default;  ///< Equal settings.
};

namespace internal {

// torch's steps: a number divided by a tensor is the product of the number and the reciprocals.
inline float lowered(float frequency, RotaryScaling const& scaling) {
  auto const factor = static_cast<float>(scaling.factor);
  if (scaling.kind == RotaryScaling::Kind::none) return frequency;
  if (scaling.kind == RotaryScaling::Kind::linear) return frequency / factor;
  auto const positions = static_cast<double>(scaling.original_positions);
  float const length = 1.0F / frequency * static_cast<float>(2 * std::numbers::pi);
  if (length > static_cast<float>(positions / scaling.low_frequency_factor)) return frequency / factor;
  if (length < static_cast<float>(positions / scaling.high_frequency_factor)) return frequency;
  float const share = (1.0F / length * static_cast<float>(positions) - static_cast<float>(scaling.low_frequency_factor)) /
                      static_cast<float>(scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1.0F - share) * frequency / factor + share * frequency;
}

}  // namespace internal

/// How much a pair turns from one position to the next: base^(-2 i / columns) for pair i (Su et al. 2021, section 3.2.2), rounded step by step
/// to float as transformers does.
/// @param columns Columns of a head that are turned, in pairs.
inline std::vector<float> rotary_frequencies(std::size_t columns, double base, RotaryScaling const& scaling = {}) {
  std::vector<float> frequencies(columns / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    float const exponent = static_cast<float>(2 * i) / static_cast<float>(columns);
    frequencies[i] = internal::lowered(1.0F / static_cast<float>(std::pow(base, static_cast<double>(exponent))), scaling);
  }
  return frequencies;
}

/// Writes the angles of packed tokens, one row a token: cosines, then sines.
/// @param past   Tokens that came before those of each sequence; none when empty.
/// @param target [tokens, 2 * frequencies].
/// @throws ShapeError when `past` has too few sequences, or the target another shape.
template <Axis Rows, Axis TargetRows>
void write_rotary_angles(std::span<float const> frequencies, SequenceOffsets<Rows> const& sequences, std::span<std::size_t const> past,
                         TensorView<float, TargetRows, axes::HeadSize> target) {
  if (!past.empty() && past.size() < sequences.count())
    throw ShapeError("rotary: found the past of " + std::to_string(past.size()) + " sequences, expected " +
                     std::to_string(sequences.count()));
  std::size_t const pairs = frequencies.size();
  if (target.rows() != sequences.total() || target.columns() != 2 * pairs)
    throw ShapeError("rotary: found a target " + target.shape().to_string() + ", expected [" + std::to_string(sequences.total()) + ", " +
                     std::to_string(2 * pairs) + "]");
  for (std::size_t s = 0; s < sequences.count(); ++s)
    for (std::size_t i = 0; i < sequences.length(s); ++i) {
      auto const row = target.row(sequences.offset(s) + i);
      auto const position = static_cast<float>((past.empty() ? 0 : past[s]) + i);
      for (std::size_t pair = 0; pair < pairs; ++pair) {
        auto const angle = static_cast<double>(position * frequencies[pair]);  // rounded, as transformers does
        row[pair] = static_cast<float>(std::cos(angle));
        row[pairs + pair] = static_cast<float>(std::sin(angle));
      }
    }
}

/// The angles of packed tokens, as `write_rotary_angles` writes them, [Rows, 2 * frequencies].
/// @throws ShapeError when `past` has too few sequences.
template <Axis Rows>
Tensor<float, Rows, axes::HeadSize> rotary_angles(std::span<float const> frequencies, SequenceOffsets<Rows> const& sequences,
                                                  std::span<std::size_t const> past, Context& context) {
  auto angles = make_tensor<float>(context, Shape<Rows, axes::HeadSize>::of({sequences.total(), 2 * frequencies.size()}));
  write_rotary_angles(frequencies, sequences, past, angles.view());
  return angles;
}

/// Turns the first columns of each head, as many as there are angles, in place.
///
/// @param x      [Rows, Width], `heads` heads side by side.
/// @param angles [Rows, HeadSize], as `rotary_angles` gives them.
/// @throws ShapeError when the rows differ, the heads do not divide the columns, or there are more angles than a head has columns.
template <Axis Rows, Axis Width, Axis AngleRows>
void rotate(TensorView<float, Rows, Width> x, std::size_t heads, View<AngleRows, axes::HeadSize> angles, RotaryPairs pairs,
            Context& context) {
  if (x.rows() != angles.rows() || heads == 0 || x.columns() % heads != 0 || angles.columns() > x.columns() / heads)
    throw ShapeError("rotary: found angles " + angles.shape().to_string() + " for " + std::to_string(heads) + " heads of " +
                     x.shape().to_string() + ", expected as many rows, and no more columns than a head has");
  for_row_ranges(context.executor(), x.rows(), 2 * x.columns(), [&](std::size_t first, std::size_t last) {
    kernels::rotate(pairs, {x.data() + first * x.row_stride(), x.row_stride(), last - first, heads, x.columns() / heads},
                    angles.data() + first * angles.row_stride(), angles.columns() / 2);
  });
}

}  // namespace axiform::inline AXIFORM_ARCH
