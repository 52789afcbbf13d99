"""Whole batches framed at once: encoded columns in, the bytes of all their messages in one buffer out.

First the sizes of all cells make the places of the rows, then every column is
copied to its places. So a value is copied once from where it was printed, or
from Arrow's own buffer if it needed no printing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.wire.cells import Cells
from constellationdb.wire.columns import FEW_ROWS, ColumnEncoder
from constellationdb.wire.kernels.framing import add_sizes, open_messages, put_counted, put_ended, total
from constellationdb.wire.single_cells import Cell

Bytes = bytes | memoryview

# Rows encoded at a time: many enough for the vectorised work, few enough to notice a cancel and a slow reader.
CHUNK_ROWS = 8192
# And at most about this many bytes of Arrow data, unless one row alone is larger.
CHUNK_BYTES = 16 << 20

_HEADER, _LENGTH, _COPY_HEADER = struct.Struct(">cih"), struct.Struct(">i"), struct.Struct(">ci")
_NULL = _LENGTH.pack(-1)
_DATA_ROW, _COPY_DATA, _NEWLINE = ord("D"), ord("d"), ord("\n")


def chunk_rows(batch: pa.RecordBatch) -> int:
    """How many rows of ``batch`` to encode at a time."""
    rows, size = int(batch.num_rows), int(batch.nbytes)
    return CHUNK_ROWS if size <= CHUNK_BYTES else max(1, min(CHUNK_ROWS, CHUNK_BYTES * rows // size))


def data_rows(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> Bytes:
    """One DataRow message a row."""
    return _tuples(batch, encoders, _DATA_ROW)


def copy_tuples(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> Bytes:
    """One CopyData message a row, a tuple of binary COPY in each: the same as a DataRow but for the message's kind."""
    return _tuples(batch, encoders, _COPY_DATA)


def _tuples(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder], kind: int) -> Bytes:
    if batch.num_rows < FEW_ROWS or not encoders:
        return _few_tuples(batch, encoders, bytes([kind]))
    columns = [encoder.vector(column) for encoder, column in zip(encoders, batch.columns, strict=True)]
    sizes = np.full(batch.num_rows, 7 + 4 * len(columns), np.int64)
    for cells in columns:
        add_sizes(cells.lengths, 0, sizes)
    end = total(sizes)
    out, places = np.empty(end, np.uint8), sizes
    open_messages(out, places, end, kind, len(columns))
    for cells in columns:
        put_counted(out, places, cells.data, cells.starts, cells.lengths)
    return out.data


def data_row(cells: Sequence[Cell], row: int) -> bytes:
    """The DataRow message of one row."""
    return _tuple([cell(row) for cell in cells], b"D")


def _few_tuples(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder], kind: bytes) -> bytes:
    cells = [encoder.opened(column) for encoder, column in zip(encoders, batch.columns, strict=True)]
    return b"".join([_tuple([cell(row) for cell in cells], kind) for row in range(batch.num_rows)])


def _tuple(values: Sequence[bytes | None], kind: bytes) -> bytes:
    body = b"".join([_NULL if value is None else _LENGTH.pack(len(value)) + value for value in values])
    return _HEADER.pack(kind, len(body) + 6, len(values)) + body


def copy_lines(columns: Sequence[Cells], delimiter: int, null: bytes) -> Bytes:
    """One CopyData message a line; drivers that read a COPY row by row rely on it."""
    sizes = np.full(len(columns[0].lengths), 5 + len(columns), np.int64)
    for cells in columns:
        add_sizes(cells.lengths, len(null), sizes)
    end = total(sizes)
    out, places = np.empty(end, np.uint8), sizes
    open_messages(out, places, end, _COPY_DATA, -1)
    put_lines(out, places, columns, delimiter, null)
    return out.data


def bare_lines(columns: Sequence[Cells], delimiter: int, null: bytes) -> Bytes:
    """The same lines without messages around them."""
    places = np.full(len(columns[0].lengths), len(columns), np.int64)
    for cells in columns:
        add_sizes(cells.lengths, len(null), places)
    out = np.empty(total(places), np.uint8)
    put_lines(out, places, columns, delimiter, null)
    return out.data


def put_lines(out: np.ndarray, places: np.ndarray, columns: Sequence[Cells], delimiter: int, null: bytes) -> None:
    nothing = np.frombuffer(null, np.uint8)
    for i, cells in enumerate(columns):
        end = _NEWLINE if i == len(columns) - 1 else delimiter
        put_ended(out, places, cells.data, cells.starts, cells.lengths, nothing, end)


def few_copy_rows(lines: Sequence[bytes]) -> bytes:
    return b"".join([_COPY_HEADER.pack(b"d", len(line) + 4) + line for line in lines])
