#!/usr/bin/env python3
"""Derives the polynomials of include/axiform/kernels/math.hpp and prints them as C++ hexadecimal floats, the constant term first.

Polynomials are minimax fits whose coefficients are then rounded to float one by one, from the constant on; after each rounding the
remaining ones are fitted again, so that they make up for what rounding lost. The quotient behind erfc and GELU is a minimax fit as well,
rearranged so that rounding errors cancel (see `fit_quotient`).

Needs mpmath; takes about a minute:  python3 scripts/derive_math_coefficients.py
"""

import struct

from mpmath import cos, erf, erfc, exp, expm1, fabs, log, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 40


def to_float(value):
    return mpf(struct.unpack("f", struct.pack("f", float(value)))[0])


def hexadecimal(value):
    mantissa, exponent = float(value).hex().split("p")
    sign, digits = mantissa.split("0x")
    return f"{sign}0x{digits.rstrip('0').rstrip('.')}p{exponent}F"


def polynomial(coefficients, t):
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total


def least_squares(rows, right, shares):
    """The solution of rows * solution = right with the least sum of share * residual^2."""
    size = len(rows[0])
    normal, image = matrix(size, size), matrix(size, 1)
    for row, value, share in zip(rows, right, shares):
        for i in range(size):
            scaled = row[i] * share
            image[i] += scaled * value
            for j in range(i, size):
                normal[i, j] += scaled * row[j]
    for i in range(size):
        for j in range(i):
            normal[i, j] = normal[j, i]
    return list(lu_solve(normal, image))


def reweighted(shares, errors):
    """Lawson's iteration towards the least greatest error: each point's share grows with its error."""
    shares = [share * error for share, error in zip(shares, errors)]
    total = sum(shares)
    return [share * len(shares) / total for share in shares]


def minimax(target, weight, low, high, powers):
    """Coefficients of the given powers of t whose greatest |weight * (polynomial - target)| is least, and that greatest error."""
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * cos(pi * (i + mpf(1) / 2) / 160) for i in range(160)]
    rows = [[weight(t) * t**p for p in powers] for t in points]
    right = [weight(t) * target(t) for t in points]
    shares, best = [mpf(1)] * len(points), None
    for _ in range(60):
        solution = least_squares(rows, right, shares)
        errors = [fabs(sum(c * r for c, r in zip(solution, row)) - value) for row, value in zip(rows, right)]
        if best is None or max(errors) < best[1]:
            best = solution, max(errors)
        shares = reweighted(shares, errors)
    return best


def fit_floats(name, target, weight, low, high, degree):
    """Prints the float coefficients, the constant first, with the greatest error of the fit before and after rounding."""
    powers, fixed = list(range(degree + 1)), []
    _, ideal = minimax(target, weight, low, high, powers)
    for power in powers:
        rest = lambda t: target(t) - polynomial(fixed, t)
        coefficients, _ = minimax(rest, weight, low, high, powers[power:])
        fixed.append(to_float(coefficients[0]))
    grid = [low + (high - low) * i / mpf(2000) for i in range(2001)]
    worst = max(fabs(weight(t) * (polynomial(fixed, t) - target(t))) for t in grid)
    errors = [f"2^{float(log(error, 2)):.1f}" for error in (worst, ideal)]
    print(f"// {name}: degree {degree} on [{float(low):.6g}, {float(high):.6g}], error {errors[0]} ({errors[1]} before rounding)")
    print("    " + ", ".join(hexadecimal(c) for c in fixed))


def erfcx(z):
    return exp(z * z) * erfc(z)


def fit_quotient(high):
    """N and D of degrees 4 and 5, constants 1, with N(z) / D(z) = erfcx(z) = e^(z^2) erfc(z) on [0, high].

    Linearised: N - erfcx D = 0, divided by the D of the round before.
    """
    points = [high * (1 - cos(pi * (i + mpf(1) / 2) / 200)) / 2 for i in range(200)]
    values = [erfcx(z) for z in points]
    denominators, shares, best = [mpf(1)] * len(points), [mpf(1)] * len(points), None
    for iteration in range(80):
        weights = [1 / (v * d) for v, d in zip(values, denominators)]
        rows = [[w * z**i for i in range(1, 5)] + [-w * v * z**i for i in range(1, 6)] for z, v, w in zip(points, values, weights)]
        solution = least_squares(rows, [w * (v - 1) for v, w in zip(values, weights)], shares)
        n, d = [mpf(1)] + solution[:4], [mpf(1)] + solution[4:]
        denominators = [polynomial(d, z) for z in points]
        errors = [fabs(polynomial(n, z) / e / v - 1) for z, v, e in zip(points, values, denominators)]
        if min(denominators) > 0 and (best is None or max(errors) < best[2]):
            best = n, d, max(errors)
        if iteration > 3:
            shares = reweighted(shares, errors)
    n, d, worst = best
    print(f"// erfcx: on [0, {float(high):.6g}], error 2^{float(log(worst, 2)):.1f} before rounding")
    return n, d


def print_quotient(name, n, d, stretch, divisor, scale):
    """N(x) / (x N(x) + M(x)) = divisor * erfcx(stretch * x): of D / divisor, M is what x N leaves.

    Written so, a rounding error of N is in the numerator and, for all but small x, mostly in the denominator too, where it cancels; the
    divisor, a power of two, makes M small beside x N. `scale` multiplies N and M alike and changes only how they round.
    """
    n = [c * stretch**i for i, c in enumerate(n)]
    d = [c * stretch**i / divisor for i, c in enumerate(d)]
    m = [d[0]] + [d[i] - n[i - 1] for i in range(1, 6)]
    print(f"// {name}: N, M")
    for terms in (n, m):
        print("    {" + ", ".join(hexadecimal(to_float(c * scale)) for c in terms) + "},")


def main():
    print("// ln 2 = 355/512 + this:")
    print("    ", hexadecimal(to_float(log(2) - mpf(355) / 512)))

    # (e^r - 1 - r) / r^2. The weight makes the error relative to e^r - 1, which is stricter than relative to e^r.
    bound = log(2) / 2 * mpf("1.0005")
    second = lambda r: (expm1(r) - r) / r**2 if fabs(r) > mpf("1e-12") else mpf(1) / 2 + r / 6
    fit_floats("exp", second, lambda r: r**2 / expm1(r) if r != 0 else mpf(0), -bound, bound, 4)

    # erf(x) / x - 1 in y = x^2, for |x| <= 1.
    ratio = lambda y: erf(sqrt(y)) / sqrt(y) if y > mpf("1e-24") else 2 / sqrt(pi) * (1 - y / 3)
    fit_floats("erf", lambda y: ratio(y) - 1, lambda y: 1 / ratio(y), mpf(0), mpf(1), 6)

    # For GELU, z = x / sqrt 2. Of the scales i / 128, these have the least error over 7 million x, with and without fma.
    n, d = fit_quotient(mpf("10.3"))
    print_quotient("erfc", n, d, mpf(1), 2, mpf(217) / 128)
    print_quotient("gelu", n, d, 1 / sqrt(mpf(2)), 1, mpf(193) / 128)


if __name__ == "__main__":
    main()
