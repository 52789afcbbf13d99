"""A prepared INSERT of one row: its parameters become a row without another look at the statement.

    INSERT INTO t (a, b) VALUES ($1, $2)        a: parameter 1, b: parameter 2, the others NULL

Rows that arrive together are built together, column by column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.model import ColumnDefinition
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.engine.lengths import fitted
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableState
from constellationdb.planner import statements as st
from constellationdb.planner.input_texts import parse_texts
from constellationdb.planner.literals import to_array

Parameters: TypeAlias = Sequence[str | None]
_Column: TypeAlias = Callable[[Sequence[Parameters]], pa.Array]

_INTEGERS = frozenset({types.SMALLINT.oid, types.INTEGER.oid, types.BIGINT.oid})
_NUMBERS = _INTEGERS | {types.REAL.oid, types.DOUBLE.oid, 1700}
_TEXTS = frozenset({types.TEXT.oid, types.VARCHAR.oid})
# What a parameter may be declared as, beside the column's own type, when its text is read as the column's.
_READ_AS = {
    **dict.fromkeys(_INTEGERS, _INTEGERS),
    **dict.fromkeys(_NUMBERS - _INTEGERS, _INTEGERS),
    **dict.fromkeys(_TEXTS, _TEXTS),
}
_PLAIN = _NUMBERS | _TEXTS | {
    t.oid for t in (types.BOOLEAN, types.BYTEA, types.DATE, types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ)
}  # fmt: skip
_UNKNOWN = frozenset({0, 705})


class RowInsert:
    """``batch`` makes rows of the relation's own columns; what a client got wrong raises ConstellationError."""

    def __init__(self, state: TableState | SourceState, columns: Sequence[_Column]) -> None:
        self.state = state
        self._columns = columns

    def batch(self, rows: Sequence[Parameters]) -> pa.RecordBatch:
        arrays = [column(rows) for column in self._columns]
        return fitted(pa.RecordBatch.from_arrays(arrays, schema=self.state.schema), self.state.relation)


def row_insert(
    state: TableState | SourceState, statement: st.Insert, oids: Sequence[int], zone: Zone = UTC_ZONE
) -> RowInsert | None:
    """How to insert, if the statement is nothing but one row of constants and parameters of fitting types."""
    if statement.rows is None or len(statement.rows) != 1 or statement.on_conflict or statement.returning is not None:
        return None
    if statement.overriding:
        return None
    schema, row = state.schema, statement.rows[0]
    listed = [schema.get_field_index(name) for name in statement.columns] or list(range(len(schema)))
    if len(row) > len(listed) or (statement.columns and len(row) < len(listed)) or len(set(listed)) < len(listed):
        return None
    if min(listed) < 0:
        return None
    given = dict(zip(listed, row, strict=False))
    names = {schema.field(index).name for index in given}
    if any(_computes(column, column.name in names) for column in state.relation.columns):
        return None
    columns = [_column(field, given.get(index), oids, zone) for index, field in enumerate(schema)]
    known = [column for column in columns if column is not None]
    return RowInsert(state, known) if len(known) == len(columns) else None


def _computes(column: ColumnDefinition, given: bool) -> bool:
    """Whether the column's value is more than what the statement says."""
    if column.generated is not None or (given and column.identity == "a"):
        return True
    return not given and bool(column.default is not None or column.sequence)


def _column(field: pa.Field, value: object, oids: Sequence[int], zone: Zone) -> _Column | None:
    match value:
        case st.Default():
            return None
        case st.Parameter(number):
            return _parameter(field, number - 1, oids, zone)
        case None:
            return lambda rows: pa.nulls(len(rows), field.type)
        case _ if field.metadata:  # an uuid, JSON, a name: what is stored of it is not what is written
            return None
        case _:
            return lambda rows: to_array([value] * len(rows), field, zone)


def _parameter(field: pa.Field, place: int, oids: Sequence[int], zone: Zone) -> _Column | None:
    kind = types.of_field(field).oid
    if kind not in _PLAIN or place >= len(oids):
        return None
    if oids[place] not in {kind, *_UNKNOWN, *_READ_AS.get(kind, ())}:
        return None
    return lambda rows: parse_texts([row[place] for row in rows], field.type, zone)
