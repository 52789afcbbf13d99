"""Pseudo-random bits as a function of (seed, stream, row number): the finaliser of splitmix64.

Each column that needs bits of its own takes its own ``stream``; several
columns may share one word by using different bits of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_STREAM = 0xD1B54A32D192ED03


def row_numbers(first: int, count: int) -> Ints:
    return np.arange(first, first + count, dtype=np.int64)


def mix(rows: Ints, seed: int, stream: int) -> Words:
    """64 well-mixed bits for every row."""
    start = np.uint64((seed * _GOLDEN + stream * _STREAM + _GOLDEN) & _MASK)
    words: Words = rows.view(np.uint64) * np.uint64(_GOLDEN)
    words += start
    words ^= words >> np.uint64(30)
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
    return words


def bits(words: Words, low: int, width: int) -> Ints:
    """``width`` bits of each word, from bit ``low`` up, as a number from 0."""
    cut = (words >> np.uint64(low)) & np.uint64((1 << width) - 1)
    return cut.view(np.int64)


def below(words: Words, low: int, bound: int | Ints) -> Ints:
    """A number in [0, bound) from 24 bits of each word: their product with the bound, shifted down.

    ``bound`` is below 2**39; beyond a few thousands some numbers are a little likelier than others, and from
    2**24 on some never come: good enough to spread events in time.
    """
    scaled: Ints = (bits(words, low, 24) * bound) >> 24
    return scaled
