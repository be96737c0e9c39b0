/// @file
/// A stable sort that no compiler warns of.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/function_ref.hpp>

#if AXIFORM_DEFINES(core)
#include <algorithm>
#include <numeric>
#endif

namespace axiform::detail {

/// The numbers below `count` in the order of `less`; equal ones keep theirs.
///
/// `std::stable_sort` of GCC 12's library calls a function that the same library deprecates, and Clang 19 reports it to whoever includes the header.
std::vector<std::size_t> stable_order(std::size_t count, FunctionRef<bool(std::size_t, std::size_t)> less);

/// Sorts `values` by `less(a, b)`; equal ones keep their order.
template <class T, class Less>
void stable_sort(std::vector<T>& values, Less less) {
  auto const order = stable_order(
      values.size(), [&](std::size_t a, std::size_t b) -> bool { return less(std::as_const(values[a]), std::as_const(values[b])); });
  std::vector<T> sorted;
  sorted.reserve(values.size());
  for (std::size_t const index : order) sorted.push_back(std::move(values[index]));
  values = std::move(sorted);
}

/// The same by `less(projection(a), projection(b))`; a projection may be a member.
template <class T, class Less, class Projection>
void stable_sort(std::vector<T>& values, Less less, Projection projection) {
  auto const of = [&](T const& value) -> decltype(auto) {
    if constexpr (std::is_member_object_pointer_v<Projection>)
      return (value.*projection);
    else
      return projection(value);
  };
  stable_sort(values, [&](T const& a, T const& b) { return less(of(a), of(b)); });
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(core)

AXIFORM_INLINE std::vector<std::size_t> stable_order(std::size_t count, FunctionRef<bool(std::size_t, std::size_t)> less) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return less(a, b) || (a < b && !less(b, a)); });
  return order;
}

#endif  // AXIFORM_DEFINES(core)

}  // namespace axiform::detail
