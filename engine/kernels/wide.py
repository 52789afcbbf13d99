"""128-bit products for kernels, as pairs of 64-bit words."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined
from constellationdb.storage.kernels.memory import mul_high

_ZERO = np.uint64(0)


@inlined
def mul_signed(left: np.int64, right: np.int64) -> tuple[np.int64, np.uint64]:
    """The exact product of two int64: (high, low)."""
    low = np.uint64(left) * np.uint64(right)
    high = np.int64(mul_high(np.uint64(left), np.uint64(right)))
    if left < 0:
        high -= right
    if right < 0:
        high -= left
    return high, low


@inlined
def carry(total: np.uint64, addend: np.uint64) -> np.int64:
    """1 if ``total``, the wrapped sum of ``addend`` and another word, lost a bit."""
    return np.int64(1) if total < addend else np.int64(0)
