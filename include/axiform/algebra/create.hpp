/// @file
/// Tensors from numbers: from lists, functions of the indices, ranges and random numbers. On the heap.
///
///     auto const marks = from_list<float, Students, Subjects>({{3, 5, 4}, {1, 2, 6}});
///     auto const noise = normal<float, Tokens, Features>(Philox(7), 5);        // 5 tokens: lengths that are free come last
///     auto const mask = lower_triangle<Queries, Keys>(5, 5);
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/nested_list.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/shape.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

namespace detail {

template <class Element, class... Axes, class F>
Tensor<Element, Axes...> filled(Shape<Axes...> const& shape, F const& f) {
  auto result = Tensor<Element, Axes...>::uninitialised(shape);
  for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = f(i);
  return result;
}

// As many lengths as there are axes without one.
template <class AxisPack, class... Lengths>
inline constexpr bool lengths_of = false;
template <Axis... Axes, class... Lengths>
inline constexpr bool lengths_of<Shape<Axes...>, Lengths...> = sizeof...(Axes) > 0 && sizeof...(Lengths) == Shape<Axes...>::dynamic_rank &&
                                                               (std::convertible_to<Lengths, std::size_t> && ...);

// The number of steps from `first` up to, or down to, before `last`.
template <class E>
std::size_t steps_between(E first, E last, E step) {
  if (step == 0) throw ArgumentError("arange: step: found 0, expected another number");
  if (step > 0 ? first >= last : first <= last) return 0;
  if constexpr (std::integral<E>) {
    auto const bits = [](E number) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(number)); };
    std::uint64_t const distance = step > 0 ? bits(last) - bits(first) : bits(first) - bits(last);
    return static_cast<std::size_t>((distance - 1) / (step > 0 ? bits(step) : 0 - bits(step)) + 1);
  }
  double const count = std::ceil((static_cast<double>(last) - static_cast<double>(first)) / static_cast<double>(step));
  if (!(count < 0x1p62)) throw ArgumentError("arange: found more numbers than memory has places, expected a range that ends");
  return static_cast<std::size_t>(count);
}

}  // namespace detail

/// From elements in nested braces; free lengths are those of the lists.
/// @throws ShapeError when a list is not as long as the others, or as its axis.
template <class Element, Axis... Axes>
  requires(sizeof...(Axes) > 0)
Tensor<Element, Axes...> from_list(NestedList<Element, sizeof...(Axes)> const& list) {
  auto lengths = Shape<Axes...>::empty().lengths();  // of axes within an empty list
  detail::measure_list<sizeof...(Axes)>(list, lengths);
  Tensor<Element, Axes...> result(Shape<Axes...>::of(lengths));
  Element* out = result.data();
  detail::read_list<sizeof...(Axes)>(list, lengths, out);
  return result;
}

/// What `f` is of the indices, one for each axis: `from_function<float, Rows, Columns>([](auto i, auto j) { return i < j; }, 5)`.
template <class Element, Axis... Axes, class F, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> from_function(F const& f, Lengths... lengths) {
  Shape<Axes...> const shape(static_cast<std::size_t>(lengths)...);
  std::array<std::size_t, sizeof...(Axes)> index{};
  return detail::filled<Element>(shape, [&](std::size_t) {
    auto const element = static_cast<Element>(std::apply(f, index));
    for (std::size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] != shape.lengths()[axis]) break;
      index[axis] = 0;
    }
    return element;
  });
}

/// The same number everywhere.
template <class Element, Axis... Axes, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> full(std::type_identity_t<Element> value, Lengths... lengths) {
  return detail::filled<Element>(Shape<Axes...>(static_cast<std::size_t>(lengths)...), [&](std::size_t) { return value; });
}
/// Zeros, as the constructor gives them.
template <class Element, Axis... Axes, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> zeros(Lengths... lengths) { return Tensor<Element, Axes...>(static_cast<std::size_t>(lengths)...); }
/// Ones.
template <class Element, Axis... Axes, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> ones(Lengths... lengths) { return full<Element, Axes...>(Element(1), lengths...); }
/// One where both indices are the same, else zero.
template <class Element, Axis Rows, Axis Columns, class... Lengths>
  requires(detail::lengths_of<Shape<Rows, Columns>, Lengths...>)
Tensor<Element, Rows, Columns> eye(Lengths... lengths) {
  return from_function<Element, Rows, Columns>([](std::size_t i, std::size_t j) { return i == j ? Element(1) : Element(0); }, lengths...);
}

/// `first`, `first + step` and so on, up to before `last` (NumPy's).
/// @throws ArgumentError when `step` is 0; ShapeError when the axis has another length.
template <class Element, Axis A>
Tensor<Element, A> arange(std::type_identity_t<Element> first, std::type_identity_t<Element> last,
                          std::type_identity_t<Element> step = Element(1)) {
  auto const shape = Shape<A>::of({detail::steps_between(first, last, step)});
  return detail::filled<Element>(shape, [&](std::size_t i) {
    if constexpr (std::integral<Element>) {  // the results are in range, i * step may not be
      return static_cast<Element>(static_cast<std::uint64_t>(first) + i * static_cast<std::uint64_t>(step));
    } else {
      return first + static_cast<Element>(i) * step;
    }
  });
}
/// As many numbers as the axis has places, equally far apart, from `first` to `last`, both included.
template <std::floating_point Element, Axis A, class... Lengths>
  requires(detail::lengths_of<Shape<A>, Lengths...>)
Tensor<Element, A> linspace(std::type_identity_t<Element> first, std::type_identity_t<Element> last, Lengths... lengths) {
  Shape<A> const shape(static_cast<std::size_t>(lengths)...);
  Element const parts = static_cast<Element>(shape.size() < 2 ? 1 : shape.size() - 1), step = (last - first) / parts;
  return detail::filled<Element>(
      shape, [&](std::size_t i) { return i != 0 && i + 1 == shape.size() ? last : first + static_cast<Element>(i) * step; });
}

/// Numbers from [0, 1), equally probable: of a counter-based generator, the same on every system.
template <std::floating_point Element, Axis... Axes, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> uniform(Philox const& random, Lengths... lengths) {
  constexpr std::size_t of_a_call = std::is_same_v<Element, float> ? 4 : 2;
  std::array<std::uint32_t, 4> words{};
  return detail::filled<Element>(Shape<Axes...>(static_cast<std::size_t>(lengths)...), [&](std::size_t i) {
    if (i % of_a_call == 0) words = random(0, i / of_a_call);
    if constexpr (std::is_same_v<Element, float>) {
      return static_cast<float>(words[i % 4] >> 8) * 0x1p-24F;
    } else {
      return static_cast<Element>(uniform_from(words[i % 2 * 2], words[i % 2 * 2 + 1]));
    }
  });
}
/// Numbers from the standard normal distribution, of a counter-based generator.
template <std::floating_point Element, Axis... Axes, class... Lengths>
  requires(detail::lengths_of<Shape<Axes...>, Lengths...>)
Tensor<Element, Axes...> normal(Philox const& random, Lengths... lengths) {
  std::array<double, 4> numbers{};
  return detail::filled<Element>(Shape<Axes...>(static_cast<std::size_t>(lengths)...), [&](std::size_t i) {
    if (i % 4 == 0) numbers = normals_from(random(0, i / 4));
    return static_cast<Element>(numbers[i % 4]);
  });
}

/// Of bool: true where the column is at most the row (NumPy's `tri`): what a causal mask lets through.
template <Axis Rows, Axis Columns, class... Lengths>
  requires(detail::lengths_of<Shape<Rows, Columns>, Lengths...>)
Tensor<bool, Rows, Columns> lower_triangle(Lengths... lengths) {
  return from_function<bool, Rows, Columns>([](std::size_t i, std::size_t j) { return j <= i; }, lengths...);
}
/// Of bool: true where the column is at least the row.
template <Axis Rows, Axis Columns, class... Lengths>
  requires(detail::lengths_of<Shape<Rows, Columns>, Lengths...>)
Tensor<bool, Rows, Columns> upper_triangle(Lengths... lengths) {
  return from_function<bool, Rows, Columns>([](std::size_t i, std::size_t j) { return j >= i; }, lengths...);
}

}  // namespace axiform
