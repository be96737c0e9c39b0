/// @file
/// The version of the library: the one place where it is written. CMake reads it from here.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform {

/// major.minor.patch, as semantic versioning has it.
inline constexpr char version[] = "0.1.0";

}  // namespace axiform
