/// @file
/// Functions of elements: what each does with one element of a type, and with a register of floats; and the loop over what lies together.
///
/// A function is a struct with `of(x…)`. One that says `static constexpr bool in_registers = true` also takes `simd::Floats`; a value then has the same bits
/// in any lane, the last of a row included.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/gelu.hpp>
#include <axiform/kernels/math.hpp>
#include <axiform/kernels/reduce.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// Sums, differences and products of integers wrap around.
template <std::integral T>
using Wrapping = std::make_unsigned_t<T>;

}  // namespace detail

/// a + b.
struct Add {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::integral<T>) {
      return static_cast<T>(static_cast<detail::Wrapping<T>>(a) + static_cast<detail::Wrapping<T>>(b));
    } else {
      return a + b;
    }
  }
};
/// a - b.
struct Subtract {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::integral<T>) {
      return static_cast<T>(static_cast<detail::Wrapping<T>>(a) - static_cast<detail::Wrapping<T>>(b));
    } else {
      return a - b;
    }
  }
};
/// a * b.
struct Multiply {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::integral<T>) {
      return static_cast<T>(static_cast<detail::Wrapping<T>>(a) * static_cast<detail::Wrapping<T>>(b));
    } else {
      return a * b;
    }
  }
};
/// b.
struct Second {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T, T b) const noexcept {
    return b;
  }
};
/// a / b, rounded once.
struct Divide {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return simd::divide(a, b);
    } else {
      return a / b;
    }
  }
};
/// The greater of two; NaN where either is.
struct Greater {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return xsimd::select(a != a, a, simd::greater_or_second(a, b));
    } else if constexpr (std::floating_point<T>) {
      return a > b || a != a ? a : b;
    } else {
      return a > b ? a : b;
    }
  }
};
/// The smaller of two; NaN where either is.
struct Smaller {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T a, T b) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return xsimd::select(a != a, a, simd::smaller_or_second(a, b));
    } else if constexpr (std::floating_point<T>) {
      return a < b || a != a ? a : b;
    } else {
      return a < b ? a : b;
    }
  }
};

/// -x.
struct Negate {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::integral<T>) {
      return static_cast<T>(-static_cast<detail::Wrapping<T>>(x));
    } else {
      return -x;
    }
  }
};
/// x * x.
struct Square {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    return Multiply{}.of(x, x);
  }
};
/// |x|.
struct Absolute {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return xsimd::abs(x);
    } else if constexpr (std::floating_point<T>) {
      return std::abs(x);
    } else {
      return x < 0 ? Negate{}.of(x) : x;
    }
  }
};
/// The square root, rounded once; NaN below zero.
struct SquareRoot {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return xsimd::sqrt(x);
    } else {
      return std::sqrt(x);
    }
  }
};
/// e^x: floats as `kernels::exp`.
struct Exponential {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return kernels::exp(x);
    } else {
      return std::exp(x);
    }
  }
};
/// The natural logarithm, as the system's library has it.
struct Logarithm {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  template <class T>
  T of(T x) const noexcept {
    return std::log(x);
  }
};
/// The hyperbolic tangent: floats as `kernels::tanh`.
struct HyperbolicTangent {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return kernels::tanh(x);
    } else {
      return std::tanh(x);
    }
  }
};
/// The error function: floats as `kernels::erf`.
struct ErrorFunction {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return kernels::erf(x);
    } else {
      return std::erf(x);
    }
  }
};

/// x^y, as the system's library has it.
struct Power {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  template <class T>
  T of(T x, T y) const noexcept {
    return std::pow(x, y);
  }
};
/// 1 / (1 + e^-x).
struct Sigmoid {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] T of(T x) const noexcept {
    return Divide{}.of(T(1), T(1) + Exponential{}.of(-x));
  }
};
/// max(x, 0); NaN stays NaN.
struct Rectify {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return relu(x);
    } else {
      return x < T(0) ? T(0) : x;
    }
  }
};
/// x / (1 + e^-x): floats as `kernels::silu`.
struct Silu {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return silu(x);
    } else {
      return x == -std::numeric_limits<T>::infinity() ? T(-0.0) : x / (1 + std::exp(-x));
    }
  }
};
/// GELU: floats as `kernels::gelu`.
struct Gelu {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return gelu(x);
    } else {
      return x == -std::numeric_limits<T>::infinity() ? T(-0.0) : x / 2 * std::erfc(-x * T(0.70710678118654752440));
    }
  }
};
/// GELU by tanh: floats as `kernels::gelu_tanh`.
struct GeluTanh {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  template <class T>
  [[gnu::always_inline]] T of(T x) const noexcept {
    if constexpr (std::is_same_v<T, simd::Floats>) {
      return gelu_tanh(x);
    } else {
      T const u = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
      return x == -std::numeric_limits<T>::infinity() ? T(-0.0) : x / 2 * (1 + std::tanh(u));
    }
  }
};

/// x between two numbers; NaN stays NaN.
template <class E>
struct Clamp {
  static constexpr bool in_registers = true;  ///< Takes `simd::Floats`.
  E low;                                      ///< What is less becomes this.
  E high;                                     ///< What is more becomes this.
  template <class T>
  [[gnu::always_inline]] constexpr T of(T x) const noexcept {
    return Smaller{}.of(Greater{}.of(x, T(low)), T(high));
  }
};

/// `a` where a bool is true, else `b`.
struct Choose {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  template <class T>
  constexpr T of(bool chosen, T a, T b) const noexcept {
    return chosen ? a : b;
  }
};
/// An element where a bool is true, else a number.
template <class E>
struct ChooseFirst {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  E other;                                     ///< The number.
  constexpr E of(bool chosen, E x) const noexcept { return chosen ? x : other; }
};
/// A number where a bool is true, else an element.
template <class E>
struct ChooseSecond {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  E other;                                     ///< The number.
  constexpr E of(bool chosen, E x) const noexcept { return chosen ? other : x; }
};

/// A number where a bool is true, else another.
template <class E>
struct ChooseNumber {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  E first;                                     ///< Where it is true.
  E second;                                    ///< Where it is not.
  constexpr E of(bool chosen) const noexcept { return chosen ? first : second; }
};

/// The same number as a `To`: without its fraction where that is an integer, the nearest where it is beyond, and 0 of NaN.
template <class To>
struct Convert {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  template <class T>
  constexpr To of(T x) const noexcept {
    if constexpr (std::is_same_v<To, bool>) {
      return x != T(0);
    } else if constexpr (std::floating_point<T> && std::integral<To>) {
      // The first float beyond the greatest integer is a power of two.
      constexpr T least = static_cast<T>(std::numeric_limits<To>::min()), beyond = T(2) * static_cast<T>(std::numeric_limits<To>::max() / 2 + 1);
      if (x != x) return 0;
      return x < least ? std::numeric_limits<To>::min() : x >= beyond ? std::numeric_limits<To>::max() : static_cast<To>(x);
    } else if constexpr (std::integral<T> && std::integral<To> && !std::is_same_v<T, bool>) {
      constexpr To least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
      return std::cmp_less(x, least) ? least : std::cmp_greater(x, most) ? most : static_cast<To>(x);
    } else {
      return static_cast<To>(x);
    }
  }
};

/// a and b.
struct Both {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  constexpr bool of(bool a, bool b) const noexcept { return a && b; }
};
/// a or b.
struct Either {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  constexpr bool of(bool a, bool b) const noexcept { return a || b; }
};
/// Not a.
struct Not {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  constexpr bool of(bool a) const noexcept { return !a; }
};

/// a < b, or by another of the comparisons: a bool for each pair.
template <class Compare>
struct Comparison {
  static constexpr bool in_registers = false;  ///< Takes elements alone.
  template <class T>
  constexpr bool of(T a, T b) const noexcept {
    return Compare{}(a, b);
  }
};

namespace detail {

// GCC 12 makes a branch of a choice by a bool that it loads, and vectors of one by a byte: where(m, x, y) takes a tenth of the time.
template <class E>
[[gnu::always_inline]] inline E element(E const* source, std::size_t i) noexcept {
  if constexpr (std::is_same_v<E, bool>) {
    return reinterpret_cast<unsigned char const*>(source)[i] != 0;
  } else {
    return source[i];
  }
}

}  // namespace detail

/// target[i] = f(source[i]…) for i < count. A target may be one of the sources.
template <class F, class R, class... E>
void apply(F const& f, std::size_t count, R* target, E const*... sources) {
  if constexpr (F::in_registers && (std::is_same_v<R, float> && ... && std::is_same_v<E, float>)) {
    std::size_t const whole = count / simd::lanes * simd::lanes, rest = count - whole;
    for (std::size_t i = 0; i < whole; i += simd::lanes) simd::store(target + i, f.of(simd::load(sources + i)...));
    if (rest != 0) simd::store_partial(target + whole, f.of(simd::load_partial(sources + whole, rest)...), rest);
  } else {
    F const own = f;  // so that writing the target cannot change a number that f has
    for (std::size_t i = 0; i < count; ++i) target[i] = own.of(detail::element(sources, i)...);
  }
}

/// `f` of all of `count` elements and of `first`: in the order of a row's `count`, whatever lies where (kernels/reduce.hpp).
/// @param f An associative function of two, `Add`, `Greater` or `Smaller`; `identity` changes nothing.
template <class F, class E>
E fold(F const& f, std::size_t count, E const* values, E first, E identity) {
  if constexpr (F::in_registers && std::is_same_v<E, float>) {
    simd::Floats const none = simd::broadcast(identity);
    simd::Floats partial[detail::accumulators] = {none, none, none, none};
    detail::for_vectors(count, [&](std::size_t v, std::size_t i) { partial[v] = f.of(partial[v], simd::load(values + i)); });
    std::size_t const whole = count / simd::lanes * simd::lanes;
    simd::Floats const lanes = simd::detail::fold<simd::lanes / 2>(f.of(f.of(partial[0], partial[1]), f.of(partial[2], partial[3])),
                                                                   [&](simd::Floats a, simd::Floats b) { return f.of(a, b); });
    float result = f.of(first, lanes.get(0));
    for (std::size_t i = whole; i < count; ++i) result = f.of(result, values[i]);
    return result;
  } else {
    for (std::size_t i = 0; i < count; ++i) first = f.of(first, values[i]);
    return first;
  }
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
