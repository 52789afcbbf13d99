"""The oracle's random tables as definitions and literals that both sides read."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pyarrow as pa

from tests.properties.oracle.tables import Column, Row, Table, draw_tables

IDS = 12  # so few that keys collide

_TYPES = {
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", "UTC"): "timestamptz",
    pa.time64("us"): "time",
    pa.binary(): "bytea",
}


# Columns that no INSERT gives a value of, and what they hold of themselves.
_OWN = {
    "twice": (pa.int64(), "GENERATED ALWAYS AS (CAST(b AS bigint) * 2) STORED"),
    "note": (pa.string(), "DEFAULT 'new'"),
}
_CONSTRAINTS = ("CHECK (b < 9)", "CHECK (b + c < 11)", "CHECK (b IS NOT NULL)")


@dataclass(frozen=True)
class Stored:
    """``table``: the columns that INSERT gives values of; ``own`` follow them. ``key``: the primary key."""

    table: Table
    key: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    constraint: str = ""

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def columns(self) -> list[tuple[str, pa.DataType]]:
        return [*((c.name, c.type) for c in self.table.columns), *((name, _OWN[name][0]) for name in self.own)]

    def definition(self) -> str:
        columns = [f"{c.name} {type_name(c.type)}" for c in self.table.columns]
        columns += [f"{name} {type_name(_OWN[name][0])} {_OWN[name][1]}" for name in self.own]
        columns += [f"PRIMARY KEY ({', '.join(self.key)})"] if self.key else []
        columns += [self.constraint] if self.constraint else []
        return f"CREATE TABLE {self.name} ({', '.join(columns)}) WITH (retain_history = '1 hour')"

    def with_column(self, column: Column) -> Stored:
        """Once a column was added; it stands behind the others, so only tables without ``own`` give values of it."""
        assert not self.own
        return replace(self, table=Table(self.name, (*self.table.columns, column)))

    def values(self, row: Row) -> str:
        return f"({', '.join(literal(v, c.type) for v, c in zip(row, self.table.columns, strict=True))})"


def draw_stored(random: Random) -> dict[str, Stored]:
    """t, u, v, and r, whose rows are versions of ``c`` from ``ts`` on. Columns are added to t only."""
    tables = draw_tables(random)
    stored = {name: _stored(random, table, grows=name == "t") for name, table in tables.items()}
    shown = tuple(column for column in tables["t"].columns if column.name in ("c", "ts", "b", "s", "x"))
    return {**stored, "r": Stored(Table("r", shown), ("c", "ts"))}


def _stored(random: Random, table: Table, *, grows: bool) -> Stored:
    own = () if grows or random.random() < 0.5 else tuple(_OWN)
    constraint = random.choice(_CONSTRAINTS) if random.random() < 0.25 else ""
    if random.random() >= 0.6:
        return Stored(table, (), own, constraint)
    columns = list(table.columns)
    columns.insert(random.randrange(len(columns)), Column("id", pa.int32(), lambda drawn: drawn.randrange(IDS)))
    return Stored(Table(table.name, tuple(columns)), ("id",), own, constraint)


def type_name(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    return _TYPES[kind]


def literal(value: Any, kind: pa.DataType) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case float():
            return f"'{_float(value)}'::{type_name(kind)}"
        case bytes():
            return f"'\\x{value.hex()}'::bytea"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime.datetime() | datetime.date() | datetime.time():
            return f"'{value}'::{type_name(kind)}"
        case _:
            return str(value)


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return repr(value)
