"""Rows as psql prints them: values in Postgres' own spelling, numbers to the right, the count below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from constellationdb.catalog.types import of_arrow
from constellationdb.embedded import Database
from constellationdb.embedded.link import Answer
from constellationdb.engine.result import Notice
from constellationdb.wire.text import text_encoder

_PSQL = box.Box("    \n    \n -+ \n    \n    \n    \n    \n    \n", ascii=True)


def print_answers(database: Database, sql: str, console: Console | None = None) -> None:
    """Runs statements as one text and prints what each of them answered."""
    for answer in database.answers(sql):
        print_answer(answer, console or data_console())


def print_answer(answer: Answer, console: Console) -> None:
    if answer.schema is None:
        console.print(answer.tag, markup=False, highlight=False)
        return
    table = answer.table()
    console.print(aligned(table))
    console.print(f"({table.num_rows} row{'' if table.num_rows == 1 else 's'})\n", markup=False, highlight=False)


def aligned(table: pa.Table) -> Table:
    shown = Table(box=_PSQL, show_edge=False, pad_edge=True, header_style="", safe_box=True)
    for field in table.schema:
        shown.add_column(Text(field.name, justify="center"), justify="right" if _is_number(field.type) else "left",
                         no_wrap=True, overflow="ignore")  # fmt: skip
    for row in zip(*(texts_of(column) for column in table.columns), strict=True):
        shown.add_row(*(Text("" if value is None else value) for value in row))
    return shown


def texts_of(column: pa.ChunkedArray | pa.Array) -> list[str | None]:
    """The values as the wire would send them."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = text_encoder(array.type, of_arrow(array.type))(array)
    return [None if value is None else value.decode() for value in encoded.to_pylist()]


def tab_line(values: Sequence[str | None]) -> str:
    return "\t".join("\\N" if value is None else value for value in values)


def say_notice(notice: Notice) -> None:
    print(f"{notice.severity}:  {notice.message}", file=sys.stderr)
    if notice.hint:
        print(f"HINT:  {notice.hint}", file=sys.stderr)


def data_console() -> Console:
    """As wide as the rows when a pipe reads them: nothing may be cut."""
    return Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=1_000_000, color_system=None)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
