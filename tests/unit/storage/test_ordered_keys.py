"""Keys in order: memcmp of their bytes says of two rows what SQL's ORDER BY says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from constellationdb.errors import FeatureNotSupported
from constellationdb.storage.kernels.orderedkeys import FALLING, RISING, Direction, encode

_DIRECTIONS = [Direction(falling, first) for falling in (False, True) for first in (False, True)]


def _whole(bits: int, signed: bool = True) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high) | st.sampled_from([low, high, 0, 1, high // 2])


def _decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    exact = Context(prec=digits)
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda n: Decimal(n).scaleb(-scale, exact))


_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31)
_TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    **{f"int{bits}": (getattr(pa, f"int{bits}")(), _whole(bits)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (getattr(pa, f"uint{bits}")(), _whole(bits, signed=False)) for bits in (8, 32, 64)},
    "double": (pa.float64(), st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324])),
    "real": (pa.float32(), st.floats(width=32)),
    "bool": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(max_size=12) | st.text("\0a\x7f", max_size=10)),
    "bytes": (pa.binary(), st.binary(max_size=12) | st.sampled_from([b"\0", b"\0\xff", b"\xff", b"\0\0"])),
    "large text": (pa.large_string(), st.text("ab", max_size=20)),
    "text view": (pa.string_view(), st.text("ab", max_size=20)),
    "fixed bytes": (pa.binary(4), st.binary(min_size=4, max_size=4)),
    "timestamp": (pa.timestamp("us"), st.datetimes(_FIRST, _LAST)),
    "timestamptz": (pa.timestamp("us", "UTC"), st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))),
    "date": (pa.date32(), st.dates()),
    "time": (pa.time64("us"), st.times()),
    "decimal": (pa.decimal128(38, 10), _decimals(38, 10)),
    "small decimal": (pa.decimal128(5, 2), _decimals(5, 2)),
    "wide decimal": (pa.decimal256(50, 2), _decimals(38, 2)),
}


def _compare(left: Any, right: Any, way: Direction) -> int:
    """Postgres' order: a NULL where the direction says, NaN above every number, texts by their bytes."""
    if left is None or right is None:
        return 0 if left is right else 1 if (left is None) != way.nulls_first else -1
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        found = math.isnan(left) - math.isnan(right)
    elif isinstance(left, str):
        found = (left.encode() > right.encode()) - (left.encode() < right.encode())
    else:
        found = (left > right) - (left < right)
    return -found if way.descending else found


def _check(columns: list[pa.Array], directions: list[Direction]) -> None:
    rows = list(zip(*(column.to_pylist() for column in columns), strict=True))
    keys = encode(columns, directions).to_pylist()

    def compare(a: int, b: int) -> int:
        found = (_compare(x, y, way) for x, y, way in zip(rows[a], rows[b], directions, strict=True))
        return next((c for c in found if c), 0)

    order = sorted(range(len(rows)), key=cmp_to_key(compare))
    for a, b in pairwise(order):
        assert (keys[a] > keys[b]) - (keys[a] < keys[b]) == compare(a, b), (rows[a], rows[b])
    assert not any(b.startswith(a) for a, b in pairwise(sorted(set(keys))))


@pytest.mark.parametrize("name", _TYPES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_type_is_in_order(name: str, data: st.DataObject) -> None:
    kind, values = _TYPES[name]
    column = pa.array(data.draw(st.lists(st.none() | values, max_size=12)), kind)
    _check([column], [data.draw(st.sampled_from(_DIRECTIONS))])


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_several_columns_are_in_order(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(_TYPES.values())), min_size=2, max_size=4))
    few = [data.draw(st.lists(st.none() | values, min_size=1, max_size=2)) for _, values in kinds]
    rows = data.draw(st.lists(st.tuples(*(st.sampled_from(values) for values in few)), max_size=12))
    columns = [pa.array([row[i] for row in rows], kind) for i, (kind, _) in enumerate(kinds)]
    _check(columns, [data.draw(st.sampled_from(_DIRECTIONS)) for _ in kinds])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.binary(max_size=3), max_size=9), st.integers(0, 9))
@example([b"", None, b"\0"], 1)
def test_a_slice_has_the_keys_of_its_rows(values: list[bytes | None], start: int) -> None:
    whole = pa.array(values, pa.binary())
    assert encode([whole.slice(start)]).to_pylist() == encode([whole]).to_pylist()[start:]


def test_keys_of_leading_columns_begin_those_of_more() -> None:
    first, second = pa.array(["a", "a\0", None, ""]), pa.array([1, None, 2, 3])
    for few, more in zip(encode([first]).to_pylist(), encode([first, second]).to_pylist(), strict=True):
        assert more.startswith(few)


def test_the_bytes_are_these_for_ever() -> None:
    """They are stored: to change them is to change the format of state."""
    shown = {(name, way): keys for name, way, keys in _golden()}
    assert shown == {
        ("int", RISING): ["007fffffffffffffff", "008000000000000001", "010000000000000000"],
        ("int", FALLING): ["018000000000000000", "017ffffffffffffffe", "000000000000000000"],
        ("double", RISING): ["004007ffffffffffff", "008000000000000000", "00fff8000000000000"],
        ("text", RISING): ["00610000", "0000ff620000", "01"],
        ("text", FALLING): ["019effff", "01ff009dffff", "00"],
        ("decimal", RISING): ["007fffffffffffffffffffffffffffff6a", "008000000000000000000000000000007d"],
        ("date", RISING): ["008000000000004d19"],
    }


def _golden() -> Iterator[tuple[str, Direction, list[str]]]:
    columns = {
        "int": pa.array([-1, 1, None], pa.int32()),
        "double": pa.array([-1.5, -0.0, math.nan]),
        "text": pa.array(["a", "\0b", None]),
        "decimal": pa.array([Decimal("-1.50"), Decimal("1.25")]),
        "date": pa.array([date(2024, 1, 15)]),
    }
    for name, way in (*((n, RISING) for n in columns), ("int", FALLING), ("text", FALLING)):
        yield name, way, [key.hex() for key in encode([columns[name]], [way]).to_pylist()]


def test_what_has_no_order_is_refused() -> None:
    with pytest.raises(FeatureNotSupported, match="cannot be a key"):
        encode([pa.array([[1]])])
    with pytest.raises(FeatureNotSupported, match="38 digits"):
        encode([pa.array([Decimal(10) ** 45], pa.decimal256(50, 0))])
    with pytest.raises(ValueError, match="at least one column"):
        encode([])
    assert encode([pa.array([time(1)])]).to_pylist() == [bytes.fromhex("0080000000d693a400")]
