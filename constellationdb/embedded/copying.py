"""COPY: rows as the text it reads, results as the text it sends, and the errors of its misuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

import pyarrow as pa

from constellationdb.catalog.text import PLAIN
from constellationdb.catalog.types import of_field
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.syntax.edits import identifier
from constellationdb.wire.answer import Encoders
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import CopyWriter, unframed
from constellationdb.wire.rows import bare_lines

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*\.[a-z_][a-z0-9_$]*")
_CHUNK_ROWS = 8_192
_CHUNK_BYTES = 1 << 16

CopyData = str | bytes | IO[str] | IO[bytes] | Iterable[str] | Iterable[bytes]


def copy_statement(name: str, rows: pa.RecordBatch) -> str:
    columns = ", ".join('"' + column.replace('"', '""') + '"' for column in rows.schema.names)
    return f"COPY {quoted(name)} ({columns}) FROM STDIN"


def copy_text(rows: pa.RecordBatch) -> Iterator[bytes]:
    """Whole lines, many at a time."""
    options = CopyOptions()
    writer = CopyWriter(rows.schema.names, options)
    encoders = [column_encoder(field.type, of_field(field), 0) for field in rows.schema]
    for start in range(0, rows.num_rows, _CHUNK_ROWS):
        cells = writer.cells(rows.slice(start, _CHUNK_ROWS), encoders)
        yield bytes(bare_lines(cells, ord(options.delimiter), options.null.encode()))


def sent(result: Result) -> Iterator[bytes]:
    """What ``COPY … TO STDOUT`` sends: a header if it is asked for, then whole rows as they come."""
    columns: tuple[ResultColumn, ...] = result.columns or ()
    assert result.copy_out is not None
    writer = CopyWriter([column.name for column in columns], result.copy_out)
    encoders = Encoders(columns, (int(result.copy_out.binary),) * len(columns), PLAIN)
    yield unframed(writer.header())
    for batch in result.batches:
        yield unframed(writer.rows(batch, encoders.of(batch)))
    yield unframed(writer.end())


def chunks(data: CopyData) -> Iterator[bytes]:
    """A text, bytes, an open file, or an iterable of either, as bytes in pieces of a decent size."""
    for piece in _pieces(data):
        if not isinstance(piece, str | bytes):
            raise InvalidParameter("COPY takes text or bytes", hint="rows go in with insert(name, rows)")
        yield piece.encode() if isinstance(piece, str) else piece


def _pieces(data: CopyData) -> Iterable[Any]:
    if isinstance(data, str | bytes):
        return [data]
    read = getattr(data, "read", None)
    return data if read is None else iter(lambda: read(_CHUNK_BYTES), read(0))


def quoted(name: str) -> str:
    """A relation's name as SQL; one that needs quotes gets them."""
    return name if _PLAIN_NAME.fullmatch(name) else identifier(name)


def no_stream() -> FeatureNotSupported:
    """COPY inside a statement: there is no stream to copy to or from."""
    return FeatureNotSupported(
        "COPY with STDIN or STDOUT needs a stream",
        hint="use copy_in(sql, data) and copy_out(sql), or insert(name, rows), sql(query) and subscribe(name)",
    )


def not_a_copy(direction: str) -> InvalidParameter:
    return InvalidParameter(f"the statement is not a COPY {direction}")
