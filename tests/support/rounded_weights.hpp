// What weights are after they were written in a format and read back, and whether products take rows as they are.
#pragma once

#include <axiform/core/weight_blocks.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/simd/arch.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace axiform::test {

/// Rounds rows of `columns` weights as a matrix or a table does that was asked for `format`.
inline void round_weights(WeightFormat format, std::span<float> values, std::size_t columns) {
  format = format_of_rows(format, columns);
  if (is_in_blocks(format)) {
    std::vector<std::byte> blocks(bytes_of(format, values.size()));
    write_blocks(format, values.data(), values.size(), blocks.data());
    read_blocks(format, blocks.data(), values.size(), values.data());
  } else {
    for (float& value : values) value = rounded_to(format, value);
  }
}

/// Whether products with weights in `format` have the bits of those with floats of the same values: their rows are not rounded.
constexpr bool multiplies_floats(WeightFormat format) {
  return !is_in_blocks(format) && !(format == WeightFormat::bf16 && simd::has_bfloat16_products);
}

}  // namespace axiform::test
