"""Moving frames: what running sums and places say of a frame is what its rows say, one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.moving import stretches_of, values_of
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

_BIG = pa.decimal128(38, 0)
_VALUES: dict[pa.DataType, list[Any]] = {
    pa.int64(): [None, 0, -1, 7, 2**63 - 1, -(2**63), 2**32, -(2**32) - 1],
    pa.int32(): [None, 0, 5, 2**31 - 1, -(2**31)],
    pa.timestamp("us"): [None, dt.datetime(2024, 1, 1), dt.datetime(1960, 5, 6, 7)],
    pa.date32(): [None, dt.date(2024, 1, 1), dt.date(1960, 5, 6)],
    pa.string(): [None, "", "a", "bc"],
}


def _said(function: str, frame: Sequence[Any]) -> Any:
    there = [value for value in frame if value is not None]
    match function:
        case "count":
            return len(there)
        case "sum":
            return sum(there) if there else None
        case "least":
            return min(there, default=None)
        case "greatest":
            return max(there, default=None)
        case "first" | "value":
            return frame[0] if frame else None
        case _:
            return frame[-1] if frame else None


@pytest.mark.parametrize("bounds", [(-2, 0), (0, 0), (-1, 3), (-5, -3), (2, 4), (-9, 9), (1, 1), (-1, -1)])
@pytest.mark.parametrize(
    ("function", "kind", "value"),
    [("count", pa.string(), pa.int64()), ("sum", pa.int64(), _BIG), ("sum", pa.int32(), pa.int64()),
     *((f, k, k) for f in ("least", "greatest") for k in (pa.int64(), pa.int32(), pa.timestamp("us"), pa.date32())),
     *((f, k, k) for f in ("first", "last", "value") for k in (pa.int64(), pa.string()))],
)  # fmt: skip
def test_a_frame_says_what_its_rows_say(
    function: plan.MovingFunction, kind: pa.DataType, value: pa.DataType, bounds: tuple[int, int]
) -> None:
    first, last = bounds
    if function == "value" and first != last:
        last = first
    random = Random(f"{function} {kind} {bounds}")
    stretches = [[random.choice(_VALUES[kind]) for _ in range(random.choice([1, 2, 9]))] for _ in range(12)]
    numbers = np.repeat(np.arange(12), [len(stretch) for stretch in stretches])
    asked = np.array([random.random() < 0.7 for _ in numbers])
    column = pa.array([v for stretch in stretches for v in stretch], kind)
    moving = plan.Moving(function, 0, first, last)
    found = values_of(moving, column, stretches_of(numbers, asked, np.arange(len(numbers))), value)
    found.validate(full=True)
    assert found.type == value
    expected = [
        _said(function, stretch[max(i + first, 0) : max(i + last + 1, 0)]) for stretch in stretches
        for i in range(len(stretch))
    ]  # fmt: skip
    assert found.to_pylist() == [v for v, is_asked in zip(expected, asked, strict=True) if is_asked]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("function", "kind", "value"),
    [("count", pa.string(), pa.int64()), ("sum", pa.int64(), _BIG), ("sum", pa.int32(), pa.int64()),
     ("least", pa.int64(), pa.int64()), ("greatest", pa.date32(), pa.date32()), ("first", pa.string(), pa.string())],
)  # fmt: skip
def test_a_frame_from_the_beginning_says_what_its_rows_say(
    function: plan.MovingFunction, kind: pa.DataType, value: pa.DataType, tied: bool
) -> None:
    random = Random(f"{function} {kind} {tied}")
    stretches = [[random.choice(_VALUES[kind]) for _ in range(random.choice([1, 2, 9]))] for _ in range(12)]
    ties = [np.cumsum([random.random() < 0.6 for _ in stretch]) for stretch in stretches]
    numbers = np.repeat(np.arange(12), [len(stretch) for stretch in stretches])
    asked = np.array([random.random() < 0.7 for _ in numbers])
    peers = np.unique(np.concatenate([100 * i + t for i, t in enumerate(ties)]), return_inverse=True)[1]
    column = pa.array([v for stretch in stretches for v in stretch], kind)
    moving = plan.Moving(function, 0, 0, 0, running=True, tied=tied)
    found = values_of(moving, column, stretches_of(numbers, asked, peers), value)
    found.validate(full=True)
    expected = [
        _said(function, [v for j, v in enumerate(stretch) if j <= i or (tied and tie[j] == tie[i])])
        for stretch, tie in zip(stretches, ties, strict=True) for i in range(len(stretch))
    ]  # fmt: skip
    assert found.to_pylist() == [v for v, is_asked in zip(expected, asked, strict=True) if is_asked]


def test_rows_are_counted_without_a_column() -> None:
    stretches = stretches_of(np.array([0, 0, 0, 1]), np.array([True, True, True, True]), np.arange(4))
    assert values_of(plan.Moving("count", -1, -1, 0), None, stretches, pa.int64()).to_pylist() == [1, 2, 2, 1]


def test_a_sum_of_greatest_bigints_is_exact() -> None:
    column, stretches = (
        pa.array([2**63 - 1] * 5 + [-(2**63)] * 5),
        stretches_of(np.zeros(10, np.int64), np.ones(10, bool), np.arange(10)),
    )
    found = values_of(plan.Moving("sum", 0, -4, 0), column, stretches, _BIG).to_pylist()
    assert found[4] == Decimal(5 * (2**63 - 1))
    assert found[9] == Decimal(-5 * 2**63)


_SCHEMA = pa.schema([("k", pa.int64()), ("b", pa.int32()), ("c", pa.int64()), ("f", pa.float64()), ("s", pa.string()),
                     ("d", pa.decimal128(12, 2))])  # fmt: skip
_MOVING = "OVER (PARTITION BY k ORDER BY b ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
_ALL = "OVER (PARTITION BY k ORDER BY b)"


@pytest.mark.parametrize(
    ("calls", "moving"),
    [
        (f"sum(c) {_MOVING}", [plan.Moving("sum", 2, -2, 0)]),
        (f"sum(b) {_MOVING}, count(*) {_MOVING}", [plan.Moving("sum", 1, -2, 0), plan.Moving("count", -1, -2, 0)]),
        (f"min(c) {_MOVING}, last_value(s) {_MOVING}", [plan.Moving("least", 2, -2, 0), plan.Moving("last", 4, -2, 0)]),
        (f"lag(s) {_ALL}, lead(c, 3) {_ALL}", [plan.Moving("value", 4, -1, -1), plan.Moving("value", 2, 3, 3)]),
        (f"lag(c, 1, 7) {_ALL}", []),
        (f"min(f) {_MOVING}", []),
        (f"sum(d) {_MOVING}", []),
        (f"nth_value(c, 2) {_MOVING}", []),
        (f"sum(c) {_ALL}", [plan.Moving("sum", 2, 0, 0, running=True, tied=True)]),
        (
            f"lag(c) {_ALL}, row_number() {_ALL}",
            [plan.Moving("value", 2, -1, -1), plan.Moving("count", -1, 0, 0, running=True)],
        ),
    ],
)
def test_what_follows_from_sums_and_places(calls: str, moving: list[plan.Moving]) -> None:
    statement = parse(f"SELECT *, {calls} FROM t")[0]
    assert isinstance(statement, Select)
    root = ContinuousPlanner({"t": PlannedRelation("t", "table", _SCHEMA)}).plan(statement.query).root
    (over,) = [node for node in plan.walk(root) if isinstance(node, plan.Over)]
    assert sorted(over.moving, key=str) == sorted(moving, key=str)
