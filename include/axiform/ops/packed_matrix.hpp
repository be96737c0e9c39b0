/// @file
/// `PackedMatrix`: a weight matrix in the layout that the product kernels stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/weights.hpp>
#include <axiform/ops/weight_buffer.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A matrix of `outputs` x `inputs` weights in one format, packed in panels of `kernels::panel_width` outputs: `[ceil(outputs / width)][inputs][width]`,
/// the last panel filled with zeros. What is written and read are floats. Writing distinct outputs, or distinct inputs, from several threads is safe.
class PackedMatrix {
 public:
  /// Zeros, in f32. @throws ShapeError when its size exceeds the address space.
  constexpr PackedMatrix(std::size_t inputs, std::size_t outputs)
      : inputs_(inputs), outputs_(outputs), weights_(count_of(inputs, outputs)) {}

  /// Takes over the weights; `other` has no inputs and no outputs then.
  constexpr PackedMatrix(PackedMatrix&& other) noexcept
      : inputs_(std::exchange(other.inputs_, 0)), outputs_(std::exchange(other.outputs_, 0)), weights_(std::move(other.weights_)) {}
  /// The same; what this matrix had is freed.
  PackedMatrix& operator=(PackedMatrix&& other) noexcept {
    PackedMatrix taken(std::move(other));
    std::swap(inputs_, taken.inputs_);
    std::swap(outputs_, taken.outputs_);
    std::swap(weights_, taken.weights_);
    return *this;
  }

  constexpr std::size_t inputs() const noexcept { return inputs_; }                               ///< The length of the sums: K.
  constexpr std::size_t outputs() const noexcept { return outputs_; }                             ///< The length of a result row: N.
  kernels::PackedPanels panels() const noexcept { return {weights_.data(), weights_.format()}; }  ///< As the product takes it.
  WeightFormat format() const noexcept { return weights_.format(); }                              ///< What the weights are kept in.
  void set_format(WeightFormat format) { weights_.set_format(format); }                           ///< See `WeightBuffer::set_format`.

  /// Writes `count` outputs from `first` on, rounded to the format. @param values [count, inputs], row-major: a part of a matrix [out, in].
  void write_outputs(std::size_t first, std::size_t count, float const* values) noexcept {
    for_panels(first, count, [&](std::size_t output, std::size_t group, std::size_t place) {
      float const* const from = values + (output - first) * inputs_;
      if (format() == WeightFormat::f32) {
        kernels::transpose(group, inputs_, from, inputs_, static_cast<float*>(weights_.write_at(place)), kernels::panel_width);
        return;
      }
      constexpr std::size_t most = 64;
      float turned[most * kernels::panel_width];
      for (std::size_t input = 0; input < inputs_; input += most) {
        std::size_t const inputs = std::min(most, inputs_ - input);
        kernels::transpose(group, inputs, from + input, inputs_, turned, kernels::panel_width);
        for (std::size_t i = 0; i < inputs; ++i)
          weights_.write(place + (input + i) * kernels::panel_width, turned + i * kernels::panel_width, group);
      }
    });
  }

  /// Writes inputs [first, first + count) of `outputs` outputs from `first_output` on, rounded to the format.
  /// @param values [count, outputs] with `stride` from one input to the next: a part of a matrix [in, out], as Conv1D has it.
  void write_inputs(std::size_t first, std::size_t count, std::size_t first_output, std::size_t outputs, float const* values,
                    std::size_t stride) noexcept {
    for_panels(first_output, outputs, [&](std::size_t output, std::size_t group, std::size_t place) {
      for (std::size_t i = 0; i < count; ++i)
        weights_.write(place + (first + i) * kernels::panel_width, values + i * stride + (output - first_output), group);
    });
  }

  /// Reads one output: a row of the matrix [out, in].
  void read_output(std::size_t output, float* values) const noexcept {
    weights_.read(place_of(output), kernels::panel_width, values, inputs_);
  }
  /// Adds one output to `values`.
  void add_output(std::size_t output, float* values) const noexcept {
    weights_.add(place_of(output), kernels::panel_width, values, inputs_);
  }

 private:
  static constexpr std::size_t count_of(std::size_t inputs, std::size_t outputs) {
    std::size_t bytes = 0;
    if (outputs > static_cast<std::size_t>(-1) - kernels::panel_width ||
        __builtin_mul_overflow(kernels::packed_floats(1, outputs) * sizeof(float), inputs, &bytes))
      throw ShapeError("a weight matrix of [" + std::to_string(outputs) + ", " + std::to_string(inputs) + "] is too large");
    return bytes / sizeof(float);
  }
  // Where the first input of an output lies; the next is a panel's width behind.
  std::size_t place_of(std::size_t output) const noexcept {
    return output / kernels::panel_width * kernels::panel_width * inputs_ + output % kernels::panel_width;
  }
  // Calls write(output, group, place) for the outputs [first, first + count), as many at once as lie in one panel.
  template <class Write>
  void for_panels(std::size_t first, std::size_t count, Write const& write) noexcept {
    for (std::size_t output = first; output < first + count;) {
      std::size_t const group = std::min(kernels::panel_width - output % kernels::panel_width, first + count - output);
      write(output, group, place_of(output));
      output += group;
    }
  }

  std::size_t inputs_;
  std::size_t outputs_;
  WeightBuffer weights_;
};

}  // namespace axiform::inline AXIFORM_ARCH
