/// @file
/// The shape of a tensor in a file, checked against the axes that a program's type has.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <axiform/core/axis.hpp>
#include <axiform/core/shape.hpp>

#if AXIFORM_DEFINES(io)
#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/tensor_file.hpp>
#endif

namespace axiform::detail {

/// An axis of a type, for whom it is a value.
struct ExpectedAxis {
  std::string (*name)();
  std::optional<std::size_t> length;  // Where the type knows it.

  template <Axis A>
  static constexpr ExpectedAxis of() noexcept {
    if constexpr (StaticAxis<A>) {
      return {&axis_name<A>, A::length};
    } else {
      return {&axis_name<A>, std::nullopt};
    }
  }
};

/// @param where What messages begin with: the file and the tensor.
/// @throws ShapeError when the number of lengths or one of them is not what the axes have.
void check_shape(std::string const& where, std::span<std::size_t const> found, std::span<ExpectedAxis const> expected);

/// `found` as a shape of `Axes...`.
/// @throws As `check_shape`.
template <Axis... Axes>
Shape<Axes...> checked_shape(std::string const& where, std::span<std::size_t const> found) {
  check_shape(where, found, std::array{ExpectedAxis::of<Axes>()...});
  std::array<std::size_t, sizeof...(Axes)> lengths;
  std::ranges::copy(found, lengths.begin());
  return Shape<Axes...>::of(lengths);
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE void check_shape(std::string const& where, std::span<std::size_t const> found, std::span<ExpectedAxis const> expected) {
  auto const expected_shape = [&] {
    std::string text = "[";
    for (ExpectedAxis const& axis : expected) text += (text.size() > 1 ? ", " : "") + axis.name();
    return text + "]";
  };
  if (found.size() != expected.size())
    throw ShapeError(message({where, ": found the shape ", shape_to_string(found), found.empty() ? " of a number without axes" : "",
                              ", expected ", expected_shape()}));
  for (std::size_t i = 0; i < found.size(); ++i)
    if (expected[i].length.value_or(found[i]) != found[i])
      throw ShapeError(message({where, ": found the shape ", shape_to_string(found), ", expected ", expected_shape(), ": axis ",
                                expected[i].name(), " has the length ", found[i], ", expected ", *expected[i].length}));
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform::detail
