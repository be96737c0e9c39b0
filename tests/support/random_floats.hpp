/// @file
/// Floats to compute with, by a seed.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace axiform::test {

/// From -1 to 1.
inline std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

}  // namespace axiform::test
