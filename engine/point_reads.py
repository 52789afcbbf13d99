"""Reading one row by its key, without a plan: an index probe in the relation's published contents.

It answers exactly what the planned query would, or says that it cannot: then the
query is planned. So nothing here raises for what a client wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog import types
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows, WordRows
from constellationdb.engine.point_index import PointIndex
from constellationdb.engine.relation import RelationState
from constellationdb.engine.rowstore import empty
from constellationdb.engine.tables import TableState
from constellationdb.planner.point import PointQuery
from constellationdb.planner.statements import Parameter

Parameters = Sequence[str | None]

_INTEGERS = {types.SMALLINT.oid: np.int16, types.INTEGER.oid: np.int32, types.BIGINT.oid: np.int64}
_TEXTS = frozenset({types.TEXT.oid, types.VARCHAR.oid})
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)  # Python's int() reads more than Postgres does
_UNKNOWN = frozenset({0, 705})


@dataclass(frozen=True)
class _KeyColumn:
    """``value``: the constant, or which parameter it is, counted from 0."""

    field: pa.Field
    number: Any  # numpy's type of an integer column, None for text
    value: int | str | None
    parameter: int | None

    def array(self, parameters: Parameters) -> pa.Array:
        """The value as a column of one row; ValueError when it is none of the column's type, or NULL."""
        if self.number is not None:
            return pa.array(self.integer(parameters))  # five times as fast as from a list
        value = self._said(parameters)
        return pa.array([value], self.field.type)

    def integer(self, parameters: Parameters) -> NDArray[Any]:
        value = self._said(parameters)
        if isinstance(value, str) and not _INTEGER.fullmatch(value):
            raise ValueError
        return np.array([int(value)], self.number)

    def _said(self, parameters: Parameters) -> int | str:
        value = self.value if self.parameter is None else parameters[self.parameter]
        if value is None:
            raise ValueError
        return value


class PointRead:
    """``schema`` is that of the rows it gives."""

    def __init__(self, state: RelationState, query: PointQuery, key: tuple[_KeyColumn, ...], index: PointIndex) -> None:
        self.state = state
        self._index = index
        self._columns = list(query.columns)
        self._whole = self._columns == list(range(len(state.schema)))
        self._key = key
        self._key_schema = pa.schema([column.field for column in key])
        fields = [state.schema.field(i).with_name(n) for i, n in zip(query.columns, query.names, strict=True)]
        self.schema = pa.schema(fields)

    def rows(self, parameters: Parameters, epoch: int) -> pa.RecordBatch | None:
        """The rows at ``epoch``; None when that has to be planned."""
        try:
            keys = self._keys(parameters)
        except (ValueError, OverflowError):  # no value of the column's type: the planner says why
            return None
        found = self._index.find_encoded(keys, epoch)
        if found is None:
            return None
        rows = found[1]
        if not self._whole:
            rows = rows.select(self._columns) if rows.num_rows else empty(self.schema)
        return rows

    def _keys(self, parameters: Parameters) -> Rows:
        if len(self._key) == 1 and self._key[0].number is not None:  # what ``encode_rows`` makes of one integer
            return WordRows(self._key[0].integer(parameters).astype(np.int64, copy=False))
        columns = [column.array(parameters) for column in self._key]
        return encode_rows(pa.RecordBatch.from_arrays(columns, schema=self._key_schema), range(len(columns)))


def point_read(state: RelationState, query: PointQuery, parameter_oids: Sequence[int] = ()) -> PointRead | None:
    """How to read it, if the columns compared are the key of what is stored, and their values of its types."""
    equals = sorted(query.equals, key=lambda equal: equal[0])
    places = tuple(place for place, _ in equals)
    if places != tuple(sorted(_key_of(state))) or not places:
        return None
    columns = [_key_column(state.schema.field(place), value, parameter_oids) for place, value in equals]
    known = tuple(column for column in columns if column is not None)
    index = state.point_index(places)
    if len(known) < len(columns) or index is None:
        return None
    return PointRead(state, query, known, index)


def _key_of(state: RelationState) -> tuple[int, ...]:
    """The columns in which no two rows agree; none where none are known."""
    if isinstance(state, TableState):
        return state.key_columns
    return (isinstance(state.contents, Arrangement) and state.contents.unique) or ()


def _key_column(field: pa.Field, value: Parameter | int | str, oids: Sequence[int]) -> _KeyColumn | None:
    kind = types.of_field(field)
    number = _INTEGERS.get(kind.oid)
    family = set(_INTEGERS) if number is not None else _TEXTS if kind.oid in _TEXTS else frozenset()
    if isinstance(value, Parameter):
        place = value.number - 1
        fits = place < len(oids) and (oids[place] in family or (oids[place] in _UNKNOWN and bool(family)))
        return _KeyColumn(field, number, None, place) if fits else None
    fits = bool(family) and isinstance(value, int) == (number is not None)
    return _KeyColumn(field, number, value, None) if fits else None
