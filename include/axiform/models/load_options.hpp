/// @file
/// `LoadOptions`: how a model is loaded.
#pragma once

#include <optional>

#include <axiform/core/cache_format.hpp>
#include <axiform/core/weight_format.hpp>

namespace axiform {

/// How a model is loaded.
struct LoadOptions {
  /// What matrices and tables are kept in, whatever the file has; norms and biases stay floats. A format of blocks is bf16 where rows are no multiple of
  /// 32 long. Without it a model that was prepared (`prepare_model`) is in the format of its files; of any other what a file has in blocks stays what it is where there is such a format (Q8_0, Q4_0, Q4_1) and becomes bf16 where there is none,
  /// and all that is floats, of whatever size, becomes f32: nothing is lost but of the blocks that become bf16.
  std::optional<WeightFormat> weights = {};
  /// What a decoder's key-value caches are kept in; other models have none.
  CacheFormat cache = CacheFormat::f32;
};

}  // namespace axiform
