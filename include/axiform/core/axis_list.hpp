/// @file
/// Lists of axes: where an axis stands in a tensor, and which tensor has all axes of another. What the algebra of tensors decides with when it compiles.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <axiform/core/axis.hpp>
#include <axiform/core/strided_view.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// Axes, outermost first.
template <class... Axes>
struct AxisList {
  static constexpr std::size_t size = sizeof...(Axes);  ///< How many.
};

namespace detail {

template <class T>
struct AxesOfTensor;
template <template <class, class...> class Kind, class Element, class... Axes>
struct AxesOfTensor<Kind<Element, Axes...>> {
  using type = AxisList<Axes...>;
};

}  // namespace detail

/// The axes of a tensor or a view.
template <TensorOperand T>
using AxesOf = typename detail::AxesOfTensor<std::remove_cvref_t<T>>::type;

/// The elements of a tensor or a view.
template <TensorOperand T>
using ElementOf = std::remove_const_t<typename std::remove_cvref_t<T>::element_type>;

namespace detail {

inline constexpr std::size_t no_place = static_cast<std::size_t>(-1);

// Two axes of one length, one of which has no name: `Const<64>` and `Features`.
template <class A, class B>
constexpr bool named_alike() {
  if constexpr (StaticAxis<A> && StaticAxis<B>) {
    return (is_unnamed<A> || is_unnamed<B>)&&A::length == B::length;
  } else {
    return false;
  }
}

// The place of `A` among `Axes`: of the same axis, else of the only one of its length where one of the two has no name.
template <class A, class... Axes>
constexpr std::size_t place_of(AxisList<Axes...>) {
  std::size_t place = no_place, index = 0, found = 0;
  ((found += std::is_same_v<A, Axes>, place = std::is_same_v<A, Axes> ? index : place, ++index), ...);
  if (found != 0) return found == 1 ? place : no_place;
  index = 0;
  auto const look = [&](bool fits) {
    if (fits) ++found, place = index;
    ++index;
  };
  (look(named_alike<A, Axes>()), ...);
  return found == 1 ? place : no_place;
}

// The places of a list's axes in another.
template <class To, class... Axes>
constexpr std::array<std::size_t, sizeof...(Axes)> places_in(AxisList<Axes...>) {
  if constexpr (std::is_same_v<To, AxisList<Axes...>>) {  // also where an axis without a name stands twice
    std::array<std::size_t, sizeof...(Axes)> places{};
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
    return places;
  } else {
    return {place_of<Axes>(To{})...};
  }
}

// Whether each axis of a list has a place of its own in another.
template <class To, class From>
constexpr bool covers() {
  auto const places = places_in<To>(From{});
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] == no_place) return false;
    for (std::size_t j = 0; j < i; ++j)
      if (places[i] == places[j]) return false;
  }
  return true;
}

// The first of the lists that covers all, or void.
template <class All, class... Lists>
struct FirstCovering {
  using type = void;
};
template <class... All, class First, class... Others>
struct FirstCovering<AxisList<All...>, First, Others...> {
  using type = typename std::conditional_t<(covers<First, All>() && ...), std::type_identity<First>,
                                           FirstCovering<AxisList<All...>, Others...>>::type;
};

// Variables, as `fits_axis` is: where one is false, compilers print the lists.
template <class... Lists>
inline constexpr bool one_has_all_axes = !std::is_void_v<typename FirstCovering<AxisList<Lists...>, Lists...>::type>;
template <class A, class List>
inline constexpr bool has_axis = place_of<A>(List{}) != no_place;

// A list without some axes.
template <class Done, class List, class... Gone>
struct Filter;
template <class... Done, class... Gone>
struct Filter<AxisList<Done...>, AxisList<>, Gone...> {
  using type = AxisList<Done...>;
};
template <class... Done, class First, class... Others, class... Gone>
struct Filter<AxisList<Done...>, AxisList<First, Others...>, Gone...> {
  using type = typename std::conditional_t<(std::is_same_v<First, Gone> || ...), Filter<AxisList<Done...>, AxisList<Others...>, Gone...>,
                                           Filter<AxisList<Done..., First>, AxisList<Others...>, Gone...>>::type;
};

// The axis at a place of a list.
template <class List, std::size_t Place>
struct AxisAtPlace;
template <class... Axes, std::size_t Place>
struct AxisAtPlace<AxisList<Axes...>, Place> {
  using type = std::tuple_element_t<Place, std::tuple<Axes...>>;
};
template <class List, std::size_t Place>
using AxisOf = typename AxisAtPlace<List, Place>::type;

// A list with another axis in the place of one.
template <class List, class From, class To>
struct ReplacedIn;
template <class... Axes, class From, class To>
struct ReplacedIn<AxisList<Axes...>, From, To> {
  static constexpr std::size_t place = place_of<From>(AxisList<Axes...>{});
  template <std::size_t... I>
  static AxisList<std::conditional_t<I == place, To, Axes>...> replace(std::index_sequence<I...>);
  using type = decltype(replace(std::make_index_sequence<sizeof...(Axes)>{}));
};
template <class List, class From, class To>
using Replaced = typename ReplacedIn<List, From, To>::type;

template <class Element, class List>
struct TensorOfList;
template <class Element, class... Axes>
struct TensorOfList<Element, AxisList<Axes...>> {
  using type = Tensor<Element, Axes...>;
};
template <class Element, class List>
using TensorOf = typename TensorOfList<Element, List>::type;

}  // namespace detail

}  // namespace axiform
