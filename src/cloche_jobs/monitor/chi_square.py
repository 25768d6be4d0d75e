"""The upper tail of the chi-square distribution.

Q(k/2, x/2), the regularised incomplete gamma function: by its series below the mean, else by its continued fraction
(Lentz's way), as Press et al., Numerical Recipes, 6.2 have it. The environment has no scipy, for this one function.
"""

from __future__ import annotations

import math

_TINY = 1e-300


def p_value(statistic: float, degrees: int) -> float:
    shape, at = degrees / 2, statistic / 2
    if at <= 0:
        return 1.0
    if math.isinf(at):
        return 0.0
    scale = math.exp(shape * math.log(at) - at - math.lgamma(shape))
    return 1 - scale * _series(shape, at) if at < shape + 1 else scale * _fraction(shape, at)


def _series(shape: float, at: float) -> float:
    term = total = 1 / shape
    while abs(term) > abs(total) * 1e-16:
        shape += 1
        term *= at / shape
        total += term
    return total


def _fraction(shape: float, at: float) -> float:
    low = at + 1 - shape
    above, below = 1 / _TINY, 1 / low
    value = below
    for number in range(1, 10_000):
        step = -number * (number - shape)
        low += 2
        below = 1 / ((step * below + low) or _TINY)
        above = (low + step / above) or _TINY
        value *= above * below
        if abs(above * below - 1) < 1e-15:
            break
    return value
