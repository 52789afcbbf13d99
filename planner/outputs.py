"""The columns of a result: the SQL types that the analysis knows, on the Arrow types that DataFusion gives."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.types import field_of, storage_type
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.queries import Columns


def output_schema(names: Sequence[str], types: Sequence[pa.DataType], columns: Columns) -> pa.Schema:
    known = [column.kind for column in columns or ()]
    known += [None] * (len(names) - len(known))
    return pa.schema([_field(*column) for column in zip(names, types, known, strict=False)])


def _field(name: str, arrow: pa.DataType, kind: kinds.Kind) -> pa.Field:
    stored, known = storage_type(arrow), kinds.sql_type(kind)
    if known is not None and pa.types.is_null(arrow):
        return field_of(name, known)
    if known is None or not _carries(stored, known.arrow):
        return pa.field(name, stored)
    return field_of(name, known)


def _carries(stored: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column of one type may be told to be of the other; DataFusion makes bigints of integers."""
    if pa.types.is_list(stored) and pa.types.is_list(wanted):
        return _carries(stored.value_type, wanted.value_type)
    return bool(stored == wanted or (pa.types.is_integer(stored) and pa.types.is_integer(wanted)))
