"""Rows as psql prints them: values in Postgres' own spelling, numbers to the right, the count below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pyarrow as pa
from rich.cells import cell_len
from rich.console import Console

from constellationdb.catalog.text import PLAIN, Style, text_encoder
from constellationdb.catalog.types import of_arrow
from constellationdb.embedded import Database
from constellationdb.embedded.link import Answer
from constellationdb.engine.result import Notice


def print_answers(database: Database, sql: str, console: Console | None = None) -> None:
    """Runs statements as one text and prints what each of them answered."""
    for answer in database.answers(sql):
        print_answer(answer, console or Console())


def print_answer(answer: Answer, console: Console) -> None:
    if answer.schema is None:
        _say(console, answer.tag)
        return
    table = answer.table()
    for line in aligned(table):
        _say(console, line)
    _say(console, f"({table.num_rows} row{'' if table.num_rows == 1 else 's'})\n")


def aligned(table: pa.Table) -> list[str]:
    """The lines of a table: header in the middle, numbers to the right, a rule between."""
    columns = [["" if value is None else _one_line(value) for value in texts_of(column)] for column in table.columns]
    widths = [
        max(cell_len(name), *map(cell_len, cells), 0) for name, cells in zip(table.column_names, columns, strict=True)
    ]
    header = [_centred(name, width) for name, width in zip(table.column_names, widths, strict=True)]
    rows = [
        [_placed(cell, width, field.type) for cell, width, field in zip(row, widths, table.schema, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    rule = "+".join("-" * (width + 2) for width in widths)
    return [_line(header), rule, *map(_line, rows)]


def texts_of(column: pa.ChunkedArray | pa.Array, style: Style = PLAIN) -> list[str | None]:
    """The values as the wire would send them."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = text_encoder(array.type, of_arrow(array.type), style)(array)
    return [None if value is None else value.decode() for value in encoded.to_pylist()]


def tab_line(values: Sequence[str | None]) -> str:
    return "\t".join("\\N" if value is None else value for value in values)


def say_notice(notice: Notice) -> None:
    print(f"{notice.severity}:  {notice.message}", file=sys.stderr)
    if notice.hint:
        print(f"HINT:  {notice.hint}", file=sys.stderr)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _line(cells: Sequence[str]) -> str:
    return " " + " | ".join(cells).rstrip()


def _centred(name: str, width: int) -> str:
    left = (width - cell_len(name)) // 2
    return " " * left + name + " " * (width - cell_len(name) - left)


def _placed(cell: str, width: int, kind: pa.DataType) -> str:
    blank = " " * (width - cell_len(cell))
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return blank + cell if is_number else cell + blank


def _one_line(value: str) -> str:
    return value.replace("\n", "↵") if "\n" in value else value
