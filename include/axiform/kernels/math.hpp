/// @file
/// exp, tanh, erf and erfc on registers of floats.
///
/// Each is a pure function of its lane, without branches, so a value has the same bits in any lane, any vector and any batch.
///
/// Greatest error in ulp against double precision, where the result is a normal number: with fma | without (SSE)
///
///     exp 1.04 | 1.01    tanh 2.57 | 2.61    erf 0.99 | 1.32    erfc 2.85 | 3.81
///
/// Measured on every float of 2^-14 <= |x| < 128 and one in 61 of the others. Subnormal results are within 1.6 units of the last place.
/// The polynomials come from scripts/derive_math_coefficients.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numbers>

#include <axiform/core/config.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

using simd::broadcast;
using simd::Floats;
using simd::Ints;

// An unevaluated sum: `low` is what `high` lost to rounding.
struct Pair {
  Floats high;
  Floats low;
};

// Clears the lower 12 of the 24 significant bits, so that products of such halves are exact.
[[gnu::always_inline]] inline Floats upper_half(Floats x) noexcept {
  return xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(x) & Ints(-4096));
}

// a * b to twice the precision: exactly with fma, and after Dekker (1971) where there is none.
[[gnu::always_inline]] inline Pair two_product(Floats a, Floats b) noexcept {
  Floats const product = a * b;
  if constexpr (simd::has_fma) {
    return {product, simd::fms(a, b, product)};
  } else {
    Floats const a_high = upper_half(a), a_low = a - a_high, b_high = upper_half(b), b_low = b - b_high;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
  }
}

// factor * x^2 to twice the precision, for a factor that is plus or minus a power of two. `high` need not be the nearest float.
[[gnu::always_inline]] inline Pair scaled_square(Floats x, Floats factor) noexcept {
  if constexpr (simd::has_fma) {
    return two_product(x, x * factor);
  } else {
    Floats const upper = upper_half(x);
    return {upper * upper * factor, (x - upper) * (x + upper) * factor};
  }
}
[[gnu::always_inline]] inline Pair two_square(Floats x) noexcept { return scaled_square(x, broadcast(1.0F)); }

// min and max against a constant that keep NaN; those of the instruction sets may drop it.
[[gnu::always_inline]] inline Floats at_most(Floats x, float limit) noexcept { return simd::smaller_or_second(broadcast(limit), x); }
[[gnu::always_inline]] inline Floats at_least(Floats x, float limit) noexcept { return simd::greater_or_second(broadcast(limit), x); }

// e^x in parts: (1 + fraction) * 2^n. `shifted` is n + 1.5 * 2^23, which has n in the low bits of its representation.
struct Exponential {
  Floats fraction;
  Floats shifted;

  // 2^(n + Offset), for -126 <= n + Offset <= 127.
  template <std::int32_t Offset>
  [[gnu::always_inline]] Floats power() const noexcept {
    return xsimd::bitwise_cast<float>((xsimd::bitwise_cast<std::int32_t>(shifted) << 23) + Ints((127 + Offset) * (1 << 23)));
  }

  // value * e^x * 2^Offset for -190 <= n + Offset <= 63. A result too small for a normal number is rounded once, by the last product.
  template <std::int32_t Offset = 0>
  [[gnu::always_inline]] Floats times(Floats value) const noexcept {
#if defined(__AVX512F__)
    return Floats(_mm512_scalef_ps(simd::fma(value, fraction, value), shifted - broadcast(0x1.8p23F - static_cast<float>(Offset))));
#else
    return simd::fma(value, fraction, value) * power<64 + Offset>() * broadcast(0x1p-64F);
#endif
  }
};

// e^(high + low), where |high| < 2^8 and low is about a rounding error of it.
//
// high = n ln 2 + r with |r| <= ln 2 / 2, by a ln 2 in two parts of which n times the first (355 / 512) is exact. e^r = 1 + r + r^2 P(r).
[[gnu::always_inline]] inline Exponential exponential(Floats high, Floats low) noexcept {
  constexpr float shift = 0x1.8p23F;
  Floats const shifted = simd::fma(high, broadcast(std::numbers::log2e_v<float>), broadcast(shift));
  Floats const n = shifted - broadcast(shift);
  Floats const r = simd::fnma(n, broadcast(-0x1.bd0106p-13F), simd::fnma(n, broadcast(355.0F / 512.0F), high)) + low;
  Floats p = simd::fma(broadcast(0x1.6b9c72p-10F), r, broadcast(0x1.12254ap-7F));
  p = simd::fma(p, r, broadcast(0x1.5556f2p-5F));
  p = simd::fma(p, r, broadcast(0x1.5554b4p-3F));
  p = simd::fma(p, r, broadcast(0x1.fffffep-2F));
  return {simd::fma(p, r * r, r), shifted};
}

[[gnu::always_inline]] inline Exponential exponential(Floats x) noexcept { return exponential(x, broadcast(0.0F)); }

// N(x) / (x N(x) + M(x)), coefficients from the constant on.
struct Quotient {
  float n[5];
  float m[6];
};

// 2 e^(x^2) erfc(x) for 0 <= x <= 10.3, and e^(x^2 / 2) erfc(x / sqrt 2) for 0 <= x <= 14.5.
inline constexpr Quotient scaled_erfc = {{0x1.b2p+0F, 0x1.0caa6p+1F, 0x1.3d531ep+0F, 0x1.8d7bb6p-2F, 0x1.c67bd4p-5F},
                                         {0x1.b2p-1F, 0x1.3e1878p-2F, -0x1.03883ep-4F, -0x1.de716p-4F, -0x1.699a0ap-5F, -0x1.9db3c2p-8F}};
inline constexpr Quotient scaled_gelu_tail = {{0x1.82p+0F, 0x1.51eda2p+0F, 0x1.1a3a96p-1F, 0x1.f3f4ap-4F, 0x1.9437dep-7F},
                                              {0x1.82p+0F, 0x1.03e96cp+0F, 0x1.f630dap-2F, 0x1.3d2a58p-3F, 0x1.fabe9ep-6F, 0x1.998d82p-9F}};

struct Fraction {
  Floats numerator;
  Floats denominator;
};

// A rounding error of N is in the numerator and, for all but small x, mostly in the denominator too, where it cancels: with fma erfc errs
// by 2.9 ulp at most and GELU by 3.9, against 4.6 and 4.9 for a plain quotient of polynomials with a step less.
[[gnu::always_inline]] inline Fraction fraction(Quotient const& terms, Floats x) noexcept {
  Floats n = broadcast(terms.n[4]), m = broadcast(terms.m[5]);
  for (std::size_t i = 4; i-- > 0;) n = simd::fma(n, x, broadcast(terms.n[i]));
  for (std::size_t i = 5; i-- > 0;) m = simd::fma(m, x, broadcast(terms.m[i]));
  return {n, simd::fma(n, x, m)};
}

}  // namespace detail

/// e^x: 0 at -infinity, infinity above 88.7228, subnormal results below -87.3366 rounded once.
[[gnu::always_inline]] inline simd::Floats exp(simd::Floats x) noexcept {
  using namespace detail;
  Exponential const e = exponential(at_least(at_most(x, 89.0F), -104.0F));
#if defined(__AVX512F__)
  return Floats(_mm512_scalef_ps(e.fraction + broadcast(1.0F), e.shifted - broadcast(0x1.8p23F)));  // rounded once, as below
#else
  // 2^128 and 2^-150 are no floats. Positive powers are halved and negative ones lifted by 2^64; the last product puts it right.
  auto const negative = x < broadcast(0.0F);
  Floats const power = xsimd::select(negative, e.power<64>(), e.power<-1>());
  Floats const rest = xsimd::select(negative, broadcast(0x1p-64F), broadcast(2.0F));
  return (e.fraction + broadcast(1.0F)) * power * rest;
#endif
}

/// e^x for x <= 0, in fewer steps; 0 at -infinity, NaN for NaN. The same bits as `exp`.
[[gnu::always_inline]] inline simd::Floats exp_nonpositive(simd::Floats x) noexcept {
  using namespace detail;
  Exponential const e = exponential(at_least(x, -104.0F));
#if defined(__AVX512F__)
  return Floats(_mm512_scalef_ps(e.fraction + broadcast(1.0F), e.shifted - broadcast(0x1.8p23F)));
#else
  return (e.fraction + broadcast(1.0F)) * e.power<64>() * broadcast(0x1p-64F);
#endif
}

/// The hyperbolic tangent, as (e^2x - 1) / (e^2x + 1) with e^2x - 1 accurate near 0; tanh(x) = x for small x, with its sign.
[[gnu::always_inline]] inline simd::Floats tanh(simd::Floats x) noexcept {
  using namespace detail;
  Floats const a = at_most(xsimd::abs(x), 10.0F);  // beyond 9.01 the result rounds to 1
  Exponential const e = exponential(a + a);
  Floats const power = e.power<0>();
  Floats const less_one = simd::fma(power, e.fraction, power - broadcast(1.0F));
  return xsimd::bitofsign(x) | simd::divide(less_one, less_one + broadcast(2.0F));
}

/// The complementary error function: 2 / sqrt(pi) times the integral of e^(-t^2) from x to infinity. Falls to 0 by proper subnormals.
[[gnu::always_inline]] inline simd::Floats erfc(simd::Floats x) noexcept {
  using namespace detail;
  Floats const a = at_most(xsimd::abs(x), 10.25F);  // beyond 10.06 the tail is 0
  Pair const square = scaled_square(a, broadcast(-1.0F));
  auto const [numerator, denominator] = fraction(scaled_erfc, a);
  Floats const tail = exponential(square.high, square.low).times<-1>(simd::divide(numerator, denominator));
  return xsimd::select(x < broadcast(0.0F), broadcast(2.0F) - tail, tail);
}

/// The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. 2x / sqrt(pi) for small x, with its sign.
[[gnu::always_inline]] inline simd::Floats erf(simd::Floats x) noexcept {
  using namespace detail;
  // Below 1: x + x P(x^2).
  Floats const square = x * x;
  Floats p = simd::fma(broadcast(0x1.4771fcp-14F), square, broadcast(-0x1.a3515ep-11F));
  p = simd::fma(p, square, broadcast(0x1.53f224p-8F));
  p = simd::fma(p, square, broadcast(-0x1.b7f71ap-6F));
  p = simd::fma(p, square, broadcast(0x1.ce2ce6p-4F));
  p = simd::fma(p, square, broadcast(-0x1.81273ep-2F));
  p = simd::fma(p, square, broadcast(0x1.06eba8p-3F));
  Floats const near = simd::fma(p, x, x);
  Floats const magnitude = xsimd::abs(x);
  Floats const far = xsimd::bitofsign(x) | (broadcast(1.0F) - erfc(magnitude));
  return xsimd::select(magnitude < broadcast(1.0F), near, far);
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
