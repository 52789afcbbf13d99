"""Rows as the text of COPY … FROM STDIN, and the statement that takes them."""

from __future__ import annotations

import re

import pyarrow as pa

from constellationdb.catalog.types import of_field
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.errors import FeatureNotSupported
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import CopyWriter
from constellationdb.wire.rows import bare_lines

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)*")


def copy_statement(name: str, rows: pa.RecordBatch) -> str:
    columns = ", ".join('"' + column.replace('"', '""') + '"' for column in rows.schema.names)
    return f"COPY {quoted(name)} ({columns}) FROM STDIN"


def copy_text(rows: pa.RecordBatch) -> bytes:
    """One line a row."""
    options = CopyOptions()
    encoders = [column_encoder(field.type, of_field(field), 0) for field in rows.schema]
    cells = CopyWriter(rows.schema.names, options).cells(rows, encoders)
    return bytes(bare_lines(cells, ord(options.delimiter), options.null.encode()))


def quoted(name: str) -> str:
    """A relation's name as SQL; one that needs quotes gets them."""
    return name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def no_copy() -> FeatureNotSupported:
    """COPY inside a statement: there is no stream to copy to or from."""
    return FeatureNotSupported(
        "COPY with STDIN or STDOUT needs a client with a stream",
        hint="use insert(name, rows), sql(query) or subscribe(name)",
    )
