/// @file
/// Probabilities of scores, in double precision: what is compared and multiplied, not what attention computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// The softmax of a row, in place. A row with nothing but -infinity becomes NaN.
inline void to_probabilities(std::span<double> scores) {
  if (scores.empty()) return;
  double const greatest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - greatest);
  for (double& score : scores) score /= sum;
}

}  // namespace axiform::detail
