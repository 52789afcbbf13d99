"""Rows as psql prints them: values in Postgres' own spelling, numbers to the right, the count below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pyarrow as pa
from rich.cells import cell_len

from constellationdb.catalog.text import PLAIN, Style, text_encoder
from constellationdb.catalog.types import of_field
from constellationdb.engine.result import Notice


def aligned(table: pa.Table, null: str = "", *, header: bool = True, widths: list[int] | None = None) -> list[str]:
    """The lines of a table: header in the middle, numbers to the right, a rule between.

    ``widths`` are the least ones, and become those of this table: a stream's later rows go below its first.
    """
    columns = [
        [null if text is None else one_line(text) for text in texts_of(column, field)]
        for column, field in zip(table.columns, table.schema, strict=True)
    ]
    widths = [] if widths is None else widths
    least = list(widths) or [0] * len(columns)
    widths[:] = [
        max(cell_len(name), *map(cell_len, cells), known)
        for name, cells, known in zip(table.column_names, columns, least, strict=True)
    ]
    rows = [
        [_placed(cell, width, field.type) for cell, width, field in zip(row, widths, table.schema, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    lines = [_line(row) for row in rows] if columns else [""] * table.num_rows
    if not header:
        return lines
    names = [_centred(name, width) for name, width in zip(table.column_names, widths, strict=True)]
    return [_line(names), "+".join("-" * (width + 2) for width in widths) or "--", *lines]


def texts_of(
    column: pa.ChunkedArray | pa.Array, field: pa.Field | None = None, style: Style = PLAIN
) -> list[str | None]:
    """The values as the wire would send them."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = of_field(field if field is not None else pa.field("", array.type))
    encoded = text_encoder(array.type, kind, style)(array)
    return [None if value is None else value.decode() for value in encoded.to_pylist()]


def count_of(rows: int) -> str:
    return f"({rows} row{'' if rows == 1 else 's'})"


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def one_line(value: str) -> str:
    return value.replace("\n", "↵") if "\n" in value else value


def tab_line(values: Sequence[str | None]) -> str:
    return "\t".join("\\N" if value is None else value for value in values)


def say_notice(notice: Notice) -> None:
    print(f"{notice.severity}:  {notice.message}", file=sys.stderr)
    if notice.hint:
        print(f"HINT:  {notice.hint}", file=sys.stderr)


def _line(cells: Sequence[str]) -> str:
    return " " + " | ".join(cells).rstrip()


def _centred(name: str, width: int) -> str:
    left = (width - cell_len(name)) // 2
    return " " * left + name + " " * (width - cell_len(name) - left)


def _placed(cell: str, width: int, kind: pa.DataType) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if is_number(kind) else cell + blank
