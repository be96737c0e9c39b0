/// @file
/// Checks of what callers give, with the words that all of them use.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform {

/// @param what What an id is, in messages: "token id".
/// @throws ArgumentError when an id is not in [0, count).
inline void check_ids(std::span<TokenId const> ids, std::size_t count, char const* what) {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= count)
      throw ArgumentError(std::string(what) + " " + std::to_string(ids[i]) + " at position " + std::to_string(i) + ": expected " +
                          (count == 0 ? "none, the table is empty" : "0 to " + std::to_string(count - 1)));
}

namespace detail {

/// @throws ArgumentError when `value` is 0.
inline void check_positive(std::size_t value, char const* name) {
  if (value == 0) throw ArgumentError(std::string(name) + ": found 0, expected at least 1");
}

}  // namespace detail

}  // namespace axiform
