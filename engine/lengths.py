"""What a text must be to be stored in its column: short enough for a varchar(n), an uuid, JSON, a name."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.model import Relation
from constellationdb.catalog.text.reading import read_column
from constellationdb.catalog.types import SqlType, of_field
from constellationdb.errors import StringTooLong
from constellationdb.planner.records import read_values

_LIMITED = re.compile(r"character varying\((\d+)\)")


def fitted(rows: pa.RecordBatch, relation: Relation) -> pa.RecordBatch:
    """``rows`` of ``relation`` as it stores them; 22001 for a text that is too long, 22P02 for no uuid, no JSON.

    Blanks beyond the length of a varchar(n) are cut off silently.
    """
    for index, field in enumerate(relation.schema):
        if field.metadata and rows.schema.field(index).type == field.type:
            rows = rows.set_column(index, field, _stored(rows.column(index), of_field(field)))
    for column in relation.columns:
        limited = _LIMITED.fullmatch(column.type_name)
        if limited is not None:
            index = rows.schema.get_field_index(column.name)
            rows = rows.set_column(index, rows.schema.field(index), _fitted(rows.column(index), int(limited[1])))
    return rows


def _stored(values: pa.Array, kind: SqlType) -> pa.Array:
    if not kind.is_made:
        return read_column(values, kind)
    if kind.element is None:
        return read_values(values.to_pylist(), kind)
    inner = read_values(values.flatten().to_pylist(), kind.element)
    lengths = values.value_lengths().fill_null(0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, inner, mask=values.is_null()).cast(kind.arrow)


def _fitted(texts: pa.Array, length: int) -> pa.Array:
    if not pc.any(pc.greater(pc.utf8_length(texts), length)).as_py():
        return texts
    rest = pc.utf8_slice_codeunits(texts, length)
    if pc.any(pc.not_equal(pc.utf8_rtrim(rest, characters=" "), "")).as_py():
        raise StringTooLong(f"value too long for type character varying({length})")
    return pc.utf8_slice_codeunits(texts, 0, length)
