/// @file
/// `Bias`: whether a layer adds one.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Whether a product, or a norm, adds a bias.
enum class Bias { present, absent };

}  // namespace axiform::inline AXIFORM_ARCH
