/// @file
/// What depends on the order of elements along an axis: `argmax`, `argmin`, `sort`, `argsort`, `top_k`, `cumulative_sum`.
///
///     auto const best = argmax<Labels>(scores);                      // of int64, without the axis
///     auto const [values, places] = top_k<Vocabulary, Best>(logits, 5);
///
/// NaN is greater than every number, as NumPy sorts it. With a context behind the other arguments its threads share the work and results lie in its memory.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// NaN behind all numbers.
template <class E>
bool sorts_before(E a, E b) {
  if constexpr (axiform::detail::is_half<E>) {
    return sorts_before(static_cast<float>(a), static_cast<float>(b));
  } else if constexpr (std::floating_point<E>) {
    return a < b || (b != b && a == a);
  } else {
    return a < b;
  }
}
struct Before {
  template <class E>
  bool operator()(E a, E b) const {
    return sorts_before(a, b);
  }
};
struct Behind {
  template <class E>
  bool operator()(E a, E b) const {
    return sorts_before(b, a);
  }
};
// As NumPy's argmax and argmin: the first NaN is both.
struct IsGreater {
  template <class E>
  bool operator()(E a, E b) const {
    return a > b || (a != a && b == b);
  }
};
struct IsSmaller {
  template <class E>
  bool operator()(E a, E b) const {
    return a < b || (a != a && b == b);
  }
};

// A line: the elements along an axis at one place of the others.
template <class E>
struct Line {
  E* first;
  std::ptrdiff_t stride;
  std::size_t count;

  E& operator[](std::size_t i) const { return first[static_cast<std::ptrdiff_t>(i) * stride]; }
};

// The loops over all axes of x, operand 1, but one; the result, operand 0, has the same axes, or all but that one.
template <TensorOperand Result, TensorOperand X>
Loops loops_over_lines(std::size_t place, Result const& result, X const& x) {
  static_assert(AxesOf<X>::size <= axiform::detail::most_axes);
  auto const result_strides = strides_of(result);
  auto const strides = strides_of(x);
  Loops lines;
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    if (axis == place) continue;
    bool const is_left_out = result_strides.size() < strides.size() && axis > place;
    lines.add(x.lengths()[axis], {result_strides[is_left_out ? axis - 1 : axis], strides[axis]});
  }
  lines.simplify();
  return lines;
}

// Where the best of floats that lie together is first.
template <class Better>
std::size_t first_best(Better const&, float const* line, std::size_t count) {
  using Fold = std::conditional_t<std::is_same_v<Better, IsGreater>, kernels::Greater, kernels::Smaller>;
  float const best = kernels::fold(Fold{}, count, line, line[0], line[0]);
  constexpr std::size_t part = 64;
  std::size_t first = 0;
  for (; first + part <= count; first += part) {
    unsigned found = 0;
    for (std::size_t i = first; i < first + part; ++i)
      found |= static_cast<unsigned>(line[i] == best) | static_cast<unsigned>(line[i] != line[i]);
    if (found != 0) break;
  }
  while (!(line[first] == best || line[first] != line[first])) ++first;
  return first;
}

// The place of the best element of each line.
template <class Better, class E>
void find_best(Better const& better, Loops const& lines, std::int64_t* target, E const* values, std::size_t count, std::ptrdiff_t stride,
               Executor& executor) {
  bool const stay_apart = lines.rank() != 0 && lines.innermost().step[1] == 1;
  auto const find = [&](LoopRun const& run) {
    std::int64_t* const to = target + run.begin[0];
    E const* const from = values + run.begin[1];
    constexpr std::size_t most = 1024;
    if (run.step[1] == 1 && run.step[0] == 1) {  // row by row, as they lie
      E best[most];
      for (std::size_t first = 0; first < run.count; first += most) {
        std::size_t const columns = std::min(most, run.count - first);
        std::copy_n(from + first, columns, best);
        std::fill_n(to + first, columns, 0);
        for (std::size_t i = 1; i < count; ++i) {
          E const* const row = from + first + static_cast<std::ptrdiff_t>(i) * stride;
          for (std::size_t j = 0; j < columns; ++j) {
            bool const is_better = better(row[j], best[j]);
            best[j] = is_better ? row[j] : best[j];
            to[first + j] = is_better ? static_cast<std::int64_t>(i) : to[first + j];
          }
        }
      }
      return;
    }
    for (std::ptrdiff_t j = 0; j < static_cast<std::ptrdiff_t>(run.count); ++j) {
      if constexpr (std::is_same_v<E, float>) {
        if (stride == 1) {  // the best, then where it is first: each a loop over registers
          to[j * run.step[0]] = static_cast<std::int64_t>(first_best(better, from + j * run.step[1], count));
          continue;
        }
      }
      Line<E const> const line{from + j * run.step[1], stride, count};
      std::size_t place = 0;
      for (std::size_t i = 1; i < count; ++i)
        if (better(line[i], line[place])) place = i;
      to[j * run.step[0]] = static_cast<std::int64_t>(place);
    }
  };
  lines.for_each(executor, find, count, stay_apart ? 64 : 1);
}

template <class A, class Better, TensorOperand X, class... C>
auto place_of_best(char const* operation, Better const& better, X const& x, C&... context) {
  using List = AxesOf<X>;
  static_assert(axiform::detail::has_axis<A, List>, "the tensor has no such axis, or has it twice");
  check_arithmetic<X>();
  if constexpr (axiform::detail::is_half<ElementOf<X>>) {
    return place_of_best<A>(operation, better, convert<float>(x, context...), context...);
  } else if constexpr (axiform::detail::has_axis<A, List>) {
    constexpr std::size_t place = axiform::detail::place_of<A>(List{});
    std::size_t const count = x.lengths()[place];
    check_not_empty(operation, count);
    using Kept = axiform::detail::Without<List, axiform::detail::AxisOf<List, place>>;
    if constexpr (Kept::size == 0) {
      std::int64_t result = 0;
      SerialExecutor executor;
      find_best(better, Loops(), &result, data_of(x), count, strides_of(x)[place], executor);
      return result;
    } else {
      using Result = axiform::detail::TensorOf<std::int64_t, Kept>;
      auto const make = made_by<Result>(context...);
      auto result = make.template tensor<std::int64_t>(Result::ShapeType::of(axiform::detail::without(x.lengths(), place)));
      find_best(better, loops_over_lines(place, result, x), result.data(), data_of(x), count, strides_of(x)[place], make.executor());
      return result;
    }
  }
}

// The places of a line's elements, in order: the first `kept` of them. Of equal elements the first comes first.
template <class Less, class E>
void order_places(Less const& less, Line<E const> const& line, std::int64_t* places, std::size_t kept) {
  std::iota(places, places + line.count, std::int64_t{0});
  auto const comes_first = [&](std::int64_t a, std::int64_t b) {
    E const x = line[static_cast<std::size_t>(a)], y = line[static_cast<std::size_t>(b)];
    return less(x, y) || (!less(y, x) && a < b);
  };
  std::partial_sort(places, places + kept, places + line.count, comes_first);
}

// Calls `use(result line, x line)` for each line of x.
template <class R, class E, class Use>
void for_each_line(Loops const& lines, Line<R> const& result, Line<E const> const& x, Executor& executor, Use const& use) {
  auto const each = [&](LoopRun const& run) {
    for (std::ptrdiff_t j = 0; j < static_cast<std::ptrdiff_t>(run.count); ++j)
      use(Line<R>{result.first + run.begin[0] + j * run.step[0], result.stride, result.count},
          Line<E const>{x.first + run.begin[1] + j * run.step[1], x.stride, x.count});
  };
  lines.for_each(executor, each, x.count * 16, 1);
}

// The line of a tensor at the first place of all axes but that one.
template <class X>
auto first_line(X& x, std::size_t place) {
  using E = std::remove_pointer_t<decltype(x.data())>;
  return Line<E>{x.data(), strides_of(x)[place], x.lengths()[place]};
}

// A result on the axes of x, A being `Into` with `count` places, whose lines `use` makes of those of x.
template <class R, class A, class Into, TensorOperand X, class Use, class... C>
auto by_lines(X const& x, std::size_t count, Use const& use, C&... context) {
  static_assert(axiform::detail::has_axis<Into, axiform::detail::Replaced<AxesOf<X>, A, Into>>,
                "the tensor has an axis of the new name already");
  constexpr std::size_t place = axiform::detail::place_of<A>(AxesOf<X>{});
  using Result = axiform::detail::TensorOf<R, axiform::detail::Replaced<AxesOf<X>, A, Into>>;
  auto const make = made_by<Result>(context...);
  auto lengths = x.lengths();
  lengths[place] = count;
  auto result = make.template tensor<R>(Result::ShapeType::of(lengths));
  if (result.size() == 0) return result;
  Line<ElementOf<X> const> const line{data_of(x), strides_of(x)[place], x.lengths()[place]};
  for_each_line(loops_over_lines(place, result, x), first_line(result, place), line, make.executor(), use);
  return result;
}

// Adds each row to the one before, as they lie.
template <class E>
void sum_rows(Loops const& rows, Line<E> const& result, Line<E const> const& x, Executor& executor) {
  rows.for_each(
      executor,
      [&](LoopRun const& run) {
        for (std::size_t i = 0; i < x.count; ++i) {
          E* const to = &result[i] + run.begin[0];
          E const* const from = &x[i] + run.begin[1];
          if (i == 0) {
            std::copy_n(from, run.count, to);
          } else {
            kernels::apply(kernels::Add{}, run.count, to, static_cast<E const*>(to - result.stride), from);
          }
        }
      },
      x.count);
}

}  // namespace internal

/// The place of the greatest element along an axis, of several the first; of NaN where there is one. A number where the tensor has no other axis.
/// @throws ArgumentError when the axis has no place.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto argmax(X const& x, C&... context) { return internal::place_of_best<A>("argmax", internal::IsGreater{}, x, context...); }
/// The place of the smallest element likewise. @throws ArgumentError when the axis has no place.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto argmin(X const& x, C&... context) { return internal::place_of_best<A>("argmin", internal::IsSmaller{}, x, context...); }

/// The elements along an axis in ascending order.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto sort(X const& x, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  using E = ElementOf<X>;
  auto const sort_line = [](auto const& to, auto const& from) {
    HeapArray<E> const elements(from.count);
    for (std::size_t i = 0; i < from.count; ++i) elements.data()[i] = from[i];
    std::sort(elements.data(), elements.data() + from.count, internal::Before{});
    for (std::size_t i = 0; i < from.count; ++i) to[i] = elements.data()[i];
  };
  return internal::by_lines<E, A, A>(x, internal::length_along<A>(x), sort_line, context...);
}
/// The places of the elements along an axis in ascending order, of int64; of equal ones the first comes first.
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto argsort(X const& x, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  auto const order_line = [](auto const& to, auto const& from) {
    HeapArray<std::int64_t> const places(from.count);
    internal::order_places(internal::Before{}, from, places.data(), from.count);
    for (std::size_t i = 0; i < from.count; ++i) to[i] = places.data()[i];
  };
  return internal::by_lines<std::int64_t, A, A>(x, internal::length_along<A>(x), order_line, context...);
}

/// What `top_k` gives: elements, and where they stand.
template <class Values, class Places>
struct TopK {
  Values values;  ///< In descending order.
  Places places;  ///< On the axis, of int64.
};

/// The `count` greatest elements along an axis, in descending order, of equal ones the first first (torch's `topk`); the axis is `Into` in the result.
/// @throws ArgumentError when the axis has not so many places.
template <Axis A, Axis Into, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto top_k(X const& x, std::size_t count, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  if (std::size_t const length = internal::length_along<A>(x); count > length)
    throw ArgumentError("top_k: found " + std::to_string(static_cast<std::ptrdiff_t>(count)) +
                        ", expected at most the length of the axis " + axis_name<A>() + ", " + std::to_string(length));
  auto const choose = [count](auto const& to, auto const& from) {
    HeapArray<std::int64_t> const places(from.count);
    internal::order_places(internal::Behind{}, from, places.data(), count);
    for (std::size_t i = 0; i < count; ++i) to[i] = places.data()[i];
  };
  auto places = internal::by_lines<std::int64_t, A, Into>(x, count, choose, context...);
  auto values = internal::gather_as<AxesOf<decltype(places)>, A>("top_k", x, places, context...);
  return TopK<decltype(values), decltype(places)>{std::move(values), std::move(places)};
}

/// At each place of an axis the sum of the elements up to there, one after the other (NumPy's `cumsum`).
template <Axis A, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
auto cumulative_sum(X const& x, C&... context) {
  static_assert(axiform::detail::has_axis<A, AxesOf<X>>, "the tensor has no such axis, or has it twice");
  internal::check_arithmetic<X>();
  using E = ElementOf<X>;
  if constexpr (axiform::detail::is_half<E>) {
    return cumulative_sum<A>(convert<float>(x, context...), context...);
  } else {
    constexpr std::size_t place = axiform::detail::place_of<A>(AxesOf<X>{});
    using Result = axiform::detail::TensorOf<E, AxesOf<X>>;
    auto const make = internal::made_by<Result>(context...);
    auto result = make.template tensor<E>(Result::ShapeType::of(x.lengths()));
    if (result.size() == 0) return result;
    internal::Line<E const> const line{internal::data_of(x), strides_of(x)[place], x.lengths()[place]};
    auto const lines = internal::loops_over_lines(place, result, x);
    if (lines.rank() != 0 && lines.innermost().step[0] == 1 && lines.innermost().step[1] == 1) {
      internal::sum_rows(lines, internal::first_line(result, place), line, make.executor());
    } else {
      internal::for_each_line(lines, internal::first_line(result, place), line, make.executor(), [](auto const& to, auto const& from) {
        E total{};
        for (std::size_t i = 0; i < from.count; ++i) to[i] = total = kernels::Add{}.of(total, from[i]);
      });
    }
    return result;
  }
}

}  // namespace axiform::inline AXIFORM_ARCH
