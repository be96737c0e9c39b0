/// @file
/// `Shape`: the lengths of a tensor's axes. What the type knows costs nothing and is `constexpr`.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>

namespace axiform {

/// The lengths of the axes `Axes...`, outermost first.
template <Axis... Axes>
class Shape {
 public:
  static constexpr std::size_t rank = sizeof...(Axes);  ///< The number of axes.
  /// The number of axes whose length is free.
  static constexpr std::size_t dynamic_rank = (0 + ... + (StaticAxis<Axes> ? 0 : 1));
  /// The type of axis `I`.
  template <std::size_t I>
  using AxisAt = std::tuple_element_t<I, std::tuple<Axes...>>;

  static_assert(rank > 0, "a shape has at least one axis");

  /// A shape from the lengths of its dynamic axes alone, in order: `Shape<axes::Tokens, Const<768>>(5)` is [5, 768].
  template <std::convertible_to<std::size_t>... Lengths>
    requires(sizeof...(Lengths) == dynamic_rank)
  constexpr Shape(Lengths... dynamic_lengths) {
    std::array<std::size_t, dynamic_rank> const given{static_cast<std::size_t>(dynamic_lengths)...};
    std::size_t axis = 0, next = 0;
    ((lengths_[axis++] = length_or<Axes>(given, next)), ...);
  }

  /// A shape from the lengths of all axes.
  /// @throws ShapeError when a length differs from the one that the type has.
  static constexpr Shape of(std::array<std::size_t, rank> const& lengths) {
    Shape shape(UncheckedTag{}, lengths);
    std::size_t axis = 0;
    (check<Axes>(lengths[axis++]), ...);
    return shape;
  }

  /// Zero wherever a length is free.
  static constexpr Shape empty() noexcept {
    Shape shape(UncheckedTag{}, {});
    std::size_t axis = 0;
    ((shape.lengths_[axis++] = least_length<Axes>()), ...);
    return shape;
  }

  /// The length of axis `I`, a constant where the type knows it.
  template <std::size_t I>
  constexpr std::size_t length() const noexcept {
    if constexpr (StaticAxis<AxisAt<I>>) {
      return AxisAt<I>::length;
    } else {
      return lengths_[I];
    }
  }

  /// The lengths of all axes, outermost first.
  constexpr std::array<std::size_t, rank> const& lengths() const& noexcept { return lengths_; }
  /// The same, by value, of a shape that is about to go.
  constexpr std::array<std::size_t, rank> lengths() const&& noexcept { return lengths_; }
  /// The length of the last axis.
  constexpr std::size_t columns() const noexcept { return length<rank - 1>(); }
  /// The product of all lengths but the last.
  constexpr std::size_t rows() const noexcept {
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return (std::size_t{1} * ... * length<I>()); }
    (std::make_index_sequence<rank - 1>{});
  }
  constexpr std::size_t size() const noexcept { return rows() * columns(); }  ///< The product of all lengths.

  /// An element's index on each axis.
  /// @throws ArgumentError when one is not below its axis's length.
  template <std::convertible_to<std::size_t>... Indices>
    requires(sizeof...(Indices) == rank)
  constexpr std::array<std::size_t, rank> checked(Indices... indices) const {
    std::array<std::size_t, rank> const index{static_cast<std::size_t>(indices)...};
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((index[I] < length<I>() ? void() : refuse(I, index[I])), ...); }
    (std::make_index_sequence<rank>{});
    return index;
  }
  /// The row of the element of that index, counted over all axes but the last.
  constexpr std::size_t row_of(std::array<std::size_t, rank> const& index) const noexcept {
    std::size_t row = 0;
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((row = row * length<I>() + index[I]), ...); }
    (std::make_index_sequence<rank - 1>{});
    return row;
  }

  /// "[5, 768]"
  std::string to_string() const {
    std::string text = "[";
    for (std::size_t i = 0; i < rank; ++i) text += (i ? ", " : "") + std::to_string(lengths_[i]);
    return text + "]";
  }

  /// "[Tokens: 5, 768]": with the names of the axes that have one.
  std::string to_string_with_names() const {
    std::string text = "[";
    std::size_t axis = 0;
    auto const append = [&](std::string const& name) {
      text += axis == 0 ? name : ", " + name;
      text += std::to_string(lengths_[axis++]);
    };
    (append(detail::is_unnamed<Axes> ? "" : axis_name<Axes>() + ": "), ...);
    return text + "]";
  }

  friend constexpr bool operator==(Shape const&, Shape const&) = default;  ///< Equal lengths.

 private:
  struct UncheckedTag {};
  constexpr Shape(UncheckedTag, std::array<std::size_t, rank> const& lengths) : lengths_(lengths) {}

  // Apart, so that what is called for each element stays small. An index below zero is written as one.
  [[noreturn, gnu::noinline, gnu::cold]] void refuse(std::size_t axis, std::size_t index) const {
    throw ArgumentError("index " + std::to_string(static_cast<std::ptrdiff_t>(index)) + " on axis " + std::to_string(axis) +
                        " of a tensor " + to_string());
  }

  template <Axis A, std::size_t Count>
  static constexpr std::size_t length_or(std::array<std::size_t, Count> const& given, std::size_t& next) {
    if constexpr (StaticAxis<A>) {
      return A::length;
    } else {
      return given[next++];
    }
  }
  template <Axis A>
  static constexpr std::size_t least_length() noexcept {
    if constexpr (StaticAxis<A>) {
      return A::length;
    } else {
      return 0;
    }
  }
  template <Axis A>
  static constexpr void check(std::size_t length) {
    if constexpr (StaticAxis<A>) {
      if (length != A::length) detail::throw_length(axis_name<A>(), length, A::length);
    }
  }

  std::array<std::size_t, rank> lengths_{};
};

}  // namespace axiform
