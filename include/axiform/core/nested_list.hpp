/// @file
/// `NestedList`: elements in nested braces, a pair for each axis, and their lengths.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

#include <axiform/core/error.hpp>

namespace axiform {

namespace detail {
template <class Element, std::size_t Rank>
struct NestedListOf {
  using type = std::initializer_list<typename NestedListOf<Element, Rank - 1>::type>;
};
template <class Element>
struct NestedListOf<Element, 0> {
  using type = Element;
};
}  // namespace detail

/// What `{{1, 2, 3}, {4, 5, 6}}` is for a tensor of two axes.
template <class Element, std::size_t Rank>
using NestedList = typename detail::NestedListOf<Element, Rank>::type;

namespace detail {

// The length of each axis, from the first list at each depth.
template <std::size_t Rank, class List, std::size_t All>
constexpr void measure_list(List const& list, std::array<std::size_t, All>& lengths) {
  lengths[All - Rank] = list.size();
  if constexpr (Rank > 1) {
    if (list.size() != 0) measure_list<Rank - 1>(*list.begin(), lengths);
  }
}

// Writes the elements to `out`, row by row, and moves it on.
template <std::size_t Rank, class List, std::size_t All, class Element>
constexpr void read_list(List const& list, std::array<std::size_t, All> const& lengths, Element*& out) {
  std::size_t const axis = All - Rank;
  if (list.size() != lengths[axis])
    throw ShapeError("a nested list: found " + std::to_string(list.size()) + " places on axis " + std::to_string(axis) + ", expected " +
                     std::to_string(lengths[axis]));
  for (auto const& each : list) {
    if constexpr (Rank > 1) {
      read_list<Rank - 1>(each, lengths, out);
    } else {
      *out++ = each;
    }
  }
}

}  // namespace detail

}  // namespace axiform
