/// @file
/// How long calls tell how far they are, and how they end when they are told to stop.
#pragma once

#include <cstddef>
#include <functional>

#include <axiform/core/error.hpp>

namespace axiform {

/// How far a long call is.
struct Progress {
  std::size_t done = 0;   ///< Texts, or rows, that are finished.
  std::size_t total = 0;  ///< All of them.
};

/// Is told how far a call is, now and then, from one thread at a time (not always the one that called). What it throws ends the call.
using ProgressCallback = std::function<void(Progress const&)>;

/// A call was told to stop by its `std::stop_token` before it had its result.
class StoppedError : public Error {
 public:
  using Error::Error;
};

}  // namespace axiform
