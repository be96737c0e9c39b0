/// @file
/// The work that tensor_bench.cpp measures, by name, and what its peers have of it.
///
/// Each peer is a library of its own that shows nothing but its list: xtensor may be built on another version of xsimd than Axiform, and two versions of one
/// library must not meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace bench {

/// Does the work once, and returns the last element of its result: what the others must return too.
using Work = std::function<float()>;
/// By the name of the case, how its operands are made. Peers write over a result that is there already, but for `add/new`.
using Cases = std::map<std::string, std::function<Work()>>;

[[gnu::visibility("default")]] Cases eigen_cases();
[[gnu::visibility("default")]] Cases xtensor_cases();

/// The lengths of axes.
struct Lengths {
  std::size_t rows, columns;
};
inline constexpr Lengths in_memory{8192, 1000};
inline constexpr Lengths in_cache{32, 1000};
inline constexpr std::size_t products[] = {32, 128, 768, 3072};
inline constexpr std::size_t heads = 12, queries = 128, features = 64;
inline constexpr std::size_t turned = 4096;
inline constexpr std::size_t blocks = 64, block_rows = 256, block_columns = 512;
inline constexpr std::size_t vocabulary = 30522, words = 4096, width = 768;
inline constexpr std::size_t looped = 512;

/// "add/8192x1000"
inline std::string name_of(std::string const& name, Lengths const& of) {
  return name + "/" + std::to_string(of.rows) + "x" + std::to_string(of.columns);
}

/// Numbers from [0.5, 1.5), hardly any two of them the same.
inline void fill(float* values, std::size_t count, std::uint32_t seed) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits = (static_cast<std::uint32_t>(i) + seed * 40503u) * 2654435761u;
    bits = (bits ^ bits >> 15) * 2246822519u;
    values[i] = 0.5f + static_cast<float>((bits ^ bits >> 13) >> 8) * 0x1p-24f;
  }
}
/// The row of the table that word `i` has.
inline std::size_t id_of(std::size_t i) { return i * 2654435761u % vocabulary; }

}  // namespace bench
