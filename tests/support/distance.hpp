// How far numbers are from those expected, relative to their size.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace axiform::test {

/// |found - expected| / |expected|, by Euclid's norm; infinite where lengths differ or anything is no number.
inline double relative_distance(std::span<float const> found, std::span<float const> expected) {
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < expected.size() && i < found.size(); ++i) {
    difference += (double(found[i]) - expected[i]) * (double(found[i]) - expected[i]);
    size += double(expected[i]) * expected[i];
  }
  double const distance = std::sqrt(difference / size);
  return found.size() == expected.size() && distance == distance ? distance : std::numeric_limits<double>::infinity();
}

}  // namespace axiform::test
