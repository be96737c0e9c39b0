/// @file
/// The table of an attention map: who attends to whom, with the tokens as labels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iomanip>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// The mean over the heads of an attention map.
///
/// @param heads_map [Heads, Queries, Keys].
/// @return          [Queries, Keys].
template <ViewableAs<axes::Heads, axes::Queries, axes::Keys> Map>
Tensor<float, axes::Queries, axes::Keys> mean_over_heads(Map const& heads_map) {
  View<axes::Heads, axes::Queries, axes::Keys> const map = heads_map;
  std::size_t const heads = map.length<0>(), queries = map.length<1>();
  Tensor<float, axes::Queries, axes::Keys> mean(queries, map.length<2>());
  std::vector<double> sums(map.length<2>());
  for (std::size_t query = 0; query < queries; ++query) {
    std::ranges::fill(sums, 0.0);
    for (std::size_t head = 0; head < heads; ++head) {
      auto const row = map.row(head * queries + query);
      for (std::size_t key = 0; key < row.size(); ++key) sums[key] += row[key];
    }
    for (std::size_t key = 0; key < sums.size(); ++key) mean(query, key) = static_cast<float>(sums[key] / static_cast<double>(heads));
  }
  return mean;
}

/// One head of an attention map.
///
/// @param map [Heads, Queries, Keys].
/// @return    [Queries, Keys], a view into the map.
/// @throws ArgumentError when there is no such head.
View<axes::Queries, axes::Keys> attention_of_head(View<axes::Heads, axes::Queries, axes::Keys> map, std::size_t head);

namespace detail {

/// Characters of UTF-8 text, for alignment; no account is taken of double width.
inline std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

inline std::string padded_left(std::string_view text, std::size_t width) {
  std::size_t const length = display_width(text);
  return std::string(width > length ? width - length : 0, ' ').append(text);
}

}  // namespace detail

/// Writes a table of attention, one row a query and one column a key, rounded to `decimals`.
///
/// @param attention_map [Queries, Keys].
/// @param queries,keys  Labels of the rows and columns: the tokens.
/// @throws ShapeError when the numbers of labels differ from the lengths.
template <ViewableAs<axes::Queries, axes::Keys> Map>
void print_attention_table(std::ostream& out, Map const& attention_map, std::span<std::string const> queries,
                           std::span<std::string const> keys, int decimals = 3) {
  View<axes::Queries, axes::Keys> const attention = attention_map;
  if (attention.length<0>() != queries.size() || attention.length<1>() != keys.size())
    throw ShapeError("attention table: found " + std::to_string(queries.size()) + " and " + std::to_string(keys.size()) +
                     " labels for a map " + attention.shape().to_string());
  std::size_t label_width = 0;
  for (std::string const& label : queries) label_width = std::max(label_width, detail::display_width(label));
  std::size_t const number_width = static_cast<std::size_t>(decimals) + 2;

  out << std::string(label_width, ' ');
  for (std::string const& key : keys) out << ' ' << detail::padded_left(key, number_width);
  out << '\n';
  for (std::size_t query = 0; query < queries.size(); ++query) {
    out << detail::padded_left(queries[query], label_width);
    for (std::size_t key = 0; key < keys.size(); ++key) {
      std::ostringstream number;
      number << std::fixed << std::setprecision(decimals) << attention(query, key);
      out << ' ' << detail::padded_left(number.str(), std::max(number_width, detail::display_width(keys[key])));
    }
    out << '\n';
  }
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

AXIFORM_INLINE View<axes::Queries, axes::Keys> attention_of_head(View<axes::Heads, axes::Queries, axes::Keys> map, std::size_t head) {
  if (head >= map.length<0>())
    throw ArgumentError("head: found " + std::to_string(head) + ", expected 0 to " + std::to_string(map.length<0>() - 1));
  return {map.data() + head * map.length<1>() * map.row_stride(), {map.length<1>(), map.length<2>()}, map.row_stride()};
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
