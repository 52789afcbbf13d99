"""Binary: a signature, then tuples of a field count and fields with their sizes, then a count of -1."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.copying.scanner import Scanner, writable
from constellationdb.engine.kernels import copybinary
from constellationdb.errors import BadCopyFormat, ConstellationError

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_FIXED = len(_SIGNATURE) + 8
_OIDS, _CRITICAL = 1 << 16, 0xFFFF0000


class TupleScanner(Scanner):
    """``names`` are the columns' in the order of the fields."""

    def __init__(self, table: str, names: Sequence[str]) -> None:
        super().__init__(table, len(names))
        self._names = names
        self._begun = False
        self._rows = 0

    def _cut(self, raw: bytes, *, final: bool) -> Iterator[Fields]:
        begin = 0
        if not self._begun:
            begin = _header_size(raw, final=final)
            if begin < 0:
                self._keep(raw)
                return
            self._begun = True
        room = (len(raw) - begin) // (2 + 4 * self._columns) + 1
        data = writable(raw)
        starts, lengths = np.empty((2, self._columns, room), np.int64)
        state = np.zeros(3, np.int64)
        rows = copybinary.scan_binary(
            data, begin, len(raw), starts.reshape(-1), lengths.reshape(-1), room, self._columns, state
        )
        lines = np.arange(self._rows + 1, self._rows + rows + 1)
        self._rows += rows
        if rows:
            yield Fields(data, starts[:, :rows], lengths[:, :rows], lines)
        stopped, why, number = map(int, state)
        if why == copybinary.TRAILER:
            self._ended = True
            if stopped + 2 < len(raw):
                raise self._after_trailer()
        elif why != copybinary.MORE:
            raise self._problem(why, number)
        elif final and stopped < len(raw):
            raise BadCopyFormat("unexpected EOF in COPY data", context=self._place(raw, stopped))
        else:
            self._keep(raw[stopped:])

    def _problem(self, why: int, number: int) -> ConstellationError:
        place = self.context(self._rows + 1)
        if why == copybinary.COUNT:
            count = number - 65536 if number > 32767 else number
            return BadCopyFormat(f"row field count is {count}, expected {self._columns}", context=place)
        return BadCopyFormat("invalid field size", context=f"{place}, column {self._names[number]}")

    def _place(self, raw: bytes, begin: int) -> str:
        """Where the tuple at ``begin`` breaks off."""
        where, at = self.context(self._rows + 1), begin + 2
        for name in self._names if at <= len(raw) else ():
            size = int.from_bytes(raw[at : at + 4], "big", signed=True)
            at += 4 + max(size, 0)
            if at > len(raw):
                return f"{where}, column {name}"
        return where

    def _after_end(self, data: bytes) -> None:
        if data:
            raise self._after_trailer()

    def _after_trailer(self) -> ConstellationError:
        return BadCopyFormat("received copy data after EOF marker", context=self.context(self._rows + 1))


def _header_size(raw: bytes, *, final: bool) -> int:
    """Where the tuples begin; -1 when more has to come first."""
    if not _SIGNATURE.startswith(raw[: len(_SIGNATURE)]) or (final and len(raw) < len(_SIGNATURE)):
        raise BadCopyFormat("COPY file signature not recognized")
    if len(raw) < _FIXED:
        if final:
            part = "missing flags" if len(raw) < _FIXED - 4 else "missing length"
            raise BadCopyFormat(f"invalid COPY file header ({part})")
        return -1
    flags, extension = struct.unpack_from(">Ii", raw, len(_SIGNATURE))
    if flags & _OIDS:
        raise BadCopyFormat("invalid COPY file header (WITH OIDS)")
    if flags & _CRITICAL:
        raise BadCopyFormat("unrecognized critical flags in COPY file header")
    if extension < 0:
        raise BadCopyFormat("invalid COPY file header (missing length)")
    end = _FIXED + extension
    if len(raw) < end and final:
        raise BadCopyFormat("invalid COPY file header (wrong length)")
    return end if len(raw) >= end else -1
