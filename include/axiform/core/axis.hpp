/// @file
/// Axes: the names and lengths that a tensor's type is made of.
#pragma once

#include <concepts>
#include <cstddef>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>

#include <axiform/core/error.hpp>

namespace axiform {

/// An axis whose length is part of the type: `Const<768>`. Derive to give it a name, too:
///
///     struct Features : Const<64> {};
///
/// Two named axes are different, be they equally long; `Const<64>` without a name takes any name of that length, and is taken for it.
template <std::size_t N>
struct Const {
  static constexpr std::size_t length = N;  ///< The length of the axis.
};

/// Base of every axis whose length is known only at run time. Derive to name one:
///
///     struct Tokens : DynamicAxis {};
///
/// Two dynamic axes are different types even when their lengths agree, so that queries and keys cannot be swapped by accident.
struct DynamicAxis {};

/// The axes that the library itself names. They are common words, so they stand in a namespace of their own, which
/// `using namespace axiform` does not open: a program is free to have its own `Labels`. To use them by their bare names:
///
///     using axiform::axes::Tokens, axiform::axes::Hidden;
namespace axes {

struct Sequences : DynamicAxis {};     ///< Sequences of a batch.
struct Tokens : DynamicAxis {};        ///< Tokens of all sequences of a batch, one after another.
struct SourceTokens : DynamicAxis {};  ///< Tokens on the encoder's side of an encoder-decoder.
struct Queries : DynamicAxis {};       ///< Tokens that attend.
struct Keys : DynamicAxis {};          ///< Tokens that are attended to: the past and the present, or the encoder's side.

struct Hidden : DynamicAxis {};             ///< Width of the hidden states, where the checkpoint decides it.
struct Embedded : DynamicAxis {};           ///< Width of embeddings that a linear layer makes hidden states of.
struct Heads : DynamicAxis {};              ///< Attention heads, where the checkpoint decides their number.
struct KeyHeads : DynamicAxis {};           ///< Heads of keys and values, where they may be fewer than those of queries.
struct HeadSize : DynamicAxis {};           ///< Width of one head, where the checkpoint decides it.
struct Inner : DynamicAxis {};              ///< Width inside the feed-forward block, where the checkpoint decides it.
struct VocabularyEntries : DynamicAxis {};  ///< Entries of the vocabulary.
struct Positions : DynamicAxis {};          ///< Positions that have an embedding.
struct TokenTypes : DynamicAxis {};         ///< Segments that have an embedding.
struct Labels : DynamicAxis {};             ///< Classes that a classifier tells apart.

}  // namespace axes

namespace detail {
// Never defined: it finds the one `Const` that an axis is or derives from.
template <std::size_t N>
Const<N> fixed_base(Const<N> const*);

template <class T>
inline constexpr bool is_unnamed = false;
template <std::size_t N>
inline constexpr bool is_unnamed<Const<N>> = true;
}  // namespace detail

/// An axis whose length the type knows: a `Const`, or a struct derived from one.
template <class T>
concept StaticAxis = requires(T const* axis) {
  detail::fixed_base(axis);
};

/// A type that names an axis: a `StaticAxis`, or a struct derived from `DynamicAxis`.
template <class T>
concept Axis = StaticAxis<T> || (std::derived_from<T, DynamicAxis> && !std::same_as<T, DynamicAxis>);

namespace detail {
template <class From, class To>
constexpr bool fits() {
  if constexpr (std::derived_from<From, To>) {
    return Axis<To>;
  } else if constexpr (StaticAxis<From> && StaticAxis<To>) {
    return is_unnamed<From> && From::length == To::length;
  } else {
    return is_unnamed<From> && Axis<To>;
  }
}
// A variable rather than a disjunction of concepts: when it is false, compilers print both axes.
template <class From, class To>
inline constexpr bool fits_axis = fits<From, To>();
}  // namespace detail

/// A value on axis `From` may be used where axis `To` is asked for: the same axis, or a base of it (`Features` for `Const<64>`); a length without a
/// name (`Const<64>`) for any name of that length, and for any free length. The other way round, from free to fixed, takes an explicit and checked
/// `fix`, and from one name to another `relabel`.
template <class From, class To>
concept FitsAxis = detail::fits_axis<From, To>;

namespace detail {
// Axes of two that have names, or free lengths: fixed where both are.
template <class First, class Second>
struct ProductAxis : DynamicAxis {};
template <StaticAxis First, StaticAxis Second>
struct ProductAxis<First, Second> : Const<First::length * Second::length> {};

template <class A>
inline constexpr bool is_product_axis = false;
template <class First, class Second>
inline constexpr bool is_product_axis<ProductAxis<First, Second>> = true;

template <class First, class Second>
struct ProductOf {
  using type = ProductAxis<First, Second>;
};
template <std::size_t First, std::size_t Second>
struct ProductOf<Const<First>, Const<Second>> {
  using type = Const<First * Second>;
};
}  // namespace detail

/// Two axes seen as one, `First` the outer: `Product<axes::Heads, axes::HeadSize>` is the width of all heads side by side.
template <Axis First, Axis Second>
using Product = typename detail::ProductOf<First, Second>::type;

namespace detail {
template <class First, class Second>
struct SumAxis : DynamicAxis {};
template <StaticAxis First, StaticAxis Second>
struct SumAxis<First, Second> : Const<First::length + Second::length> {};

template <class A>
inline constexpr bool is_sum_axis = false;
template <class First, class Second>
inline constexpr bool is_sum_axis<SumAxis<First, Second>> = true;

template <class First, class Second>
struct SumOf {
  using type = SumAxis<First, Second>;
};
template <std::size_t First, std::size_t Second>
struct SumOf<Const<First>, Const<Second>> {
  using type = Const<First + Second>;
};
}  // namespace detail

/// Two axes one behind the other: `Sum<Width, KeyWidth>` is the queries of a token, then its keys.
template <Axis First, Axis Second>
using Sum = typename detail::SumOf<First, Second>::type;

namespace detail {
template <class First, class Second>
std::string joined_name(ProductAxis<First, Second>*);
template <class First, class Second>
std::string joined_name(SumAxis<First, Second>*);
}  // namespace detail

/// The name of an axis for messages: "Const<768>", "Tokens", "Heads * HeadSize".
template <Axis A>
std::string axis_name() {
  if constexpr (detail::is_unnamed<A>) {
    return "Const<" + std::to_string(A::length) + ">";
  } else if constexpr (detail::is_product_axis<A> || detail::is_sum_axis<A>) {
    return detail::joined_name(static_cast<A*>(nullptr));
  } else {
    std::string_view const function = std::source_location::current().function_name();  // "… [with A = axiform::axes::Tokens; …"
    auto const begin = function.find("A = ") + 4;
    std::string_view const name = function.substr(begin, function.find_first_of(";]", begin) - begin);
    auto const qualifier = name.rfind("::");
    return std::string(qualifier == std::string_view::npos ? name : name.substr(qualifier + 2));
  }
}

namespace detail {
template <class First, class Second>
std::string joined_name(ProductAxis<First, Second>*) {
  return axis_name<First>() + " * " + axis_name<Second>();
}
template <class First, class Second>
std::string joined_name(SumAxis<First, Second>*) {
  return axis_name<First>() + " + " + axis_name<Second>();
}
}  // namespace detail

namespace detail {
[[noreturn]] inline void throw_length(std::string const& axis, std::size_t found, std::size_t expected) {
  throw ShapeError("axis " + axis + ": found length " + std::to_string(found) + ", expected " + std::to_string(expected));
}
}  // namespace detail

/// The length of an axis as a value. For a `Const` it is empty and converts to its length in constant expressions; for a
/// dynamic axis it holds a number.
template <Axis A>
class Length {
 public:
  /// The length `value`.
  constexpr Length(std::size_t value) : value_(value) {}
  constexpr operator std::size_t() const noexcept { return value_; }  ///< The number.

 private:
  std::size_t value_;
};

/// The length of an axis that the type knows: nothing is stored.
template <StaticAxis A>
class Length<A> {
 public:
  constexpr Length() = default;
  /// @throws ShapeError when `value` is not the length that the type has.
  constexpr Length(std::size_t value) {
    if (value != A::length) detail::throw_length(axis_name<A>(), value, A::length);
  }
  constexpr operator std::size_t() const noexcept { return A::length; }  ///< The number.
};

/// The length of a product of two axes.
template <Axis First, Axis Second>
constexpr Length<Product<First, Second>> operator*(Length<First> first, Length<Second> second) {
  return Length<Product<First, Second>>(static_cast<std::size_t>(first) * static_cast<std::size_t>(second));
}

/// The length of a sum of two axes.
template <Axis First, Axis Second>
constexpr Length<Sum<First, Second>> operator+(Length<First> first, Length<Second> second) {
  return Length<Sum<First, Second>>(static_cast<std::size_t>(first) + static_cast<std::size_t>(second));
}

}  // namespace axiform
