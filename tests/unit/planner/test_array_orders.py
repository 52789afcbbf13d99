"""The text that stands for an array sorts as Postgres sorts arrays."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.planner.array_orders import definitions

_KEYS = {name: function for function, _, _, name in definitions()}
_MEMBERS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "con_order_integers": (pa.int64(), [None, -(1 << 63), -256, -1, 0, 1, 255, (1 << 63) - 1]),
    "con_order_doubles": (
        pa.float64(),
        [None, -math.inf, -1e300, -1.5, -0.0, 0.0, 5e-324, 1.5, math.inf, math.nan, math.copysign(math.nan, -1)],
    ),
    "con_order_numerics": (pa.string(), [None, "-" + "9" * 38, "-1.50", "-1.5", "0", "0.00", "1e-9", "1.5", "10"]),
    "con_order_texts": (pa.string(), [None, "", "a", "ab", "b", "é", "\U0001f600", "\x01"]),
}


@pytest.mark.parametrize("name", list(_MEMBERS))
def test_keys_compare_as_arrays_do(name: str) -> None:
    kind, members = _MEMBERS[name]
    choices = random.Random(name)
    arrays = [choices.choices(members, k=choices.randrange(4)) for _ in range(150)]
    keys = _KEYS[name](pa.array([*arrays, None], pa.list_(kind))).to_pylist()
    assert keys.pop() is None
    value: Any = Decimal if name == "con_order_numerics" else lambda member: member
    for left, a in zip(arrays, keys, strict=True):
        for right, b in zip(arrays, keys, strict=True):
            assert (a > b) - (a < b) == _compared(left, right, value), (left, right)


def test_arrays_are_sorted() -> None:
    given: list[list[Any]] = [[1, None], [1], [], [None], [1, 2]]
    found = sorted(given, key=cmp_to_key(_integers_compared))
    assert found == [[], [1], [1, 2], [1, None], [None]]


def _integers_compared(left: list[Any], right: list[Any]) -> int:
    return _compared(left, right, int)


def _compared(left: list[Any], right: list[Any], value: Any) -> int:
    """-1, 0 or 1, in Postgres' words: element by element, NULL and then NaN the greatest, the shorter first."""
    ranks = [[_rank(None if member is None else value(member)) for member in array] for array in (left, right)]
    return (ranks[0] > ranks[1]) - (ranks[0] < ranks[1])


def _rank(member: Any) -> tuple[int, Any]:
    if member is None:
        return 2, 0
    if isinstance(member, float) and math.isnan(member):
        return 1, 0
    return 0, member.encode() if isinstance(member, str) else member
