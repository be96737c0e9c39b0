/// @file
/// `contract`: sums of products of tensors over named axes: the product of matrices, and all that is like it (`einsum`, with names for letters).
///
///     Tensor<float, Heads, Queries, Features> query(…);
///     Tensor<float, Heads, Keys, Features> key(…), value(…);
///     auto const scores = contract<Features>(query, key);                 // [Heads, Queries, Keys]
///     auto const output = contract<Keys>(softmax<Keys>(scores), value);   // [Heads, Queries, Features]
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/contraction.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/loops.hpp>
#include <axiform/core/axis_list.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// Of tensors that lie where they are declared.
template <class All, class Result, class E, TensorOperand X, TensorOperand Y>
constexpr auto contract_inline(X const& x, Y const& y) {
  using Scalars = axiform::detail::InlineOf<E, Result>;
  Scalars result;
  constexpr auto lengths = []<class... Axes>(AxisList<Axes...>) {
    return std::array<std::size_t, sizeof...(Axes)>{Axes::length...};
  }(All{});
  for_each_index(lengths, [&](auto const& index) {
    E& sum = result.data()[inline_place<All, Scalars>(index)];
    sum = kernels::Add{}.of(sum, kernels::Multiply{}.of(static_cast<E>(x.data()[inline_place<All, X>(index)]),
                                                        static_cast<E>(y.data()[inline_place<All, Y>(index)])));
  });
  return result;
}

template <class... Over, class X, class Y, class... C>
constexpr auto contract_pair(AxisList<Over...>, X const& x, Y const& y, C&... context) {
  using E = NumberOf<X>;
  using Xs = AxesOf<X>;
  using Ys = AxesOf<Y>;
  static_assert(std::is_same_v<E, NumberOf<Y>> && !std::is_same_v<E, bool>, "the tensors have different types of elements: convert one");
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
    if constexpr (all_inline<X, Y> && sizeof...(C) == 0) {
      return contract_inline<All, Result, E>(x, y);
    } else if constexpr (axiform::detail::is_half<ElementOf<X>>) {
      return contract_pair(AxisList<Over...>{}, convert<float>(x, context...), y, context...);
    } else if constexpr (axiform::detail::is_half<ElementOf<Y>>) {
      return contract_pair(AxisList<Over...>{}, x, convert<float>(y, context...), context...);
    } else {
      auto const make = made_by<X, Y>(context...);
      Alignment alignment("contract", names_of<All>);
      align<All>(alignment, 1, x);
      align<All>(alignment, 2, y);
      auto result = make.template tensor<E>(shape_of<All>(Result{}, alignment));
      align<All>(alignment, 0, result);

      using Kind = Contraction::Kind;
      constexpr auto summed = axiform::detail::marks_of<All, Over...>();
      constexpr auto kinds = [summed]<class... Axes>(AxisList<Axes...>) {
        std::size_t place = 0;
        return std::array{(summed[place++]                        ? Kind::inner
                           : !axiform::detail::has_axis<Axes, Xs> ? Kind::columns
                           : axiform::detail::has_axis<Axes, Ys>  ? Kind::batch
                                                                  : Kind::rows)...};
      }(All{});
      Contraction contraction;
      for (std::size_t axis = 0; axis < kinds.size(); ++axis) contraction.add(kinds[axis], alignment.length(axis), alignment.steps(axis));
      if constexpr (std::is_same_v<E, float>) {
        contraction.run(result.data(), data_of(x), data_of(y), make.executor());
      } else {
        contraction.run_loops(result.data(), data_of(x), data_of(y));
      }
      return result;
    }
  }
}

// Those of the axes to sum over that both have and no other tensor does.
template <class Over, class X, class Y, class... Others>
struct SummedNow;
template <class... Over, class X, class Y, class... Others>
struct SummedNow<AxisList<Over...>, X, Y, Others...> {
  template <class A>
  static constexpr bool now = axiform::detail::has_axis<A, AxesOf<X>>&& axiform::detail::has_axis<A, AxesOf<Y>> &&
                              !(axiform::detail::has_axis<A, AxesOf<Others>> || ...);
  using type = typename axiform::detail::Joined<std::conditional_t<now<Over>, AxisList<Over>, AxisList<>>...>::type;
  using later = typename axiform::detail::Joined<std::conditional_t<now<Over>, AxisList<>, AxisList<Over>>...>::type;
};

template <class Over, class X, class Y>
auto contract_all(Over, X const& x, Y const& y) {
  return contract_pair(Over{}, x, y);
}
template <class Over, class X, class Y, class Z, class... Others>
auto contract_all(Over, X const& x, Y const& y, Z const& z, Others const&... others) {
  using Steps = SummedNow<Over, X, Y, Z, Others...>;
  auto const product = contract_pair(typename Steps::type{}, x, y);
  return contract_all(typename Steps::later{}, product, z, others...);
}

}  // namespace internal

/// The sum of x * y over the axes `Over...`, which both have. Other axes that both have are matched: there is a product for each place on them.
///
/// @return x's axes that stay, in their order, then y's alone: [Heads, Queries, Features] and [Heads, Keys, Features] over Features give [Heads, Queries, Keys].
///         Of floats, each element is one chain of fma, in the order in which x's axes lie: the same bits for any number of rows and threads.
/// @throws ShapeError when an axis is not equally long in both.
template <class... Over, TensorOperand X, TensorOperand Y>
  requires(sizeof...(Over) > 0)
constexpr auto contract(X const& x, Y const& y) { return internal::contract_pair(AxisList<Over...>{}, x, y); }
/// The same on the context's threads (of other elements than floats on the calling one), in its memory.
template <class... Over, TensorOperand X, TensorOperand Y, std::same_as<Context> C>
  requires(sizeof...(Over) > 0)
auto contract(X const& x, Y const& y, C& context) { return internal::contract_pair(AxisList<Over...>{}, x, y, context); }
/// The sum of the product of several tensors over the axes `Over...`, from left to right: an axis is summed over as soon as no further tensor has it.
template <class... Over, TensorOperand X, TensorOperand Y, TensorOperand Z, TensorOperand... More>
  requires(sizeof...(Over) > 0)
auto contract(X const& x, Y const& y, Z const& z, More const&... more) {
  return internal::contract_all(AxisList<Over...>{}, x, y, z, more...);
}

/// The product of matrices: over the last axis of x, which y has too (NumPy's `matmul`, but by name).
template <TensorOperand X, TensorOperand Y, class... C>
  requires(internal::optional_context<C...>)
constexpr auto matmul(X const& x, Y const& y, C&... context) {
  using Last = axiform::detail::AxisOf<AxesOf<X>, AxesOf<X>::size - 1>;
  return internal::contract_pair(AxisList<Last>{}, x, y, context...);
}

/// The product of every element of x with every element of y; axes that both have are matched.
template <TensorOperand X, TensorOperand Y, class... C>
  requires(internal::optional_context<C...>)
constexpr auto outer(X const& x, Y const& y, C&... context) { return internal::contract_pair(AxisList<>{}, x, y, context...); }

}  // namespace axiform::inline AXIFORM_ARCH
