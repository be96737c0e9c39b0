/// @file
/// Lists of axes: where an axis stands in a tensor, and which tensor has all axes of another. What the algebra of tensors decides with when it compiles.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <axiform/core/axis.hpp>
#include <axiform/core/half.hpp>
#include <axiform/core/inline_tensor.hpp>
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
template <class Element>
inline constexpr bool is_half = std::is_same_v<Element, Float16> || std::is_same_v<Element, BFloat16>;
}  // namespace detail

/// What elements are computed with: floats where they are of two bytes.
template <class Element>
using Computed = std::conditional_t<detail::is_half<Element>, float, Element>;

/// What the elements of a tensor or a view are computed with.
template <TensorOperand T>
using NumberOf = Computed<ElementOf<T>>;

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
  [[maybe_unused]] auto const look = [&](bool fits) {
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
template <class List, class Other>
inline constexpr bool has_all_axes = covers<List, Other>();
template <class A, class List>
inline constexpr bool has_axis = place_of<A>(List{}) != no_place;

// Lists one behind the other.
template <class... Lists>
struct Joined {
  using type = AxisList<>;
};
template <class... Axes>
struct Joined<AxisList<Axes...>> {
  using type = AxisList<Axes...>;
};
template <class... Axes, class... Others, class... Rest>
struct Joined<AxisList<Axes...>, AxisList<Others...>, Rest...> : Joined<AxisList<Axes..., Others...>, Rest...> {};

// Which of a list's axes are those that are named: by their places, for a name may stand for another (`Const<64>` for `Features`).
template <class List, class... Named>
constexpr std::array<bool, List::size> marks_of() {
  std::array<bool, List::size> marks{};
  for (std::size_t const place : std::array<std::size_t, sizeof...(Named)>{place_of<Named>(List{})...})
    if (place != no_place) marks[place] = true;
  return marks;
}

// A list without the axes that are named.
template <class List, class... Gone>
struct WithoutAxes;
template <class... Axes, class... Gone>
struct WithoutAxes<AxisList<Axes...>, Gone...> {
  static constexpr auto gone = marks_of<AxisList<Axes...>, Gone...>();
  template <std::size_t... I>
  static typename Joined<std::conditional_t<gone[I], AxisList<>, AxisList<Axes>>...>::type keep(std::index_sequence<I...>);
  using type = decltype(keep(std::make_index_sequence<sizeof...(Axes)>{}));
};
template <class List, class... Gone>
using Without = typename WithoutAxes<List, Gone...>::type;

// The axes of a list that have no place in another.
template <class List, class Other>
struct AxesNotIn;
template <class... Axes, class Other>
struct AxesNotIn<AxisList<Axes...>, Other> {
  using type = typename Joined<std::conditional_t<has_axis<Axes, Other>, AxisList<>, AxisList<Axes>>...>::type;
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
struct TensorsOfList;
template <class Element, class... Axes>
struct TensorsOfList<Element, AxisList<Axes...>> {
  using owner = Tensor<Element, Axes...>;
  using strided = StridedView<Element, Axes...>;
};
template <class Element, class... Axes>
  requires(sizeof...(Axes) > 0 && (StaticAxis<Axes> && ...))
struct TensorsOfList<Element, AxisList<Axes...>> {
  using owner = Tensor<Element, Axes...>;
  using strided = StridedView<Element, Axes...>;
  using in_place = InlineTensor<Element, Axes...>;
};
template <class Element, class List>
using TensorOf = typename TensorsOfList<Element, List>::owner;
template <class Element, class List>
using StridedOf = typename TensorsOfList<Element, List>::strided;
template <class Element, class List>
using InlineOf = typename TensorsOfList<Element, List>::in_place;

}  // namespace detail

}  // namespace axiform
