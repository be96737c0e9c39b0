/// @file
/// `PackedMatrix`: a weight matrix in the layout that the product kernels stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/weights.hpp>
#include <axiform/ops/weight_buffer.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A matrix of `outputs` x `inputs` weights in one format, packed in panels of `kernels::panel_width` outputs: `[ceil(outputs / width)][inputs][width]`,
/// the last panel filled with zeros; in bf16 as kernels/packed_pairs.hpp says, in blocks as kernels/packed_blocks.hpp does. What is written and read are floats, or blocks as they are. Writing
/// distinct outputs, or distinct inputs (of a format of blocks, distinct blocks of inputs), from several threads is safe.
class PackedMatrix {
 public:
  /// Zeros, in f32. @throws ShapeError when its size exceeds the address space.
  constexpr PackedMatrix(std::size_t inputs, std::size_t outputs) : PackedMatrix(inputs, outputs, WeightFormat::f32) {}

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
  /// Keeps the weights in another format, rounded to it: in that of `format_of_rows` where blocks are asked for and the inputs do not come out even. Where
  /// nothing was written yet no memory is touched.
  void set_format(WeightFormat format) {
    format = format_of_rows(format, inputs_);
    if (format == this->format()) return;
    if (lies_in_order(format) && lies_in_order(this->format())) return weights_.set_format(format);
    PackedMatrix converted(inputs_, outputs_, format);
    if (!weights_.is_written()) {
      *this = std::move(converted);
      return;
    }
    std::vector<float> row(inputs_);
    for (std::size_t output = 0; output < outputs_; ++output) {
      read_output(output, row.data());
      converted.write_outputs(output, 1, row.data());
    }
    *this = std::move(converted);
  }

  /// Writes `count` outputs from `first` on, rounded to the format. @param values [count, inputs], row-major: a part of a matrix [out, in].
  void write_outputs(std::size_t first, std::size_t count, float const* values) {
    if (is_in_blocks(format())) {
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t input = 0; input < inputs_; input += weights_of_block(format()))
          write_block(first + i, input, values + i * inputs_ + input);
      return;
    }
    for_panels(first, count, [&](std::size_t output, std::size_t group, std::size_t place) {
      float const* const from = values + (output - first) * inputs_;
      if (format() == WeightFormat::f32) {
        kernels::transpose(group, inputs_, from, inputs_, static_cast<float*>(weights_.write_at(place)), kernels::panel_width);
        return;
      }
      constexpr std::size_t most = 64;  // even: pairs stay together
      float turned[most * kernels::panel_width];
      for (std::size_t input = 0; input < inputs_; input += most) {
        std::size_t const inputs = std::min(most, inputs_ - input);
        kernels::transpose(group, inputs, from + input, inputs_, turned, kernels::panel_width);
        if (format() == WeightFormat::bf16) {
          std::size_t const column = output % kernels::panel_width;
          kernels::write_pairs(turned, kernels::panel_width, input, inputs, column, group, inputs_, pairs_at(place - column));
          continue;
        }
        for (std::size_t i = 0; i < inputs; ++i)
          weights_.write(place + (input + i) * kernels::panel_width, turned + i * kernels::panel_width, group);
      }
    });
  }

  /// Writes inputs [first, first + count) of `outputs` outputs from `first_output` on, rounded to the format.
  /// @param values [count, outputs] with `stride` from one input to the next: a part of a matrix [in, out], as Conv1D has it.
  /// @throws ArgumentError when the format is one of blocks, and `first` or `count` no multiple of `weights_of_block(format())`.
  void write_inputs(std::size_t first, std::size_t count, std::size_t first_output, std::size_t outputs, float const* values,
                    std::size_t stride) {
    if (is_in_blocks(format())) {
      check_whole_blocks(format(), first, count);
      std::size_t const weights = weights_of_block(format());
      float block[most_weights_of_block];
      for (std::size_t output = 0; output < outputs; ++output)
        for (std::size_t input = 0; input < count; input += weights) {
          for (std::size_t i = 0; i < weights; ++i) block[i] = values[(input + i) * stride + output];
          write_block(first_output + output, first + input, block);
        }
      return;
    }
    for_panels(first_output, outputs, [&](std::size_t output, std::size_t group, std::size_t place) {
      if (format() == WeightFormat::bf16) {
        std::size_t const column = output % kernels::panel_width;
        kernels::write_pairs(values + (output - first_output), stride, first, count, column, group, inputs_, pairs_at(place - column));
        return;
      }
      for (std::size_t i = 0; i < count; ++i)
        weights_.write(place + (first + i) * kernels::panel_width, values + i * stride + (output - first_output), group);
    });
  }

  /// Writes outputs from `first` on as the blocks that they are. @param blocks Those of whole rows, as core/weight_blocks.hpp has them.
  /// @pre The format is one of blocks.
  void write_blocks(std::size_t first, std::span<std::byte const> blocks) {
    std::size_t const row = bytes_of(format(), inputs_);
    for (std::size_t at = 0; at + row <= blocks.size() && row != 0; at += row, ++first)
      pack_blocks(format(), blocks.data() + at, layout().panels(format(), memory()), first, 0, inputs_ / weights_of_block(format()));
  }

  /// Reads one output as the blocks that it is. @param blocks `bytes_of(format(), inputs())` bytes. @pre The format is one of blocks.
  void read_blocks_of(std::size_t output, std::byte* blocks) const noexcept {
    unpack_blocks(format(), packed(), output, 0, inputs_ / weights_of_block(format()), blocks);
  }
  /// Lets the weights be `bytes`, the whole matrix as it lies in memory in its format of blocks, which stay for as long as `owner` does; they are
  /// copied when something is written. @throws ArgumentError when they are not as many as the matrix has.
  void share(std::span<std::byte const> bytes, std::shared_ptr<void const> owner) {
    std::size_t const expected = bytes_of(format(), kernels::packed_block_weights(inputs_, outputs_));
    if (!is_in_blocks(format()) || bytes.size() != expected)
      throw ArgumentError("a shared matrix: found " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(expected));
    weights_.share(bytes, std::move(owner));
  }
  /// Whether the weights are in memory of somebody else.
  bool is_shared() const noexcept { return weights_.is_shared(); }
  /// Where the numbers of blocks lie, and their scales (core/block_panels.hpp).
  struct Blocks {
    std::span<std::byte const> numbers, scales;
  };
  /// Those of `count` outputs from `first` on. @pre The format is one of blocks; `first` is a multiple of 16, and so is `count` but at the end.
  Blocks blocks(std::size_t first, std::size_t count) const noexcept {
    auto const [numbers, scales, row_blocks] = packed();
    BlockParts const parts = parts_of_block(format());
    std::size_t const from = first * row_blocks, size = kernels::block_panel_count(count) * kernels::block_panel_width * row_blocks;
    return {{numbers + from * parts.number_bytes(), size * parts.number_bytes()},
            {scales + from * parts.scale_bytes(), size * parts.scale_bytes()}};
  }

  /// Reads one output: a row of the matrix [out, in].
  void read_output(std::size_t output, float* values) const noexcept {
    if (is_in_blocks(format())) {
      for_blocks(output, [&](std::size_t input, float const* block, std::size_t count) { std::copy_n(block, count, values + input); });
      return;
    }
    if (format() == WeightFormat::bf16) return kernels::read_pairs(pairs_of(output), output % kernels::panel_width, inputs_, values);
    weights_.read(place_of(output), kernels::panel_width, values, inputs_);
  }
  /// Adds one output to `values`.
  void add_output(std::size_t output, float* values) const noexcept {
    if (is_in_blocks(format())) {
      for_blocks(output, [&](std::size_t input, float const* block, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) values[input + i] += block[i];
      });
      return;
    }
    if (format() == WeightFormat::bf16) return kernels::add_pairs(pairs_of(output), output % kernels::panel_width, inputs_, values);
    weights_.add(place_of(output), kernels::panel_width, values, inputs_);
  }

 private:
  constexpr PackedMatrix(std::size_t inputs, std::size_t outputs, WeightFormat format)
      : inputs_(inputs), outputs_(outputs), weights_(count_of(inputs, outputs, format), format) {}

  static constexpr std::size_t count_of(std::size_t inputs, std::size_t outputs, WeightFormat format) {
    std::size_t bytes = 0;
    if (outputs > static_cast<std::size_t>(-1) - kernels::panel_width ||
        __builtin_mul_overflow(kernels::packed_floats(1, outputs) * sizeof(float), inputs, &bytes))
      throw ShapeError("a weight matrix of [" + std::to_string(outputs) + ", " + std::to_string(inputs) + "] is too large");
    return is_in_blocks(format) ? kernels::packed_block_weights(inputs, outputs) : bytes / sizeof(float);
  }
  kernels::BlockLayout layout() const noexcept { return {inputs_, outputs_}; }
  // Where the first input of an output lies; the next is a panel's width behind.
  std::size_t place_of(std::size_t output) const noexcept {
    return output / kernels::panel_width * kernels::panel_width * inputs_ + output % kernels::panel_width;
  }
  // Whether the next output of an input is the next weight, so that another format has each weight where this one has it.
  static constexpr bool lies_in_order(WeightFormat format) noexcept { return format == WeightFormat::f32 || format == WeightFormat::f16; }
  // The panel that begins at `place`, to write to, and that of an output, in bf16.
  std::uint16_t* pairs_at(std::size_t place) { return static_cast<std::uint16_t*>(weights_.write_at(place)); }
  std::uint16_t const* pairs_of(std::size_t output) const noexcept {
    return static_cast<std::uint16_t const*>(weights_.data()) + place_of(output - output % kernels::panel_width);
  }
  std::byte* memory() { return static_cast<std::byte*>(weights_.write_at(0)); }
  BlockPanels<std::byte const> packed() const noexcept { return layout().panels(format(), static_cast<std::byte const*>(weights_.data())); }
  // Rounds a block of inputs from `input` on.
  void write_block(std::size_t output, std::size_t input, float const* values) {
    std::byte block[most_bytes_of_block];
    std::size_t const weights = weights_of_block(format());
    axiform::write_blocks(format(), values, weights, block);
    pack_blocks(format(), block, layout().panels(format(), memory()), output, input / weights, 1);
  }
  // Calls use(input, values, count) for every block of an output.
  template <class Use>
  void for_blocks(std::size_t output, Use const& use) const noexcept {
    std::byte block[most_bytes_of_block];
    float values[most_weights_of_block];
    std::size_t const weights = weights_of_block(format());
    for (std::size_t input = 0; input < inputs_; input += weights) {
      unpack_blocks(format(), packed(), output, input / weights, 1, block);
      read_blocks(format(), block, weights, values);
      use(input, values, weights);
    }
  }
  // Calls write(output, group, place) for the outputs [first, first + count), as many at once as lie in one panel.
  template <class Write>
  void for_panels(std::size_t first, std::size_t count, Write const& write) {
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
