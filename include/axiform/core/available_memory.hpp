/// @file
/// `available_memory`: how much memory a program may take, so that what cannot fit is refused before the system runs out of it.
#pragma once

#include <cstddef>
#include <optional>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(core)
#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#endif

namespace axiform {

/// The bytes that this process may take before the system swaps or kills it: what Linux calls available, or what is left of the limit of the process's
/// control group, if that is less. Nothing where the system does not say.
std::optional<std::size_t> available_memory();

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

AXIFORM_INLINE std::optional<std::size_t> available_memory() {
  constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  std::size_t available = unlimited;
  std::ifstream system("/proc/meminfo");
  for (std::string word; system >> word;)
    if (std::size_t kibibytes = 0; word == "MemAvailable:" && system >> kibibytes) available = kibibytes * 1024;
  // Version 2, as a container sees its own group, then version 1. "max" is no number.
  for (auto const& [limit_file, used_file] :
       {std::pair{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}}) {
    std::size_t limit = 0, used = 0;
    // What is used includes the page cache, which is given back: it counts for half.
    if (std::ifstream(limit_file) >> limit && std::ifstream(used_file) >> used && limit < unlimited / 2)
      available = std::min(available, limit - std::min(limit, used / 2));
  }
  return available == unlimited ? std::nullopt : std::optional(available);
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform
