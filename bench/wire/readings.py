"""The table that is read, and what every row of it must be."""

from __future__ import annotations

from bench.wire_probe import Wire

_STEP = 100_000
COLUMNS = 5


def fill(wire: Wire, rows: int) -> None:
    """A bigint, a double of 16 digits, a text, a timestamp and a boolean."""
    wire.execute("CREATE TABLE reading (id bigint, v double precision, name text, at timestamp, good boolean)")
    for first in range(1, rows + 1, _STEP):
        last = min(first + _STEP - 1, rows)
        wire.execute(
            "INSERT INTO reading SELECT i::bigint * 7919, i * 0.001 + 1.0 / 3, 'sensor ' || i, "
            "timestamp '2024-01-01' + i * interval '1 second', i % 3 = 0 "
            f"FROM generate_series({first}, {last}) AS g(i)"
        )


def sum_of_ids(rows: int) -> int:
    return 7919 * rows * (rows + 1) // 2
