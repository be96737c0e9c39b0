/// @file
/// Sums, means and extremes of tensors along named axes.
///
///     Tensor<float, axes::Queries, axes::Keys> scores(5, 7);
///     auto const total = sum<axes::Keys>(scores);      // [Queries]
///     float const largest = max(scores);               // of all elements
///
/// Elements are combined in an order that follows from the lengths alone, so no bit depends on threads. Results lie on the heap; with a context as the second
/// argument its threads share the work and they lie in its memory.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/elements.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

using axiform::detail::Loops;

// Folds `values` over the loops `reduced` into each element of `target`, which `kept` goes through. Where the elements of a row stay apart, rows are combined
// as they lie; where they are combined, each row is folded by itself.
template <class F, class E>
void fold_loops(F const& f, Loops const& kept, Loops const& reduced, E* target, E const* values, E identity, Executor& executor) {
  kept.for_each(executor, [&](LoopRun const& run) {
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
  });
}

// How many elements there are along the reduced axes.
template <class... Reduced, TensorOperand X>
std::size_t elements_along(X const& x) {
  auto const lengths = x.lengths();
  std::size_t count = 1;
  ((count *= lengths[axiform::detail::place_of<Reduced>(AxesOf<X>{})]), ...);
  return count;
}

template <class... Reduced, class F, TensorOperand X, class Make>
auto reduce_axes(char const* operation, F const& f, ElementOf<X> identity, X const& x, Executor& executor, Make const& make) {
  using E = ElementOf<X>;
  using List = AxesOf<X>;
  static_assert(List::size <= axiform::detail::most_axes);
  static_assert((axiform::detail::has_axis<Reduced, List> && ...), "the tensor has no such axis, or has it twice");
  if constexpr ((axiform::detail::has_axis<Reduced, List> && ...)) {
    using Kept = axiform::detail::Without<List, Reduced...>;
    static constexpr auto names = names_of(List{});
    Alignment alignment(operation, names);
    align<List>(alignment, 1, x);
    Loops kept, reduced;
    if constexpr (Kept::size == 0) {
      E result = identity;
      reduced = alignment.loops();  // in the order in which they lie
      reduced.simplify();
      fold_loops(f, kept, reduced, &result, data_of(x), identity, executor);
      return result;
    } else {
      auto result = make.template operator()<E>(shape_of<List>(Kept{}, alignment));
      align<List>(alignment, 0, result);
      for (std::size_t const place : axiform::detail::places_in<List>(Kept{})) alignment.add_loop(place, kept);
      (alignment.add_loop(axiform::detail::place_of<Reduced>(List{}), reduced), ...);
      kept.simplify(), reduced.simplify();
      fold_loops(f, kept, reduced, result.data(), data_of(x), identity, executor);
      return result;
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

inline void check_not_empty(char const* operation, std::size_t elements) {
  if (elements == 0) throw ArgumentError(std::string(operation) + ": found no element, expected at least one");
}

// `call` with the axes to reduce: those that are named, else all of the tensor's.
template <class... Named, class... Axes, class Call>
auto with_axes(AxisList<Axes...>, Call const& call) {
  if constexpr (sizeof...(Named) == 0) {
    return call.template operator()<Axes...>();
  } else {
    return call.template operator()<Named...>();
  }
}

template <class... Named, class F, TensorOperand X, class Make>
auto reduce(char const* operation, F const& f, ElementOf<X> identity, X const& x, Executor& executor, Make const& make) {
  static_assert(!std::is_same_v<ElementOf<X>, bool>, "there is no arithmetic of bool: `where` chooses by it");
  return with_axes<Named...>(AxesOf<X>{},
                             [&]<class... Reduced>() { return reduce_axes<Reduced...>(operation, f, identity, x, executor, make); });
}
template <class... Named, TensorOperand X>
std::size_t count_reduced(X const& x) {
  return with_axes<Named...>(AxesOf<X>{}, [&]<class... Reduced>() { return elements_along<Reduced...>(x); });
}

template <class... Named, RealTensor X, class Make>
auto mean_of(X const& x, Executor& executor, Make const& make) {
  auto total = reduce<Named...>("mean", kernels::Add{}, 0, x, executor, make);
  total /= static_cast<ElementOf<X>>(count_reduced<Named...>(x));
  return total;
}
template <class... Named, TensorOperand X, class Make>
auto max_of(X const& x, Executor& executor, Make const& make) {
  check_not_empty("max", count_reduced<Named...>(x));
  return reduce<Named...>("max", kernels::Greater{}, least<ElementOf<X>>(), x, executor, make);
}
template <class... Named, TensorOperand X, class Make>
auto min_of(X const& x, Executor& executor, Make const& make) {
  check_not_empty("min", count_reduced<Named...>(x));
  return reduce<Named...>("min", kernels::Smaller{}, greatest<ElementOf<X>>(), x, executor, make);
}

}  // namespace internal

/// The sum along the named axes, which the result does not have; of all elements, as a number, where none is named.
template <class... Named, TensorOperand X>
auto sum(X const& x) {
  SerialExecutor executor;
  return internal::reduce<Named...>("sum", kernels::Add{}, 0, x, executor, internal::OnHeap{});
}
/// The same on the context's threads, in its memory.
template <class... Named, TensorOperand X>
auto sum(X const& x, Context& context) {
  return internal::reduce<Named...>("sum", kernels::Add{}, 0, x, context.executor(), internal::InContext{context});
}

/// The mean along the named axes, of floating-point numbers; NaN where there is no element.
template <class... Named, RealTensor X>
auto mean(X const& x) {
  SerialExecutor executor;
  return internal::mean_of<Named...>(x, executor, internal::OnHeap{});
}
/// The same on the context's threads, in its memory.
template <class... Named, RealTensor X>
auto mean(X const& x, Context& context) {
  return internal::mean_of<Named...>(x, context.executor(), internal::InContext{context});
}

/// The greatest element along the named axes; NaN where one is. @throws ArgumentError when there is no element.
template <class... Named, TensorOperand X>
auto max(X const& x) {
  SerialExecutor executor;
  return internal::max_of<Named...>(x, executor, internal::OnHeap{});
}
/// The same on the context's threads, in its memory.
template <class... Named, TensorOperand X>
auto max(X const& x, Context& context) {
  return internal::max_of<Named...>(x, context.executor(), internal::InContext{context});
}

/// The smallest element along the named axes; NaN where one is. @throws ArgumentError when there is no element.
template <class... Named, TensorOperand X>
auto min(X const& x) {
  SerialExecutor executor;
  return internal::min_of<Named...>(x, executor, internal::OnHeap{});
}
/// The same on the context's threads, in its memory.
template <class... Named, TensorOperand X>
auto min(X const& x, Context& context) {
  return internal::min_of<Named...>(x, context.executor(), internal::InContext{context});
}

}  // namespace axiform::inline AXIFORM_ARCH
