"""Reading rows by a key or an index, without a plan: an index probe in the relation's published contents.

It answers exactly what the planned query would, or says that it cannot: then the
query is planned. So nothing here raises for what a client wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.model import Relation
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows
from constellationdb.engine.point_index import Place, PointIndex
from constellationdb.engine.relation import RelationState
from constellationdb.engine.rowstore import empty
from constellationdb.engine.tables import TableState
from constellationdb.planner.point import PointQuery
from constellationdb.planner.statements import Parameter

Parameters = Sequence[str | None]

_INTEGERS = {
    types.SMALLINT.oid: range(-(1 << 15), 1 << 15),
    types.INTEGER.oid: range(-(1 << 31), 1 << 31),
    types.BIGINT.oid: range(-(1 << 63), 1 << 63),
}
_TEXTS = frozenset({types.TEXT.oid, types.VARCHAR.oid})
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)  # Python's int() reads more than Postgres does
_UNKNOWN = frozenset({0, 705})


@dataclass(frozen=True)
class _KeyColumn:
    """``value``: the constant, or which parameter it is, counted from 0."""

    field: pa.Field
    range: range | None  # of an integer column
    value: int | str | None
    parameter: int | None

    def array(self, parameters: Parameters) -> pa.Array:
        """The value as a column of one row; ValueError when it is none of the column's type, or NULL."""
        value = self._said(parameters) if self.range is None else self.integer(parameters)
        return pa.array([value], self.field.type)

    def integer(self, parameters: Parameters) -> int:
        value = self._said(parameters)
        if isinstance(value, str) and not _INTEGER.fullmatch(value):
            raise ValueError
        number = int(value)
        if self.range is None or number not in self.range:
            raise ValueError
        return number

    def _said(self, parameters: Parameters) -> int | str:
        value = self.value if self.parameter is None else parameters[self.parameter]
        if value is None:
            raise ValueError
        return value


class PointRead:
    """``schema`` is that of the rows it gives, ``columns`` which of the relation's they are."""

    def __init__(
        self, state: RelationState, query: PointQuery, key: tuple[_KeyColumn, ...], index: PointIndex, *, unique: bool
    ) -> None:
        self.state = state
        self._index = index
        self._unique = unique
        self.columns = tuple(query.columns)
        self._key = key
        self._key_schema = pa.schema([column.field for column in key])
        fields = [state.schema.field(i).with_name(n) for i, n in zip(query.columns, query.names, strict=True)]
        self.schema = pa.schema(fields)

    def locate(self, parameters: Parameters, epoch: int) -> tuple[Place, ...] | None:
        """Where its rows are at ``epoch``; None when that has to be planned."""
        try:
            key = self._encoded_key(parameters)
        except ValueError:  # no value of the column's type: the planner says why
            return None
        return self._index.locate(key, epoch) if self._unique else self._index.locate_all(key, epoch)

    def rows(self, places: tuple[Place, ...]) -> pa.RecordBatch:
        """What is there."""
        if not places:
            return empty(self.schema)
        rows = [
            pa.RecordBatch.from_arrays([batch.column(i).slice(row, 1) for i in self.columns], schema=self.schema)
            for batch, row in places
        ]
        return rows[0] if len(rows) == 1 else pa.concat_batches(rows)

    def _encoded_key(self, parameters: Parameters) -> int | Rows:
        if len(self._key) == 1 and self._key[0].range is not None:
            return self._key[0].integer(parameters)
        columns = [column.array(parameters) for column in self._key]
        return encode_rows(pa.RecordBatch.from_arrays(columns, schema=self._key_schema), range(len(columns)))


def point_read(
    state: RelationState, query: PointQuery, relation: Relation, parameter_oids: Sequence[int] = ()
) -> PointRead | None:
    """How to read it, if the columns compared are a key or an index of it, and their values of its types."""
    equals = sorted(query.equals, key=lambda equal: equal[0])
    places = tuple(place for place, _ in equals)
    unique = places == tuple(sorted(_key_of(state)))
    if not places or not (unique or _has_index(relation, places)):
        return None
    columns = [_key_column(state.schema.field(place), value, parameter_oids) for place, value in equals]
    known = tuple(column for column in columns if column is not None)
    index = state.point_index(places)
    if len(known) < len(columns) or index is None:
        return None
    return PointRead(state, query, known, index, unique=unique)


def _key_of(state: RelationState) -> tuple[int, ...]:
    """The columns in which no two rows agree; none where none are known."""
    if isinstance(state, TableState):
        return state.key_columns
    return (isinstance(state.contents, Arrangement) and state.contents.unique) or ()


def _has_index(relation: Relation, places: tuple[int, ...]) -> bool:
    return index_of(relation, places) is not None


def index_of(relation: Relation, places: tuple[int, ...]) -> str | None:
    """The name of an index of these columns, in whatever order."""
    key = [(relation.primary_key_name, relation.primary_key)] if relation.primary_key else []
    known = [*key, *((unique.name, unique.columns) for unique in relation.uniques)]
    known += [(index.name, index.columns) for index in relation.indexes]
    columns = sorted(relation.schema.names[place] for place in places)
    return next((name for name, of in known if sorted(of) == columns), None)


def _key_column(field: pa.Field, value: Parameter | int | str, oids: Sequence[int]) -> _KeyColumn | None:
    kind = types.of_field(field)
    numbers = _INTEGERS.get(kind.oid)
    family = set(_INTEGERS) if numbers is not None else _TEXTS if kind.oid in _TEXTS else frozenset()
    if isinstance(value, Parameter):
        place = value.number - 1
        fits = place < len(oids) and (oids[place] in family or (oids[place] in _UNKNOWN and bool(family)))
        return _KeyColumn(field, numbers, None, place) if fits else None
    fits = bool(family) and isinstance(value, int) == (numbers is not None)
    return _KeyColumn(field, numbers, value, None) if fits else None
