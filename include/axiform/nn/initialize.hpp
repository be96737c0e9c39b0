/// @file
/// Seeded weights, for models that are assembled before there is a checkpoint.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/random.hpp>
#include <axiform/kernels/random.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// How weights are initialised.
struct Initialization {
  std::uint64_t seed = 0;            ///< Equal seeds give equal weights.
  double standard_deviation = 0.02;  ///< Of matrices and tables; BERT's and GPT-2's `initializer_range`.
};

/// Fills matrices and tables from a normal distribution; vectors (biases and norms) keep what their layers begin with: zeros and ones.
/// Equal seeds give equal weights: parameter p, row r and column c are a function of (seed, p, r, c), however many threads there are.
template <Layer L>
void initialize(L& layer, Initialization const& options, Context& context) {
  Philox const random(options.seed);
  std::uint64_t next_stream = 0;
  for_each_parameter(layer, [&](std::string_view, ParameterRef const& parameter) {
    std::uint64_t const stream = next_stream++;
    if (parameter.shape().size() < 2) return;
    std::size_t const columns = parameter.columns(), groups = (columns + 3) / 4;
    for_row_ranges(context.executor(), parameter.rows(), columns, [&](std::size_t first, std::size_t last) {
      constexpr std::size_t most = 64;  // rows at once: packing one would touch as many cache lines as it has columns
      std::vector<float> rows(std::min(most, last - first) * columns), row(4 * groups);
      for (std::size_t r = first; r < last; r += most) {
        std::size_t const count = std::min(most, last - r);
        for (std::size_t i = 0; i < count; ++i) {
          kernels::fill_normal(random, stream, (r + i) * groups, options.standard_deviation, row.data(), groups);
          std::copy_n(row.begin(), columns, rows.begin() + static_cast<std::ptrdiff_t>(i * columns));
        }
        parameter.write_rows(r, std::span<float const>(rows).first(count * columns));
      }
    });
  });
}

}  // namespace axiform::inline AXIFORM_ARCH
