/// @file
/// The best of many hits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <axiform/tasks/semantic_search.hpp>

namespace axiform::detail {

/// Leaves the `top_k` best of hits whose scores are numbers: best first, equals by index, an order that does not depend on the one they come in.
inline void keep_best(std::vector<SearchHit>& hits, std::size_t top_k) {
  auto const middle = hits.begin() + static_cast<std::ptrdiff_t>(std::min(top_k, hits.size()));
  std::partial_sort(hits.begin(), middle, hits.end(),
                    [](SearchHit const& a, SearchHit const& b) { return a.score != b.score ? a.score > b.score : a.index < b.index; });
  hits.erase(middle, hits.end());
}

}  // namespace axiform::detail
