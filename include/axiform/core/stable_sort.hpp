/// @file
/// A stable sort that no compiler warns of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// Sorts `values` by `less(projection(a), projection(b))`; equal ones keep their order.
///
/// `std::stable_sort` of GCC 12's library calls a function that the same library deprecates, and Clang 19 reports it to whoever includes the header.
template <class T, class Less, class Projection = std::identity>
void stable_sort(std::vector<T>& values, Less less, Projection projection = {}) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    auto&& left = std::invoke(projection, values[a]);
    auto&& right = std::invoke(projection, values[b]);
    return less(left, right) || (a < b && !less(right, left));
  });
  std::vector<T> sorted;
  sorted.reserve(values.size());
  for (std::size_t const index : order) sorted.push_back(std::move(values[index]));
  values = std::move(sorted);
}

}  // namespace axiform::detail
