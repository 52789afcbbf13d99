"""A stream's key as the type of the table's: equal to a value of that type, or to none."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.operators.key_types import fitted

D = Decimal
WIDE = pa.decimal128(38, 0)
CENTS = pa.decimal128(38, 2)
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "wide", "kind", "expected"),
    [
        ([1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 + 1], pa.int64(), pa.int32(), [0, 1, 3]),
        ([D(1), D(2**63 - 1), D(2**63), D(-(2**63)), D(2**64 + 1)], WIDE, pa.int64(), [0, 1, 3]),
        ([D("1.00"), D("1.50"), D("-7.00"), D("4294967297.00")], CENTS, pa.int32(), [0, 2]),
        ([D("1.50"), D("1.55"), D("99999.90"), D("100000.00"), D(f"1e{35}")], CENTS, pa.decimal128(6, 1), [0, 2]),
        ([D(10**37), D(3)], WIDE, pa.decimal128(10, 0), [1]),
        ([D(10**37 + 1), D(3)], WIDE, pa.decimal128(38, 0), [0, 1]),
        ([1.0, 1.5, -0.0, 2.0**31, 1e300, NAN, INF], pa.float64(), pa.int32(), [0, 2]),
        ([0.5, 0.1, 1e300, NAN, -INF], pa.float64(), pa.float32(), [0, 3, 4]),
        ([datetime(2024, 2, 29), datetime(2024, 2, 29, 1)], pa.timestamp("us"), pa.date32(), [0]),
    ],
)
def test_only_what_is_exactly_so_is_a_key(
    values: list[Any], wide: pa.DataType, kind: pa.DataType, expected: list[int]
) -> None:
    column, exact = fitted(pa.array([*values, None], wide), kind)
    assert column.type == kind
    kept = range(len(values)) if exact is None else np.flatnonzero(exact[:-1]).tolist()
    assert list(kept) == expected
    for place in expected:
        found = column[place].as_py()
        want = values[place].date() if isinstance(found, date) else values[place]
        assert found == want or (math.isnan(found) and math.isnan(want))
    assert exact is None or exact[-1]  # a NULL is none that does not fit: it finds nothing by itself
    assert not column[len(values)].is_valid


def test_the_same_type_is_left_alone() -> None:
    column = pa.array([1, 2])
    assert fitted(column, pa.int64()) == (column, None)
    texts, exact = fitted(pa.array(["a"], pa.string_view()), pa.string())
    assert (texts.type, texts.to_pylist(), exact) == (pa.string(), ["a"], None)
