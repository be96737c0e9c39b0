/// @file
/// `LabelScore`: what classification gives.
#pragma once

#include <string>

#include <axiform/core/config.hpp>

namespace axiform {

/// A label, and how well it fits.
struct LabelScore {
  std::string label;  ///< As config.json names it, or as it was given.
  double score;       ///< A probability, or, for regression, the number itself.
};

}  // namespace axiform
