"""COPY … TO STDOUT: batches as text, CSV or binary, escaped as Postgres escapes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from constellationdb.engine.copy_options import CopyOptions
from constellationdb.wire.cells import U8, Cells
from constellationdb.wire.columns import FEW_ROWS, ColumnEncoder
from constellationdb.wire.kernels.escaping import escaped_lengths, put_escaped, put_quoted, quoted_lengths
from constellationdb.wire.rows import Bytes, copy_lines, copy_tuples, few_copy_rows

Row = tuple[bytes | None, ...]

# What begins binary data: the signature, no flags, and no extension.
BINARY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
BINARY_TRAILER = b"\xff\xff"

_ESCAPES = {"\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}


class CopyWriter:
    """One COPY's rows as CopyData messages; ``names`` are its columns'."""

    def __init__(self, names: Sequence[str], options: CopyOptions) -> None:
        self._names = names
        self._options = options
        self._forced = [options.force_quote == ("*",) or name in options.force_quote for name in names]
        self._begin = BINARY_HEADER if options.binary else b""

    def header(self) -> bytes:
        """The line of column names, if one is asked for; of nothing but NULLs it would be no header."""
        if not self._options.header:
            return b""
        names = tuple(name.encode() for name in self._names)
        return few_copy_rows([few_lines([names], self._options, [False] * len(names))[0]])

    def rows(self, chunk: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> Bytes:
        if not chunk.num_rows:
            return b""
        if self._options.binary:
            return self._begun(copy_tuples(chunk, encoders))
        if not encoders:
            return few_copy_rows([b"\n"] * chunk.num_rows)
        if chunk.num_rows < FEW_ROWS:
            columns = [encoder.few(column) for encoder, column in zip(encoders, chunk.columns, strict=True)]
            return few_copy_rows(few_lines(list(zip(*columns, strict=True)), self._options, self._forced))
        cells = self.cells(chunk, encoders)
        return copy_lines(cells, ord(self._options.delimiter), self._options.null.encode())

    def cells(self, chunk: pa.RecordBatch, encoders: Sequence[ColumnEncoder]) -> list[Cells]:
        """Each value as it stands in its line."""
        return [
            self._field(encoder.vector(column), column.type, place)
            for place, (encoder, column) in enumerate(zip(encoders, chunk.columns, strict=True))
        ]

    def _field(self, cells: Cells, kind: pa.DataType, place: int) -> Cells:
        if self._options.csv:
            return quoted(cells, self._options, self._forced[place], len(self._names) == 1)
        return cells if _never_escaped(kind, self._options.delimiter) else escaped(cells, self._options.delimiter)

    def end(self) -> bytes:
        """The last message of binary data, which has the header too when there were no rows."""
        return few_copy_rows([bytes(self._begun(BINARY_TRAILER, framed=False))]) if self._options.binary else b""

    def _begun(self, data: Bytes, framed: bool = True) -> Bytes:
        """Postgres puts the header of binary data into the first message, before its row."""
        header, self._begin = self._begin, b""
        if not header:
            return data
        if not framed:
            return header + data
        size = int.from_bytes(data[1:5], "big")
        return few_copy_rows([header + bytes(data[5 : 1 + size])]) + bytes(data[1 + size :])


def unframed(messages: Bytes) -> bytes:
    """The data of CopyData messages, one after the other."""
    data, at, found = bytes(messages), 0, []
    while at < len(data):
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(data[at + 5 : end])
        at = end
    return b"".join(found)


def escaped(cells: Cells, delimiter: str) -> Cells:
    """With backslashes before and instead of what COPY's text would take for something else."""
    longer = np.empty_like(cells.lengths)
    letters = _letters(delimiter)
    if not escaped_lengths(cells.data, cells.starts, cells.lengths, letters, longer):
        return cells
    return _rewritten(longer, lambda *to: put_escaped(cells.data, cells.starts, cells.lengths, letters, *to))


def quoted(cells: Cells, options: CopyOptions, always: bool, alone: bool) -> Cells:
    """In quotes where a reader would see syntax or NULL; a lone ``\\.`` would end the data."""
    longer = np.empty_like(cells.lengths)
    delimiter, quote, escape = ord(options.delimiter), ord(options.quote), ord(options.escape)
    null = np.frombuffer(options.null.encode(), np.uint8)
    value = (cells.data, cells.starts, cells.lengths)
    if not quoted_lengths(*value, delimiter, quote, escape, null, int(always), int(alone), longer):
        return cells
    return _rewritten(longer, lambda *to: put_quoted(*value, longer, quote, escape, *to))


def _rewritten(lengths: np.ndarray, put: Callable[[U8, np.ndarray], object]) -> Cells:
    sizes = np.maximum(lengths, 0).astype(np.int64)
    places = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), np.uint8)
    put(out, places)
    return Cells(out, places, lengths)


def few_lines(rows: Sequence[Row], options: CopyOptions, forced: Sequence[bool]) -> list[bytes]:
    """The same lines row by row: the quicker way for a few rows."""
    delimiter, null = options.delimiter.encode(), options.null.encode()
    lines = []
    for row in rows:
        fields = [null if v is None else _one(v, options, forced[i], len(row) == 1) for i, v in enumerate(row)]
        lines.append(delimiter.join(fields) + b"\n")
    return lines


def _one(value: bytes, options: CopyOptions, always: bool, alone: bool) -> bytes:
    if not options.csv:
        letters = _letters(options.delimiter)
        return _special(options.delimiter).sub(lambda found: b"\\" + bytes([letters[found[0][0]]]), value)
    delimiter, quote, escape = options.delimiter.encode(), options.quote.encode(), options.escape.encode()
    if not (always or value == options.null.encode() or (alone and value == b"\\.")) and not any(
        mark in value for mark in (delimiter, quote, b"\n", b"\r")
    ):
        return value
    if escape != quote:
        value = value.replace(escape, escape * 2)
    return quote + value.replace(quote, escape + quote) + quote


@lru_cache(maxsize=256)
def _letters(delimiter: str) -> U8:
    """For each byte what follows the backslash before it; 0 for one that stands for itself."""
    letters = np.zeros(256, np.uint8)
    letters[ord(delimiter)] = ord(delimiter)
    for plain, letter in _ESCAPES.items():
        letters[ord(plain)] = ord(letter)
    return letters


@lru_cache(maxsize=256)
def _special(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(b"[\\\\\b\f\n\r\t\v" + re.escape(delimiter.encode()) + b"]")


def _never_escaped(kind: pa.DataType, delimiter: str) -> bool:
    """Numbers, booleans and times hold nothing to escape, unless the delimiter is one of their characters."""
    return delimiter in "\t,;|" and bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))
