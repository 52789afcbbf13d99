"""Two answers to one query, ours and DuckDB's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

Row = Sequence[object]


def compare_answers(what: str, ours: Iterable[Row], theirs: Iterable[Row]) -> None:
    """The same rows in any order, exactly; but numbers to 12 digits, for DuckDB averages and divides as doubles."""
    found, expected = _sorted(ours), _sorted(theirs)
    assert len(found) == len(expected), f"{what}: {len(found)} rows, DuckDB has {len(expected)}"
    for our, their in zip(found, expected, strict=True):
        assert all(map(_equal, our, their)), f"{what}: {our}, DuckDB has {their}"


def _sorted(rows: Iterable[Row]) -> list[tuple[object, ...]]:
    return sorted((tuple(map(_comparable, row)) for row in rows), key=repr)


def _comparable(value: object) -> object:
    return float(value) if isinstance(value, (int, float, Decimal)) else value


def _equal(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-12)
    return ours == theirs
