"""One CSV or JSON file, read by byte offsets that always lie between two records."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.connectors.api import RowError
from constellationdb.connectors.file.decoding import Decoder, decode_records
from constellationdb.connectors.file.records import Ends, csv_record_ends
from constellationdb.errors import ConnectorFailure

BLOCK_BYTES = 1 << 20
RECORD_BYTES = 16 << 20  # a record longer than this is an error, and reading goes on at its next line
_NO_ENDS: Ends = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Piece:
    """What one read brought. ``at_end``: there is nothing behind ``offset`` now."""

    batches: tuple[pa.RecordBatch, ...]
    errors: tuple[RowError, ...]
    offset: int
    at_end: bool


class TextFile:
    """``growing``: a last record without a newline is not complete yet; otherwise it is the last record."""

    def __init__(
        self, path: str, decoder_of: Callable[[bytes], Decoder], header_delimiter: str | None, growing: bool
    ) -> None:
        self._path = path
        self._decoder_of = decoder_of
        self._header_delimiter = header_delimiter
        self._growing = growing
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._decoder: Decoder | None = None
        self._body = 0  # where the records begin: behind the header
        self._block, self._block_at, self._ends = b"", 0, _NO_ENDS

    def read(self, offset: int, limit: int, stop: int | None = None) -> Piece:
        """Up to ``limit`` records from ``offset``, none that ends behind ``stop``."""
        decoder = self._opened()
        if decoder is None:
            return Piece((), (), offset, at_end=True)
        offset = max(offset, self._body)
        used = self._records_behind(offset, decoder)
        ends = self._ends[used : used + limit] - (offset - self._block_at)
        if stop is not None:
            ends = ends[ends <= stop - offset]
        if not len(ends):
            return self._unfinished(offset, decoder, stop)
        block = self._block[offset - self._block_at : offset - self._block_at + int(ends[-1])]
        decoded = decode_records(decoder, block, ends)
        return Piece(decoded.batches, decoded.errors, offset + int(ends[-1]), at_end=False)

    def close(self) -> None:
        os.close(self._file)

    def _opened(self) -> Decoder | None:
        """The decoder, once the header is there."""
        if self._decoder is None:
            if self._header_delimiter is None:
                self._decoder = self._decoder_of(b"")
            else:
                header = self._header(self._header_delimiter)
                if header is None:
                    return None
                self._body = len(header)
                self._decoder = self._decoder_of(header)
        return self._decoder

    def _header(self, delimiter: str) -> bytes | None:
        start = self._read_at(0, RECORD_BYTES)
        ends = csv_record_ends(start, delimiter)
        if len(ends):
            return start[: int(ends[0])]
        return None if self._growing or not start else start

    def _records_behind(self, offset: int, decoder: Decoder) -> int:
        """The index in ``_ends`` of the first record at ``offset``; the block is read again when it has none."""
        behind = int(np.searchsorted(self._ends, offset - self._block_at, "right"))
        if self._block_at <= offset and behind < len(self._ends):
            return behind
        size = BLOCK_BYTES
        while True:
            block = self._read_at(offset, size)
            ends = decoder.ends(block)
            if len(ends) or len(block) < size or size >= RECORD_BYTES:
                break
            size = RECORD_BYTES
        if len(block) < size and not self._growing and (not len(ends) or ends[-1] < len(block)):
            ends = _close_last(block, ends)
        self._block, self._block_at, self._ends = block, offset, ends
        return 0

    def _unfinished(self, offset: int, decoder: Decoder, stop: int | None) -> Piece:
        """No complete record at ``offset``: the end of the file, or a record that is too long."""
        line = self._block.find(b"\n") + 1 or len(self._block)
        if len(self._block) < RECORD_BYTES or (stop is not None and offset + line > stop):
            return Piece((), (), offset, at_end=True)
        error = decoder.explain(self._block[:line])
        return Piece((), (error,), offset + line, at_end=False)

    def _read_at(self, offset: int, size: int) -> bytes:
        if os.fstat(self._file).st_size < offset:
            raise ConnectorFailure(
                f'file "{self._path}" is shorter than what was read of it',
                hint="a file may only grow; write new rows to a new file",
            )
        os.lseek(self._file, offset, os.SEEK_SET)
        parts: list[bytes] = []
        while size > 0 and (part := os.read(self._file, size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _close_last(block: bytes, ends: Ends) -> Ends:
    """The last record of a file that does not grow ends with the file, newline or not.

    Where a quote was left open, that is everything up to the end: it is cut at its lines, so that only the
    line with the quote is lost.
    """
    start = int(ends[-1]) if len(ends) else 0
    rest = block[start:]
    if not rest:
        return ends
    lines = np.flatnonzero(np.frombuffer(rest, dtype=np.uint8) == 10) + 1 + start
    return np.unique(np.concatenate([ends, lines, [len(block)]])).astype(np.int64)
