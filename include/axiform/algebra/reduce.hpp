/// @file
/// Sums, means and extremes of tensors along named axes.
///
///     Tensor<float, axes::Queries, axes::Keys> scores(5, 7);
///     auto const total = sum<axes::Keys>(scores);      // [Queries]
///     float const largest = max(scores);               // of all elements
///
/// The result does not have the axes that are named; where none is, it is a number, of all elements. They are combined in an order that follows from the lengths
/// alone, so no bit depends on threads. Results lie on the heap; with a context behind the tensor, its threads share the work and they lie in its memory. Of an
/// `InlineTensor` it is one.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Folds `values` over the loops `reduced` into each element of `target`, which `kept` goes through. Where the elements of a row stay apart, rows are combined
// as they lie; where they are combined, each row is folded by itself.
template <class F, class E>
void fold_loops(F const& f, Loops const& kept, Loops const& reduced, E* target, E const* values, E identity, Executor& executor) {
  bool const stay_apart = kept.rank() != 0 && kept.innermost().step[1] == 1;
  auto const fold = [&](LoopRun const& run) {
    SerialExecutor serial;
    if (run.step[1] == 1) {
      constexpr std::size_t part = 4096;  // of a row, so that the sums stay in the first-level cache
      for (std::size_t first = 0; first < run.count; first += part) {
        std::size_t const count = std::min(part, run.count - first);
        E* const row = target + run.begin[0] + first;
        std::fill_n(row, count, identity);
        reduced.for_each(serial, [&](LoopRun const& inner) {
          for (std::size_t j = 0; j < inner.count; ++j)
            kernels::apply(f, count, row, static_cast<E const*>(row),
                           values + run.begin[1] + static_cast<std::ptrdiff_t>(first) + inner.begin[1] +
                               static_cast<std::ptrdiff_t>(j) * inner.step[1]);
        });
      }
      return;
    }
    for (std::size_t i = 0; i < run.count; ++i) {
      E const* const from = values + run.begin[1] + static_cast<std::ptrdiff_t>(i) * run.step[1];
      E result = identity;
      reduced.for_each(serial, [&](LoopRun const& inner) {
        if (inner.step[1] == 1) {
          result = kernels::fold(f, inner.count, from + inner.begin[1], result, identity);
        } else {
          for (std::size_t j = 0; j < inner.count; ++j)
            result = f.of(result, from[inner.begin[1] + static_cast<std::ptrdiff_t>(j) * inner.step[1]]);
        }
      });
      target[run.begin[0] + static_cast<std::ptrdiff_t>(i) * run.step[0]] = result;
    }
  };
  kept.for_each(executor, fold, reduced.size(), stay_apart ? 64 : 1);
}

// All of `count` elements that lie together: parts, each folded by itself, then their results.
template <class F, class E>
E fold_all(F const& f, std::size_t count, E const* values, E identity, Executor& executor) {
  constexpr std::size_t part = 64 * 1024;
  if (count <= part) return kernels::fold(f, count, values, identity, identity);
  HeapArray<E> const results((count + part - 1) / part);
  std::size_t const threads = std::min(results.size(), executor.concurrency());
  executor.parallel_for(threads, [&](std::size_t thread) {
    for (std::size_t i = results.size() * thread / threads; i < results.size() * (thread + 1) / threads; ++i)
      results.data()[i] = kernels::fold(f, std::min(part, count - i * part), values + i * part, identity, identity);
  });
  return kernels::fold(f, results.size(), results.data(), identity, identity);
}

// f of `x`, which lies where it is declared, along the axes of which `reduced` says so.
template <class Kept, class F, TensorOperand X>
constexpr auto fold_inline(F const& f, NumberOf<X> identity, X const& x, std::array<bool, AxesOf<X>::size> const& reduced) {
  using E = NumberOf<X>;
  auto const fold = [&](E* target, auto const& kept_place) {
    std::size_t place = 0;
    for_each_index(x.lengths(), [&](auto const& index) {
      E& result = target[kept_place(index)];
      result = f.of(result, static_cast<E>(x.data()[place++]));
    });
  };
  if constexpr (Kept::size == 0) {
    E result = identity;
    fold(&result, [](auto const&) { return std::size_t{0}; });
    return result;
  } else {
    axiform::detail::InlineOf<E, Kept> result;
    for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = identity;
    fold(result.data(), [&](auto const& index) {
      std::size_t place = 0;
      for (std::size_t i = 0; i < index.size(); ++i)
        if (!reduced[i]) place = place * x.lengths()[i] + index[i];
      return place;
    });
    return result;
  }
}

// How many elements there are along the reduced axes.
template <class... Reduced, TensorOperand X>
constexpr std::size_t elements_along(X const& x) {
  auto const lengths = x.lengths();
  std::size_t count = 1;
  if constexpr (axiform::detail::has_all_axes<AxesOf<X>, AxisList<Reduced...>>)
    ((count *= lengths[axiform::detail::place_of<Reduced>(AxesOf<X>{})]), ...);
  return count;
}

template <class... Reduced, class F, TensorOperand X, class... C>
constexpr auto reduce_axes(char const* operation, F const& f, NumberOf<X> identity, X const& x, C&... context) {
  using E = NumberOf<X>;
  using List = AxesOf<X>;
  static_assert((axiform::detail::has_axis<Reduced, List> && ...), "the tensor has no such axis, or has it twice");
  static_assert(axiform::detail::has_all_axes<List, AxisList<Reduced...>> || !(axiform::detail::has_axis<Reduced, List> && ...),
                "an axis is named twice");
  if constexpr (axiform::detail::has_all_axes<List, AxisList<Reduced...>>) {
    using Kept = axiform::detail::Without<List, Reduced...>;
    if constexpr (axiform::detail::is_inline<X>) {
      return fold_inline<Kept>(f, identity, x, axiform::detail::marks_of<List, Reduced...>());
    } else if constexpr (axiform::detail::is_half<ElementOf<X>>) {
      return reduce_axes<Reduced...>(operation, f, identity, convert<float>(x, context...), context...);
    } else {
      static_assert(List::size <= axiform::detail::most_axes);
      auto const make = made_by<X>(context...);
      Alignment alignment(operation, names_of<List>);
      align<List>(alignment, 1, x);
      if constexpr (Kept::size == 0) {
        auto reduced = alignment.loops();  // in the order in which they lie
        reduced.simplify();
        if (reduced.rank() == 1 && reduced.innermost().step[1] == 1) return fold_all(f, x.size(), data_of(x), identity, make.executor());
        E result = identity;
        fold_loops(f, Loops(), reduced, &result, data_of(x), identity, make.executor());
        return result;
      } else {
        Loops kept, reduced;
        auto result = make.template tensor<E>(shape_of<List>(Kept{}, alignment));
        align<List>(alignment, 0, result);
        for (std::size_t const place : axiform::detail::places_in<List>(Kept{})) alignment.add_loop(place, kept);
        (alignment.add_loop(axiform::detail::place_of<Reduced>(List{}), reduced), ...);
        kept.simplify(), reduced.simplify();
        fold_loops(f, kept, reduced, result.data(), data_of(x), identity, make.executor());
        return result;
      }
    }
  }
}

template <class E>
constexpr E least() {
  return std::numeric_limits<E>::has_infinity ? -std::numeric_limits<E>::infinity() : std::numeric_limits<E>::lowest();
}
template <class E>
constexpr E greatest() {
  return std::numeric_limits<E>::has_infinity ? std::numeric_limits<E>::infinity() : std::numeric_limits<E>::max();
}

constexpr void check_not_empty(char const* operation, std::size_t elements) {
  if (elements == 0) throw ArgumentError(std::string(operation) + ": found no element, expected at least one");
}

// f of what a reduction gives: a tensor, or a number where no axis is left.
template <class F, class X, class... C>
constexpr auto computed_or_number(F const& f, X&& x, C&... context) {
  if constexpr (TensorOperand<X>) {
    return computed("a reduction", f, std::forward<X>(x), context...);
  } else {
    return f.of(x);
  }
}

// `call` with the axes to reduce: those that are named, else all of the tensor's.
template <class... Named, class... Axes, class Call>
constexpr auto with_axes(AxisList<Axes...>, Call const& call) {
  if constexpr (sizeof...(Named) == 0) {
    return call.template operator()<Axes...>();
  } else {
    return call.template operator()<Named...>();
  }
}

template <class... Named, class F, TensorOperand X, class... C>
constexpr auto reduce(char const* operation, F const& f, NumberOf<X> identity, X const& x, C&... context) {
  return with_axes<Named...>(AxesOf<X>{},
                             [&]<class... Reduced>() { return reduce_axes<Reduced...>(operation, f, identity, x, context...); });
}
template <class... Named, TensorOperand X>
constexpr std::size_t count_reduced(X const& x) {
  return with_axes<Named...>(AxesOf<X>{}, [&]<class... Reduced>() { return elements_along<Reduced...>(x); });
}

}  // namespace internal

/// The sum along the named axes.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto sum(X const& x, C&... context) {
  internal::check_arithmetic<X>();
  return internal::reduce<Named...>("sum", kernels::Add{}, 0, x, context...);
}

/// The mean along the named axes, of floating-point numbers; NaN where there is no element.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto mean(X const& x, C&... context) {
  static_assert(RealTensor<X>, "means are of floating-point numbers: convert the tensor first");
  auto total = internal::reduce<Named...>("mean", kernels::Add{}, 0, x, context...);
  total /= static_cast<NumberOf<X>>(internal::count_reduced<Named...>(x));
  return total;
}

/// The greatest element along the named axes; NaN where one is. @throws ArgumentError when there is no element.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto max(X const& x, C&... context) {
  internal::check_arithmetic<X>();
  internal::check_not_empty("max", internal::count_reduced<Named...>(x));
  return internal::reduce<Named...>("max", kernels::Greater{}, internal::least<NumberOf<X>>(), x, context...);
}

/// The smallest element along the named axes; NaN where one is. @throws ArgumentError when there is no element.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto min(X const& x, C&... context) {
  internal::check_arithmetic<X>();
  internal::check_not_empty("min", internal::count_reduced<Named...>(x));
  return internal::reduce<Named...>("min", kernels::Smaller{}, internal::greatest<NumberOf<X>>(), x, context...);
}

/// Whether any element along the named axes is true, of bool.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto any(X const& x, C&... context) {
  internal::check_bool<X>();
  return internal::reduce<Named...>("any", kernels::Either{}, false, x, context...);
}

/// Whether all elements along the named axes are true, of bool.
template <class... Named, TensorOperand X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto all(X const& x, C&... context) {
  internal::check_bool<X>();
  return internal::reduce<Named...>("all", kernels::Both{}, true, x, context...);
}

/// The mean of the squares of what elements differ from their mean, along the named axes; the sum of the squares is divided by `correction` less than the number
/// of elements: 0 as NumPy's `var`, 1 for an estimate from a sample, as torch's.
template <class... Named, RealTensor X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto variance(X const& x, std::size_t correction, C&... context) {
  auto differences = internal::arithmetic("variance", kernels::Subtract{}, x, mean<Named...>(x, context...));
  differences *= differences;
  auto total = sum<Named...>(differences, context...);
  total /= static_cast<NumberOf<X>>(internal::count_reduced<Named...>(x)) - static_cast<NumberOf<X>>(correction);
  return total;
}
/// The same of all elements that there are.
template <class... Named, RealTensor X, class... C>
  requires(internal::optional_context<C...>)
constexpr auto variance(X const& x, C&... context) { return variance<Named...>(x, std::size_t{0}, context...); }

/// The square root of the sum of squares along the named axes (the Euclidean norm).
template <class... Named, RealTensor X, class... C>
  requires(internal::optional_context<C...>)
auto norm(X const& x, C&... context) {
  return internal::computed_or_number(kernels::SquareRoot{},
                                      sum<Named...>(internal::computed("norm", kernels::Square{}, x, context...), context...), context...);
}

}  // namespace axiform::inline AXIFORM_ARCH
