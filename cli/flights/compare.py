"""Two answers to one question, as multisets of rows: equal values, floats within 1e-9 of their size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-9
_EXAMPLES = 3

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Verdict:
    """``differences`` counts rows that only one side has; ``examples`` shows the first of them."""

    view: str
    rows: int
    differences: int
    examples: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.differences == 0


def compare(view: str, expected: Sequence[Row], found: Sequence[Row]) -> Verdict:
    """Rows are matched by all values that are not floats; among equals the floats are matched in their order."""
    wanted, have = _grouped(expected), _grouped(found)
    missing: list[Row] = []
    extra: list[Row] = []
    for key in wanted.keys() | have.keys():
        left, right = _apart(wanted.get(key, []), have.get(key, []))
        missing += left
        extra += right
    examples = [f"missing {_shown(row)}" for row in missing] + [f"unexpected {_shown(row)}" for row in extra]
    return Verdict(view, len(found), len(missing) + len(extra), tuple(sorted(examples)[:_EXAMPLES]))


def _grouped(rows: Iterable[Row]) -> dict[Row, list[Row]]:
    groups: defaultdict[Row, list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(0.0 if isinstance(value, float) else value for value in row)].append(row)
    return groups


def _apart(wanted: list[Row], have: list[Row]) -> tuple[list[Row], list[Row]]:
    """What is left of two groups of the same exact values when the pairs of close rows are taken out."""
    missing, left = [], sorted(have, key=_floats)
    for row in sorted(wanted, key=_floats):
        match = next((number for number, other in enumerate(left) if _close(row, other)), None)
        if match is None:
            missing.append(row)
        else:
            del left[match]
    return missing, left


def _floats(row: Row) -> tuple[float, ...]:
    return tuple(value for value in row if isinstance(value, float))


def _close(wanted: Row, have: Row) -> bool:
    return all(
        math.isclose(one, other, rel_tol=TOLERANCE) for one, other in zip(_floats(wanted), _floats(have), strict=True)
    )


def _shown(row: Row) -> str:
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"
