#!/usr/bin/env python3
"""Derives the polynomials of include/axiform/kernels/math.hpp and prints them as C++ hexadecimal floats.

Each is a minimax fit (40 digits). Its coefficients are then rounded to float one by one, from the one that matters most;
after each rounding the remaining ones are fitted again, so that they make up for what rounding lost.

Needs mpmath:  python3 scripts/derive_math_coefficients.py
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


def minimax(target, weight, low, high, powers):
    """Coefficients of the given powers of t whose greatest |weight * (polynomial - target)| is least, and that greatest error.

    Lawson's iteration: weighted least squares, each point's weight multiplied by its error until the errors level out.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * cos(pi * (i + mpf(1) / 2) / 160) for i in range(160)]
    rows = [[weight(t) * t**p for p in powers] for t in points]
    right = [weight(t) * target(t) for t in points]
    shares = [mpf(1)] * len(points)
    best, best_worst = None, None
    for _ in range(60):
        size = len(powers)
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
        solution = lu_solve(normal, image)
        errors = [fabs(sum(solution[i] * row[i] for i in range(size)) - value) for row, value in zip(rows, right)]
        worst = max(errors)
        if best_worst is None or worst < best_worst:
            best, best_worst = [solution[i] for i in range(size)], worst
        shares = [share * error for share, error in zip(shares, errors)]
        total = sum(shares)
        shares = [share * len(points) / total for share in shares]
    return best, best_worst


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
    print(f"// {name}: degree {degree} on [{float(low):.6g}, {float(high):.6g}], error 2^{float(log(worst, 2)):.1f} (2^{float(log(ideal, 2)):.1f} before rounding)")
    print("    " + ", ".join(hexadecimal(c) for c in fixed))


def erfcx(z):
    return exp(z * z) * erfc(z)


def main():
    print("// ln 2 = 355/512 + this:")
    print("    ", hexadecimal(to_float(log(2) - mpf(355) / 512)))

    # (e^r - 1 - r) / r^2. The weight makes the error relative to e^r - 1, which is stricter than relative to e^r.
    bound = log(2) / 2 * mpf("1.0005")
    second = lambda r: (expm1(r) - r) / r**2 if fabs(r) > mpf("1e-12") else mpf(1) / 2 + r / 6
    fit_floats("exp", second, lambda r: r**2 / expm1(r) if r != 0 else mpf(0), -bound, bound, EXP_DEGREE)

    # erf(x) / x in y = x^2.
    ratio = lambda y: erf(sqrt(y)) / sqrt(y) if y > mpf("1e-24") else 2 / sqrt(pi) * (1 - y / 3)
    fit_floats("erf", ratio, lambda y: 1 / ratio(y), mpf(0), ERF_BOUND**2, ERF_DEGREE)

    # (z + k) erfcx(z) in t = (z - k) / (z + k), where erfcx(z) = e^(z^2) erfc(z).
    k = ERFCX_SHIFT
    scaled = lambda t: (lambda z: (z + k) * erfcx(z))(k * (1 + t) / (1 - t))
    fit_floats("erfcx", scaled, lambda t: 1 / scaled(t), mpf(-1), (ERFCX_BOUND - k) / (ERFCX_BOUND + k), ERFCX_DEGREE)


EXP_DEGREE = 4
ERF_BOUND, ERF_DEGREE = mpf("1.0"), 6
ERFCX_SHIFT, ERFCX_BOUND, ERFCX_DEGREE = mpf(2), mpf("10.25"), 9

if __name__ == "__main__":
    main()
