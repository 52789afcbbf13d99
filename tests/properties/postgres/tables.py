"""The oracle's random tables as definitions and literals that both sides read."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
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
    pa.time64("us"): "time",
    pa.binary(): "bytea",
}


@dataclass(frozen=True)
class Stored:
    """A table; ``keyed`` has the column ``id`` as its primary key."""

    table: Table
    keyed: bool

    @property
    def name(self) -> str:
        return self.table.name

    def definition(self) -> str:
        columns = [f"{c.name} {type_name(c.type)}" for c in self.table.columns]
        return f"CREATE TABLE {self.name} ({', '.join(columns)}{', PRIMARY KEY (id)' if self.keyed else ''})"

    def values(self, row: Row) -> str:
        return f"({', '.join(literal(v, c.type) for v, c in zip(row, self.table.columns, strict=True))})"


def draw_stored(random: Random) -> dict[str, Stored]:
    return {name: _stored(random, table) for name, table in draw_tables(random).items()}


def _stored(random: Random, table: Table) -> Stored:
    keyed = random.random() < 0.6
    if not keyed:
        return Stored(table, keyed=False)
    columns = list(table.columns)
    columns.insert(random.randrange(len(columns)), Column("id", pa.int32(), lambda drawn: drawn.randrange(IDS)))
    return Stored(Table(table.name, tuple(columns)), keyed=True)


def tables_of(stored: Mapping[str, Stored]) -> dict[str, Table]:
    return {name: s.table for name, s in stored.items()}


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
