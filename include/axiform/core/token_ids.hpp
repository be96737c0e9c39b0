/// @file
/// `TokenIds`: ids as an argument, however the caller keeps them.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform {

namespace detail {

// Integers that an id may be kept in. Characters and truth values are none: a text is not a list of ids.
template <class T>
concept IdInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

// What lies one behind the other in a range. (By std::data: <ranges> is two tenths of a second of GCC's time.)
template <class Range>
using ElementOf = std::remove_cvref_t<decltype(*std::data(std::declval<Range const&>()))>;

template <class Range>
concept IdRange = IdInteger<ElementOf<Range>> && requires(Range const& range) {
  { std::size(range) } -> std::convertible_to<std::size_t>;
};

template <class Range>
concept TokenIdRange = IdRange<Range> && std::same_as<ElementOf<Range>, TokenId>;

}  // namespace detail

/// The parameter of a function that reads ids: `bert({101, 7592, 102}, context)`, a vector, an array or a span. It refers to the ids for the
/// length of the call; those of another integer type, as the 64 bits of many libraries, are converted.
class TokenIds {
 public:
  /// The ids of a list.
  TokenIds(std::initializer_list<TokenId> ids) noexcept : ids_(ids.begin(), ids.size()) {}
  /// The ids of a vector, an array or a span.
  template <detail::TokenIdRange Range>
  TokenIds(Range const& ids) noexcept : ids_(std::data(ids), std::size(ids)) {}
  /// Ids of another integer type, converted.
  /// @throws ArgumentError when one is not an id.
  template <detail::IdRange Range>
    requires(!detail::TokenIdRange<Range>)
  TokenIds(Range const& ids) {
    converted_.reserve(std::size(ids));
    for (auto const id : std::span(std::data(ids), std::size(ids))) {
      if (!std::in_range<TokenId>(id))
        throw ArgumentError("id " + std::to_string(id) + " at position " + std::to_string(converted_.size()) + ": expected 0 to " +
                            std::to_string(std::numeric_limits<TokenId>::max()));
      converted_.push_back(static_cast<TokenId>(id));
    }
    ids_ = converted_;
  }
  TokenIds(TokenIds const&) = delete;
  TokenIds& operator=(TokenIds const&) = delete;

  operator std::span<TokenId const>() const noexcept { return ids_; }  ///< The ids.
  std::span<TokenId const> span() const noexcept { return ids_; }      ///< The ids.
  std::size_t size() const noexcept { return ids_.size(); }            ///< Their number.

 private:
  std::vector<TokenId> converted_;
  std::span<TokenId const> ids_;
};

}  // namespace axiform
