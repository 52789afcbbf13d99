"""Counts of set bits by slot: what is left of bit_and, bit_or and bit_xor when rows are taken back."""

from __future__ import annotations

from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.jit import kernel


@kernel("void(i64[], i64, const i64[], const i64[], const i64[], const bool[])")
def add_bits(counts: I64, width: int, slots: I64, values: I64, weights: I64, valid: Bool) -> None:
    """Add each value to the ``width`` counts of its slot, one a bit; empty ``weights`` and ``valid``: 1, all."""
    for i in range(len(slots)):
        if slots[i] < 0 or (len(valid) and not valid[i]):
            continue
        weight, first = weights[i] if len(weights) else 1, slots[i] * width
        for bit in range(width):
            counts[first + bit] += weight * ((values[i] >> bit) & 1)
