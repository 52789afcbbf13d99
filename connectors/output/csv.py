"""Rows as CSV, in the form of Postgres' COPY … (FORMAT csv)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.types import of_field

_QUOTED = r'[",\r\n]'


def csv_lines(rows: pa.RecordBatch) -> bytes:
    """One line each, without a header."""
    if not rows.num_rows:
        return b""
    columns = [_cells(column, field) for column, field in zip(rows.columns, rows.schema, strict=True)]
    lines = pc.binary_join_element_wise(*columns, ",")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def csv_header(schema: pa.Schema) -> bytes:
    names = pa.RecordBatch.from_arrays([pa.array([name]) for name in schema.names], names=schema.names)
    return csv_lines(names)


def texts(column: pa.Array, field: pa.Field) -> pa.Array:
    """A column's values as Postgres prints them."""
    return text_encoder(field.type, of_field(field))(column).cast(pa.string())


def _cells(column: pa.Array, field: pa.Field) -> pa.Array:
    found = texts(column, field)
    marked = pc.or_(pc.match_substring_regex(found, _QUOTED), pc.equal(found, ""))
    # COPY takes a line with nothing but \. for the end of the data.
    marked = pc.or_(marked, pc.equal(found, "\\."))
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(found, '"', '""'), '"', "")
    return pc.if_else(marked, quoted, found).fill_null("")
