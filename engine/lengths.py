"""varchar(n): what is stored in such a column has n characters at most; blanks beyond them are cut off silently."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.model import Relation
from constellationdb.errors import StringTooLong

_LIMITED = re.compile(r"character varying\((\d+)\)")


def fitted(rows: pa.RecordBatch, relation: Relation) -> pa.RecordBatch:
    """``rows`` of ``relation`` as it stores them; 22001 for a text that is too long."""
    for column in relation.columns:
        limited = _LIMITED.fullmatch(column.type_name)
        if limited is not None:
            index = rows.schema.get_field_index(column.name)
            rows = rows.set_column(index, rows.schema.field(index), _fitted(rows.column(index), int(limited[1])))
    return rows


def _fitted(texts: pa.Array, length: int) -> pa.Array:
    if not pc.any(pc.greater(pc.utf8_length(texts), length)).as_py():
        return texts
    rest = pc.utf8_slice_codeunits(texts, length)
    if pc.any(pc.not_equal(pc.utf8_rtrim(rest, characters=" "), "")).as_py():
        raise StringTooLong(f"value too long for type character varying({length})")
    return pc.utf8_slice_codeunits(texts, 0, length)
