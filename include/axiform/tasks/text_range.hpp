/// @file
/// `TextRange`: what tasks take for many texts.
#pragma once

#include <concepts>
#include <ranges>
#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform {

/// Many texts: a random-access range of strings or string views, such as `std::vector<std::string>`.
template <class T>
concept TextRange = std::ranges::random_access_range<T const&> && std::ranges::sized_range<T const&> &&
    std::convertible_to<std::ranges::range_reference_t<T const&>, std::string_view> && !std::convertible_to<T const&, std::string_view>;

}  // namespace axiform
