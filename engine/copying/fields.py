"""Some rows of a COPY: where each of their fields lies in the bytes they were read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine.kernels import copyfields

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Fields:
    """``starts`` and ``lengths`` by column, then row; a length of -1 is NULL. ``lines``: each row's line number.

    ``raw``: the bytes as they came, where rows are lines; ``data`` is where values were unescaped.
    """

    data: U8
    starts: I64
    lengths: I64
    lines: I64
    raw: bytes | None = None

    def row(self, number: int) -> Fields:
        one = slice(number, number + 1)
        return Fields(self.data, self.starts[:, one], self.lengths[:, one], self.lines[one], self.raw)

    @property
    def line(self) -> str | None:
        """The first row as it was written."""
        if self.raw is None:
            return None
        begin = self.raw.rfind(b"\n", 0, int(self.starts[0, 0])) + 1
        end = self.raw.find(b"\n", int(self.starts[-1, 0]) + max(int(self.lengths[-1, 0]), 0))
        return self.raw[begin : end if end >= 0 else None].decode(errors="replace").rstrip("\r")

    @property
    def rows(self) -> int:
        return len(self.lines)

    def value(self, row: int, column: int) -> bytes | None:
        start, length = int(self.starts[column, row]), int(self.lengths[column, row])
        return None if length < 0 else self.data[start : start + length].tobytes()

    def values(self, column: int) -> list[bytes | None]:
        return [self.value(row, column) for row in range(self.rows)]

    def gathered(self, column: int, kind: pa.DataType) -> pa.Array:
        """The fields of a column as an array of ``kind`` (string or binary), their bytes unchecked."""
        lengths = self.lengths[column]
        offsets, valid = np.empty(self.rows + 1, np.int64), np.empty(self.rows, np.uint8)
        total = copyfields.measure(lengths, offsets, valid)
        out = np.empty(total, np.uint8)
        copyfields.gather(self.data, self.starts[column], lengths, offsets, out)
        buffers = [validity(valid), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(out)]
        return pa.Array.from_buffers(kind, self.rows, buffers)


def validity(valid: U8) -> pa.Buffer | None:
    """A byte a row as Arrow's bitmap; None when every row has a value."""
    return None if bool(valid.all()) else pa.py_buffer(np.packbits(valid, bitorder="little"))


def numbers(kind: pa.DataType, values: NDArray[np.generic], valid: U8) -> pa.Array:
    """A column of fixed width from its values in the width of ``kind``."""
    return pa.Array.from_buffers(kind, len(values), [validity(valid), pa.py_buffer(np.ascontiguousarray(values))])


def booleans(values: U8, valid: U8) -> pa.Array:
    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [validity(valid), bits])
