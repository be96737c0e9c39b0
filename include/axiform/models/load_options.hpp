/// @file
/// `LoadOptions`: how a model is loaded.
#pragma once

#include <axiform/core/weight_format.hpp>

namespace axiform {

/// How a model is loaded.
struct LoadOptions {
  /// What matrices and tables are kept in, whatever the file has; norms and biases stay floats. A BF16 or F16 file loses nothing in its own format,
  /// and in f32 nothing either.
  WeightFormat weights = WeightFormat::f32;
};

}  // namespace axiform
