/// @file
/// `contract`: sums of products of two tensors over named axes: the product of matrices, and all that is like it.
///
///     Tensor<float, Heads, Queries, Features> query(…);
///     Tensor<float, Heads, Keys, Features> key(…), value(…);
///     auto const scores = contract<Features>(query, key);              // [Heads, Queries, Keys]
///     auto const output = contract<Keys>(softmax<Keys>(scores), value);   // [Heads, Queries, Features]
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <axiform/algebra/contraction.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <class... Over, class X, class Y, class Make>
auto contract_with(X const& x, Y const& y, Executor& executor, Make const& make) {
  using E = ElementOf<X>;
  using Xs = AxesOf<X>;
  using Ys = AxesOf<Y>;
  static_assert(std::is_same_v<E, ElementOf<Y>> && !std::is_same_v<E, bool>, "the tensors have different types of elements: convert one");
  static_assert((axiform::detail::has_axis<Over, Xs> && ...), "the first tensor has no such axis, or has it twice");
  static_assert((axiform::detail::has_axis<Over, Ys> && ...), "the second tensor has no such axis, or has it twice");
  if constexpr ((axiform::detail::has_axis<Over, Xs> && ...) && (axiform::detail::has_axis<Over, Ys> && ...)) {
    using YsAlone = typename axiform::detail::AxesNotIn<Ys, Xs>::type;
    using All = typename axiform::detail::Joined<Xs, YsAlone>::type;
    static_assert(axiform::detail::covers<All, Xs>() && axiform::detail::covers<All, Ys>(),
                  "an axis stands twice in a tensor: give one another name");
    static_assert(All::size <= axiform::detail::most_axes);
    static_assert((axiform::detail::has_axis<Over, All> && ...),
                  "the axis to sum over has one name in the one tensor, and another in the other");
    using Result = axiform::detail::Without<All, Over...>;
    static_assert(Result::size > 0, "all axes are summed over: sum(x * y)");
    static constexpr auto names = names_of(All{});
    Alignment alignment("contract", names);
    align<All>(alignment, 1, x);
    align<All>(alignment, 2, y);
    auto result = make.template operator()<E>(shape_of<All>(Result{}, alignment));
    align<All>(alignment, 0, result);

    using Kind = Contraction::Kind;
    static constexpr auto summed = axiform::detail::marks_of<All, Over...>();
    static constexpr auto kinds = []<class... Axes>(AxisList<Axes...>) {
      std::size_t place = 0;
      return std::array{(summed[place++]                        ? Kind::inner
                         : !axiform::detail::has_axis<Axes, Xs> ? Kind::columns
                         : axiform::detail::has_axis<Axes, Ys>  ? Kind::batch
                                                                : Kind::rows)...};
    }(All{});
    Contraction contraction;
    for (std::size_t axis = 0; axis < kinds.size(); ++axis) contraction.add(kinds[axis], alignment.length(axis), alignment.steps(axis));
    if constexpr (std::is_same_v<E, float>) {
      contraction.run(result.data(), data_of(x), data_of(y), executor);
    } else {
      contraction.run_loops(result.data(), data_of(x), data_of(y));
    }
    return result;
  }
}

}  // namespace internal

/// The sum of x * y over the axes `Over...`, which both have. Other axes that both have are matched: there is a product for each place on them.
///
/// @return x's axes that stay, in their order, then y's alone: [Heads, Queries, Features] and [Heads, Keys, Features] over Features give [Heads, Queries, Keys].
///         Of floats, each element is one chain of fma, in the order in which x's axes lie: the same bits for any number of rows and threads.
/// @throws ShapeError when an axis is not equally long in both.
template <class... Over, TensorOperand X, TensorOperand Y>
  requires(sizeof...(Over) > 0)
auto contract(X const& x, Y const& y) {
  SerialExecutor executor;
  return internal::contract_with<Over...>(x, y, executor, internal::OnHeap{});
}
/// The same on the context's threads, in its memory.
template <class... Over, TensorOperand X, TensorOperand Y>
  requires(sizeof...(Over) > 0)
auto contract(X const& x, Y const& y, Context& context) {
  return internal::contract_with<Over...>(x, y, context.executor(), internal::InContext{context});
}

}  // namespace axiform::inline AXIFORM_ARCH
