"""Where the frames of rows in order begin and end, by the values that RANGE counts from."""

from __future__ import annotations

from constellationdb.engine.kernels.rows import I64
from constellationdb.jit import kernel


@kernel("void(const i64[], const i64[], const i64[], const i64[], bool, i64[])")
def seek(values: I64, firsts: I64, lasts: I64, wanted: I64, behind: bool, places: I64) -> None:
    """For each row the first place from ``firsts`` to ``lasts`` whose value is not below the one wanted.

    ``behind``: the first whose value is above it. ``values`` rise from ``firsts`` to ``lasts``.
    """
    for row in range(len(wanted)):
        low, high, value = firsts[row], lasts[row], wanted[row]
        while low < high:
            middle = (low + high) >> 1
            below = values[middle] <= value if behind else values[middle] < value
            if below:
                low = middle + 1
            else:
                high = middle
        places[row] = low
