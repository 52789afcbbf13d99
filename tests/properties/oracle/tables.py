"""Random schemas and rows: every table has the same columns by name, in random order and of random types."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

import pyarrow as pa

Row: TypeAlias = tuple[Any, ...]
Pool: TypeAlias = list[Any]

BIGGEST, LEAST = 2**63 - 1, -(2**63)
BASE = datetime.datetime(2024, 2, 29, 23, 59, 0)  # windows cross a day and a month
NAN, INF = float("nan"), float("inf")

# Twelve keys of each kind, so that several workers all get some.
_KEYS: dict[str, tuple[pa.DataType, Pool]] = {
    "bigint": (pa.int64(), [0, 1, 2, 3, 4, 5, 6, 7, -1, -8, BIGGEST, LEAST]),
    "integer": (pa.int32(), [0, 1, 2, 3, 4, 5, 6, 7, -1, -8, 2**31 - 1, -(2**31)]),
    "smallint": (pa.int16(), [0, 1, 2, 3, 4, 5, 6, 7, -1, -8, 2**15 - 1, -(2**15)]),
    "text": (pa.string(), ["", "a", "A", "aa", "ab", "b", " a", "ü", "'", "a\\b", "0", "z" * 40]),
    "double": (pa.float64(), [0.0, -0.0, NAN, 0.1, 1e16, 1.0, 2.0, 3.0, -1.0, INF, -INF, 5e-324]),
    "numeric2": (pa.decimal128(12, 2), [Decimal(n) / 4 for n in range(-4, 8)]),
    "numeric4": (pa.decimal128(20, 4), [Decimal(n) / 4 for n in range(-3, 9)]),
    "date": (pa.date32(), [BASE.date() + datetime.timedelta(days=n) for n in range(-6, 6)]),
    "timestamp": (pa.timestamp("us"), [BASE + datetime.timedelta(microseconds=n) for n in range(-6, 6)]),
}
# The key's kinds in t and u; unequal ones meet in a common type.
KEY_PAIRS = (
    ("bigint", "bigint"),
    ("text", "text"),
    ("double", "double"),
    ("numeric2", "numeric4"),
    ("bigint", "integer"),
    ("integer", "smallint"),
    ("numeric4", "bigint"),
    ("date", "date"),
    ("timestamp", "timestamp"),
)
_WILD: Pool = [0.0, -0.0, NAN, 0.1, 0.2, 0.3, 1e16, -1e16, 1.0, 1e-300, 5e-324, 1e100, -1e100, 3.5]
_TEXTS: Pool = ["", "a", "b", "x", "7", "ab", "A", "ü", " a "]
# About midnights and changes of clocks in several time zones.
_INSTANTS: Pool = [
    datetime.datetime(2024, month, day, hour, minute, tzinfo=datetime.UTC)
    for month, day, hour, minute in ((2, 29, 23, 59), (3, 1, 0, 0), (3, 10, 6, 59), (3, 10, 7, 0), (3, 31, 0, 59),
                                     (3, 31, 1, 0), (6, 30, 22, 0), (12, 31, 18, 30))
]  # fmt: skip
_OTHERS: tuple[tuple[pa.DataType, Pool], ...] = (
    (pa.float32(), [0.0, -0.0, NAN, 0.5, -1.5, 2.0**100]),
    (pa.time64("us"), [datetime.time(), datetime.time(12), datetime.time(23, 59, 59, 999_999)]),
    (pa.binary(), [b"", b"\x00", b"a", b"\xff" * 20]),
    (pa.int64(), [0, 1, BIGGEST]),
    (pa.string(), ["", "b", "ä"]),
)
_INTEGERS = {"bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16()}


@dataclass(frozen=True)
class Column:
    name: str
    type: pa.DataType
    draw: Callable[[Random], Any]


@dataclass(frozen=True)
class Table:
    """``k`` a key, ``b`` and ``c`` small integers, ``big`` extreme ones, ``f`` wild and ``g`` tame doubles,
    ``d`` numeric, ``s`` text, ``x`` boolean, ``dt`` date, ``ts`` timestamp, ``tz`` with time
    zone; ``z0`` and ``z1`` others."""

    name: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type) for c in self.columns])

    @property
    def places(self) -> dict[str, int]:
        return {column.name: place for place, column in enumerate(self.columns)}

    def draw(self, random: Random, now: datetime.datetime) -> Row:
        """A row whose ``ts`` lies about ``now``."""
        return tuple(_about(random, now) if c.name == "ts" else c.draw(random) for c in self.columns)

    def column(self, name: str) -> int:
        index: int = self.schema.get_field_index(name)
        return index

    def batch(self, rows: list[Row]) -> pa.RecordBatch:
        arrays = [pa.array([row[i] for row in rows], c.type) for i, c in enumerate(self.columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def draw_tables(random: Random) -> dict[str, Table]:
    """t, u and v; v is like t."""
    left, right = random.choice(KEY_PAIRS)
    small, scale = random.choice(list(_INTEGERS)), random.choice((0, 2, 5))
    return {
        "t": _table(random, "t", left, small, scale),
        "u": _table(random, "u", right, small, random.choice((scale, scale + 1))),
        "v": _table(random, "v", left, small, scale),
    }


def _table(random: Random, name: str, key: str, small: str, scale: int) -> Table:
    unit = Decimal(1).scaleb(-scale)
    decimals = [Decimal(n) for n in (0, 1, -1, 2, 3, 150, 10**15 + 1, -(10**15))] + [n * unit for n in (3, 7, -11, 999)]
    columns = [
        _pooled("k", *_KEYS[key], 0.1),
        _pooled("b", _INTEGERS[small], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0.1),
        _pooled("c", _INTEGERS[small], [0, 1, 2, 3], 0.15),
        _pooled("big", pa.int64(), [BIGGEST, LEAST, BIGGEST - 1, 0, 1, -1, 2**53 + 1, 2**62], 0.1),
        _pooled("f", pa.float64(), _WILD, 0.1),
        _pooled("g", pa.float64(), [n / 4 for n in range(-8, 24)], 0.15),
        _pooled("d", pa.decimal128(22, scale), decimals, 0.15),
        _pooled("s", pa.string(), _TEXTS, 0.15),
        _pooled("x", pa.bool_(), [True, False], 0.2),
        _pooled("dt", pa.date32(), [BASE.date() + datetime.timedelta(days=n) for n in range(-2, 3)], 0.2),
        _pooled("ts", pa.timestamp("us"), [BASE], 0.0),
        _pooled("tz", pa.timestamp("us", "UTC"), _INSTANTS, 0.15),
        *[_pooled(f"z{i}", *random.choice(_OTHERS), 0.2) for i in range(random.randint(0, 2))],
    ]
    random.shuffle(columns)
    return Table(name, tuple(columns))


def _pooled(name: str, kind: pa.DataType, pool: Pool, nulls: float) -> Column:
    def draw(random: Random) -> Any:
        return None if random.random() < nulls else random.choice(pool)

    return Column(name, kind, draw)


def _about(random: Random, now: datetime.datetime) -> datetime.datetime | None:
    """A time near ``now``: often on a window's very edge, sometimes long ago, rarely unknown."""
    draw = random.random()
    if draw < 0.05:
        return None
    seconds = random.randint(-60, -15) if draw < 0.25 else random.randint(-12, 3)
    micros = random.choice((0, 0, 1, 999_999, 500_000))
    return (now + datetime.timedelta(seconds=seconds)).replace(microsecond=micros)
