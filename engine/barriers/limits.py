"""How much an alignment may hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Per input: rows, or messages without rows. ``unaligned_after``: seconds, 0 at once; None: rather given up."""

    inputs: int = 128
    buffered_per_input: int = 100_000
    buffered_bytes: int = 256 << 20
    timeout_seconds: float = 60.0
    unaligned_after: float | None = 30.0
    in_flight_bytes: int = 512 << 20
