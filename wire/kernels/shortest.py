"""The shortest decimal that is nearer to a float than to any other: Schubfach, with Postgres' choice of interval.

Raffaello Giulietti, "The Schubfach way to render doubles" (2020). A float is
``c * 2**q``; the decimals that lie strictly between its two borders read back
as it. Postgres never answers with a border itself, though a reader that rounds
to even would accept it: so the interval is open here, whatever ``c`` is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import inlined
from constellationdb.storage.kernels.memory import mul_high

_U64 = np.uint64
_LEAST_POWER, _GREATEST_POWER = -292, 325
_ZERO, _ONE, _TWO, _FOUR, _TEN, _FORTY = _U64(0), _U64(1), _U64(2), _U64(4), _U64(10), _U64(40)


def _leading_bits(power: int) -> int:
    """The first 128 bits of 10**power, rounded up."""
    exponent = ((power * 1741647) >> 19) - 127
    numerator: int = 10 ** max(power, 0) << max(-exponent, 0)
    denominator: int = 10 ** max(-power, 0) << max(exponent, 0)
    return -(-numerator // denominator)


_POWERS = [_leading_bits(power) for power in range(_LEAST_POWER, _GREATEST_POWER)]
_HIGH: NDArray[np.uint64] = np.array([bits >> 64 for bits in _POWERS], np.uint64)
_LOW: NDArray[np.uint64] = np.array([bits & 0xFFFFFFFFFFFFFFFF for bits in _POWERS], np.uint64)


@inlined
def _scaled(power: int, value: np.uint64) -> np.uint64:
    """value * 10**power without its last 128 bits; the last bit kept is set where anything was lost."""
    high, low = _HIGH[power - _LEAST_POWER], _LOW[power - _LEAST_POWER]
    kept, lost = mul_high(high, value), high * value
    sticky = lost + mul_high(low, value)
    if sticky < lost:
        kept += _ONE
    return np.uint64(kept | (_ONE if sticky > _ONE else _ZERO))


@inlined
def shortest(c: np.uint64, q: int, lower_is_closer: bool) -> tuple[np.uint64, int]:
    """``(digits, exponent)`` of c * 2**q. ``lower_is_closer``: c is the least of its binade."""
    centre = c * _FOUR
    below = centre - (_ONE if lower_is_closer else _TWO)
    power = (q * 1262611 - (524031 if lower_is_closer else 0)) >> 22
    shift = _U64(q + ((-power * 1741647) >> 19) + 1)
    lower = _scaled(-power, below << shift) + _ONE
    upper = _scaled(-power, (centre + _TWO) << shift) - _ONE
    value = _scaled(-power, centre << shift)
    digits = value // _FOUR
    if digits >= _TEN:
        shorter = digits // _TEN
        down_fits = lower <= _FORTY * shorter
        up_fits = _FORTY * shorter + _FORTY <= upper
        if down_fits != up_fits:
            return shorter + (_ONE if up_fits else _ZERO), power + 1
    down_fits = lower <= _FOUR * digits
    up_fits = _FOUR * digits + _FOUR <= upper
    if down_fits != up_fits:
        return digits + (_ONE if up_fits else _ZERO), power
    middle = _FOUR * digits + _TWO
    up = value > middle or (value == middle and (digits & _ONE) == _ONE)
    return digits + (_ONE if up else _ZERO), power
