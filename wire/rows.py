"""Whole batches framed at once: encoded columns in, the bytes of all their messages in one buffer out.

Every row is a concatenation of binary pieces (header, length, value, length,
value …), so one Arrow ``binary_join_element_wise`` over the columns lays all
rows out back to back, and its data buffer is what goes to the socket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.wire.columns import FEW_ROWS, ColumnEncoder

Bytes = bytes | memoryview

# Rows encoded at a time: many enough for the vectorised work, few enough to notice a cancel and a slow reader.
CHUNK_ROWS = 8192
# And at most about this many bytes of Arrow data, unless one row alone is larger.
CHUNK_BYTES = 16 << 20

_HEADER, _LENGTH, _COPY_HEADER = struct.Struct(">cih"), struct.Struct(">i"), struct.Struct(">ci")
_NULL = _LENGTH.pack(-1)
_EMPTY = pa.scalar(b"", pa.binary())


def chunk_rows(batch: pa.RecordBatch) -> int:
    """How many rows of ``batch`` to encode at a time."""
    rows, size = int(batch.num_rows), int(batch.nbytes)
    return CHUNK_ROWS if size <= CHUNK_BYTES else max(1, min(CHUNK_ROWS, CHUNK_BYTES * rows // size))


def data_rows(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> Bytes:
    """One DataRow message a row."""
    if not encoders:
        return b"D\x00\x00\x00\x06\x00\x00" * int(batch.num_rows)
    if batch.num_rows < FEW_ROWS:
        return _few_data_rows(batch, encoders)
    values = [encoder.vector(column) for encoder, column in zip(encoders, batch.columns, strict=True)]
    lengths = [pc.binary_length(value).fill_null(-1).to_numpy() for value in values]
    size = np.full(batch.num_rows, 6 + 4 * len(values), np.int64)
    for length in lengths:
        size += np.maximum(length, 0)
    header = np.empty(batch.num_rows, [("kind", "S1"), ("size", ">i4"), ("columns", ">i2"), ("first", ">i4")])
    header["kind"], header["size"], header["columns"], header["first"] = b"D", size, len(values), lengths[0]
    pieces = [_pieces(header), values[0]]
    for length, value in zip(lengths[1:], values[1:], strict=True):
        pieces += [_pieces(length.astype(">i4")), value]
    return _joined(pieces)


def _few_data_rows(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> bytes:
    columns = [encoder.few(column) for encoder, column in zip(encoders, batch.columns, strict=True)]
    rows = []
    for values in zip(*columns, strict=True):
        body = b"".join([_NULL if value is None else _LENGTH.pack(len(value)) + value for value in values])
        rows.append(_HEADER.pack(b"D", len(body) + 6, len(values)) + body)
    return b"".join(rows)


def copy_rows(lines: pa.Array) -> Bytes:
    """One CopyData message a line; drivers that read a COPY row by row rely on it."""
    size = pc.binary_length(lines).to_numpy()
    header = np.empty(len(lines), [("kind", "S1"), ("size", ">i4")])
    header["kind"], header["size"] = b"d", size + 4
    return _joined([_pieces(header), lines])


def few_copy_rows(lines: Sequence[bytes]) -> bytes:
    return b"".join([_COPY_HEADER.pack(b"d", len(line) + 4) + line for line in lines])


def _pieces(records: np.ndarray) -> pa.Array:
    fixed = pa.binary(records.dtype.itemsize)
    return pa.Array.from_buffers(fixed, len(records), [None, pa.py_buffer(records)]).cast(pa.binary())


def _joined(pieces: list[pa.Array]) -> Bytes:
    rows = pc.binary_join_element_wise(*pieces, _EMPTY, null_handling="replace", null_replacement="")
    _, offsets, data = rows.buffers()
    ends = np.frombuffer(offsets, np.int32)
    return b"" if data is None else memoryview(data)[ends[rows.offset] : ends[rows.offset + len(rows)]]
