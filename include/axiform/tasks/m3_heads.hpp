/// @file
/// `M3Heads`: the two linear maps that BGE-M3 has behind its encoder.
#pragma once

#include <cstddef>

#include <axiform/core/tensor.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/nn/linear.hpp>

#if AXIFORM_DEFINES(tasks)
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/torch_file.hpp>
#include <axiform/nn/visit.hpp>
#endif

namespace axiform::inline AXIFORM_ARCH {

/// The maps behind the encoder: `colbert_linear.pt` and `sparse_linear.pt`.
struct M3Heads {
  Linear<axes::Hidden, axes::Hidden> vectors;  ///< A token's hidden state to its vector.
  Linear<axes::Hidden, axes::Hidden> sparse;   ///< A token's hidden state to its weight, one number.

  /// @throws FileError when a file is missing; FormatError when it is malformed; CheckpointError when its tensors are not those of such a map.
  static M3Heads load(ModelDirectory const& directory, std::size_t hidden_size);
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

namespace internal {

// A linear map that torch saved alone: "weight" and "bias".
AXIFORM_INLINE Linear<axes::Hidden, axes::Hidden> read_linear(std::filesystem::path const& path, std::size_t inputs) {
  TorchFile const file = TorchFile::open(path);
  auto const refuse = [&](std::string const& what) {
    throw CheckpointError(path.string() + ": found " + what + ", expected the weight [outputs, " + std::to_string(inputs) +
                          "] and the bias [outputs] of a linear map");
  };
  TensorInfo const* const weight = file.find("weight");
  TensorInfo const* const bias = file.find("bias");
  if (weight == nullptr || bias == nullptr) refuse("no tensor " + std::string(weight == nullptr ? "weight" : "bias"));
  if (weight->shape.size() != 2 || weight->shape[1] != inputs || bias->shape != std::vector<std::size_t>{weight->shape[0]})
    refuse("a weight " + shape_to_string(weight->shape) + " and a bias " + shape_to_string(bias->shape));
  // A view of few numbers may say that it is of any shape: it is refused before there is memory for it.
  constexpr std::size_t widest = 1 << 20;
  if (weight->shape[0] == 0 || weight->shape[0] > widest)
    throw CheckpointError(path.string() + ": found " + std::to_string(weight->shape[0]) + " outputs, expected 1 to " +
                          std::to_string(widest));
  for (TensorInfo const* const info : {weight, bias}) file.read_floats(*info, 0, {});
  Linear<axes::Hidden, axes::Hidden> linear(inputs, weight->shape[0]);
  for_each_parameter(linear, [&](std::string_view name, ParameterRef const& parameter) {
    TensorInfo const& info = name == "weight" ? *weight : *bias;
    std::vector<float> values(info.element_count());
    file.read_floats(info, 0, values);
    parameter.write_rows(0, values);
  });
  return linear;
}

}  // namespace internal

AXIFORM_INLINE M3Heads M3Heads::load(ModelDirectory const& directory, std::size_t hidden_size) {
  M3Heads heads{internal::read_linear(directory / "colbert_linear.pt", hidden_size),
                internal::read_linear(directory / "sparse_linear.pt", hidden_size)};
  if (heads.sparse.outputs() != 1)
    throw CheckpointError((directory / "sparse_linear.pt").string() + ": found " + std::to_string(heads.sparse.outputs()) +
                          " numbers for each token, expected 1");
  return heads;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
