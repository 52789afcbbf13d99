"""Rows on the wire: in binary field by field, each with its type, and as text in the session's style."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pyarrow as pa

from constellationdb.catalog.text import Style
from constellationdb.catalog.types import SqlType
from constellationdb.planner.records import columns_of, printed
from constellationdb.wire.cells import Cells, bytes_cells

CellEncoder = Callable[[pa.Array], Cells]


def record_cells(sql_type: SqlType, fields: Sequence[CellEncoder]) -> CellEncoder:
    """``fields``: how the columns of the fields are sent."""
    oids = [kind.oid for _, kind in sql_type.fields]
    head = struct.pack(">i", len(oids))

    def encode(array: pa.Array) -> Cells:
        columns = columns_of(array, sql_type)
        cells = [field(column).listed() for field, column in zip(fields, columns, strict=True)]
        rows = [
            None if absent else head + b"".join(_field(oid, cell[row]) for oid, cell in zip(oids, cells, strict=True))
            for row, absent in enumerate(array.is_null().to_pylist())
        ]
        return bytes_cells(pa.array(rows, pa.binary()))

    return encode


def _field(oid: int, value: bytes | None) -> bytes:
    return struct.pack(">Ii", oid, -1) if value is None else struct.pack(">Ii", oid, len(value)) + value


def styled(array: pa.Array, sql_type: SqlType, style: Style) -> pa.Array:
    """Rows, or arrays of them, in another style than the one that they are carried in."""
    if sql_type.element is None:
        return printed(array, sql_type, style)
    inner = styled(array.flatten(), sql_type.element, style)
    lengths = array.value_lengths().fill_null(0).to_pylist()
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, mask=array.is_null())
