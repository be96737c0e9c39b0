/// @file
/// `SentenceDense`: the module `Dense` of sentence-transformers, which maps pooled vectors to embeddings of another width.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// activation(linear(x)), and where there is a residual x, or its own linear map of x.
class SentenceDense {
 public:
  using Map = Linear<axes::Hidden, axes::Hidden>;  ///< Of vectors whose widths the file decides.

  /// Loads the weights of the module's folder.
  /// @throws FileError, FormatError or CheckpointError when it is missing, malformed or of other shapes than the module's config says.
  static SentenceDense load(DenseConfig const& config, Context& context);

  /// @param x [Sequences, Hidden], as wide as the inputs.
  /// @return  [Sequences, Hidden], as wide as the outputs.
  /// @throws ShapeError when the width is not that of the inputs.
  Tensor<float, axes::Sequences, axes::Hidden> operator()(Tensor<float, axes::Sequences, axes::Hidden> const& x, Context& context) const;

  std::size_t inputs() const noexcept { return linear_.inputs(); }    ///< Width of what it takes.
  std::size_t outputs() const noexcept { return linear_.outputs(); }  ///< Width of what it gives.

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("linear", self.linear_);
    visitor("residual", self.residual_);
  }

 private:
  explicit SentenceDense(DenseConfig const& config);

  Map linear_;
  std::optional<Map> residual_;
  bool has_residual_;
  Activation activation_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE SentenceDense SentenceDense::load(DenseConfig const& config, Context& context) {
  SentenceDense dense(config);
  std::vector<ParameterRequest> requests;
  for_each_parameter(dense, [&](std::string_view name, ParameterRef const& parameter) {
    bool const is_absent = name == "residual.bias" || (name == "linear.bias" && config.bias == DensePart::absent);
    if (is_absent) return;  // zeros
    requests.push_back({.name = std::string(name),
                        .shape = parameter.shape(),
                        .write_rows = [parameter](std::size_t first, std::span<float const> rows) { parameter.write_rows(first, rows); }});
  });
  NameTable const names{
      .family = "Dense", .prefixes = {""}, .rules = {}, .spellings = {}, .body = {"linear.**", "residual.**"}, .buffers = {}};
  load_parameters(Checkpoint::open(config.directory), names, requests, context.executor());
  return dense;
}

AXIFORM_INLINE Tensor<float, axes::Sequences, axes::Hidden> SentenceDense::operator()(Tensor<float, axes::Sequences, axes::Hidden> const& x,
                                                                                      Context& context) const {
  if (!has_residual_) return linear_(x, context, activate(activation_));
  if (!residual_) return linear_(x, context, activate(activation_), add_residual(x));
  return linear_(x, context, activate(activation_), add_residual((*residual_)(x, context)));
}

AXIFORM_INLINE SentenceDense::SentenceDense(DenseConfig const& config)
    : linear_(config.inputs, config.outputs), has_residual_(config.residual == DensePart::present), activation_(config.activation) {
  if (has_residual_ && config.inputs != config.outputs) residual_.emplace(config.inputs, config.outputs);
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH
