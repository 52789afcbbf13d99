"""Keys in order: their bytes, and their words, say of two rows what ORDER BY says."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cmp_to_key
from itertools import pairwise
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.engine.kernels.orderkeys import order_keys
from constellationdb.planner.plan import Order

_COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int": (pa.int64(), [-(2**63), -1, 0, 1, 255, 256, 2**63 - 1]),
    "small": (pa.int16(), [-3, 0, 7]),
    "double": (pa.float64(), [-math.inf, -1.5, 0.0, 1e-300, 2.0, math.inf, math.nan]),
    "decimal": (pa.decimal128(38, 2), [Decimal(v) / 100 for v in (-(10**37), -(2**63), -1, 0, 1, 2**63, 10**37)]),
    "text": (pa.string(), ["", "\x00", "\x00a", "a", "a\x00", "a\x00b", "ab", "abcdefgh", "abcdefghi", "é"]),
    "bool": (pa.bool_(), [False, True]),
    "moment": (pa.timestamp("us"), [-5, 0, 10**15]),
}


def _compare(left: Any, right: Any, order: Order) -> int:
    if left is None or right is None:
        return 0 if left is right else (1 if (left is None) != order.nulls_first else -1)
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        found = math.isnan(left) - math.isnan(right)
    elif isinstance(left, str):
        found = (left.encode() > right.encode()) - (left.encode() < right.encode())
    else:
        found = (left > right) - (left < right)
    return -found if order.descending else found


@pytest.mark.parametrize("descending", [False, True], ids=["rising", "falling"])
@pytest.mark.parametrize("nulls_first", [False, True], ids=["nulls-last", "nulls-first"])
@pytest.mark.parametrize("name", list(_COLUMNS))
def test_bytes_are_in_order(name: str, nulls_first: bool, descending: bool) -> None:
    kind, values = _COLUMNS[name]
    first, second = Order(0, descending, nulls_first), Order(1)
    pool = [*values, None]
    shown = [(value, tie) for value in pool for tie in (1, None, 0)]
    Random(1).shuffle(shown)
    rows = pa.record_batch(
        {"v": pa.array([v for v, _ in shown], kind), "t": pa.array([t for _, t in shown], pa.int32())}
    )
    keys = order_keys(rows, (first,), (second,))

    def key(row: int) -> bytes:
        return keys.data[keys.offsets[row] : keys.offsets[row + 1]].tobytes()

    def compare(a: int, b: int) -> int:
        by_value = _compare(shown[a][0], shown[b][0], first)
        return by_value or _compare(shown[a][1], shown[b][1], second)

    expected = sorted(range(len(shown)), key=cmp_to_key(compare))
    assert sorted(range(len(shown)), key=key) == expected
    assert sorted(range(len(shown)), key=lambda row: (int(keys.words[row]), key(row))) == expected
    for a, b in pairwise(expected):
        ties = key(a)[: keys.peers[a]] == key(b)[: keys.peers[b]]
        assert ties == (_compare(shown[a][0], shown[b][0], first) == 0)
