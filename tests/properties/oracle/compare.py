"""Multisets of rows, compared exactly, or with doubles within a stated number of ulps.

Canonical values: one NaN, one zero; numbers of different types are equal when
they are equal as numbers. Everything else is equal when Python says so.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from tests.properties.oracle.tables import Row

_NAN = ("NaN",)


def canonical(value: Any) -> Any:
    if isinstance(value, float):
        return _NAN if math.isnan(value) else value + 0.0
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return tuple(canonical(v) for v in value)
    return value


def canonical_rows(rows: Iterable[Sequence[Any]]) -> Counter[Row]:
    return Counter(tuple(canonical(v) for v in row) for row in rows)


def difference(got: Counter[Row], want: Counter[Row], floats: Sequence[int], ulps: int) -> str | None:
    """What differs, in words; None when nothing does. ``floats``: the columns that ``ulps`` applies to."""
    if got == want or (ulps and floats and _close(got, want, floats, ulps)):
        return None
    return f"too many: {_shown(got - want)}\ntoo few: {_shown(want - got)}"


def _shown(rows: Counter[Row]) -> str:
    listed = [f"{count} x {row}" for row, count in list(rows.items())[:6]]
    return "; ".join(listed) + (f"; and {len(rows) - 6} more" if len(rows) > 6 else "") if rows else "none"


def _close(got: Counter[Row], want: Counter[Row], floats: Sequence[int], ulps: int) -> bool:
    """Rows alike in all other columns are paired in the order of their doubles, and each pair compared."""
    ours, theirs = _by_others(got, floats), _by_others(want, floats)
    if ours.keys() != theirs.keys():
        return False
    return all(
        len(a) == len(b)
        and all(_near(x, y, ulps) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))
        for a, b in ((ours[key], theirs[key]) for key in ours)
    )


def _by_others(rows: Counter[Row], floats: Sequence[int]) -> dict[Row, list[Row]]:
    found: defaultdict[Row, list[Row]] = defaultdict(list)
    for row, count in rows.items():
        others = tuple(v for i, v in enumerate(row) if i not in floats)
        found[others] += [tuple(row[i] for i in floats)] * count
    return {key: sorted(values, key=_order) for key, values in found.items()}


def _order(values: Row) -> Row:
    return tuple((v is None, v == _NAN, 0.0 if v is None or v == _NAN else float(v)) for v in values)


def _near(a: Any, b: Any, ulps: int) -> bool:
    if a == b:
        return True
    if not isinstance(a, float | int | Decimal) or not isinstance(b, float | int | Decimal):
        return False
    x, y = float(a), float(b)
    return math.isfinite(x) and math.isfinite(y) and abs(x - y) <= ulps * math.ulp(max(abs(x), abs(y)))


def slack_difference(got: Counter[Row], want: list[Row], floats: Sequence[int], *, exact: bool) -> str | None:
    """Like ``difference``; the last column of ``want`` is how many ulps-of-one its doubles may be off."""
    plain = canonical_rows(row[:-1] for row in want)
    if got == plain:
        return None
    if not exact:
        slack = {_others(row, floats): _slack(row[-1]) for row in canonical_rows(want)}
        ours, theirs = _by_others(got, floats), _by_others(plain, floats)
        if ours.keys() == theirs.keys() and all(
            _within(a, b, slack[key])
            for key in ours
            for p, q in zip(ours[key], theirs[key], strict=True)
            for a, b in zip(p, q, strict=True)
        ):
            return None
    return difference(got, plain, (), 0)


def _slack(value: Any) -> float:
    """Infinite where the sizes of the numbers come to no number."""
    return value if isinstance(value, float) else math.inf if value else 0.0


def _others(row: Row, floats: Sequence[int]) -> Row:
    return tuple(v for i, v in enumerate(row[:-1]) if i not in floats)


def _within(a: Any, b: Any, slack: float) -> bool:
    return bool(a == b or (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= slack * 2.0**-52))
