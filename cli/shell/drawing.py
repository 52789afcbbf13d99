"""A table as rich draws it: names in bold, numbers to the right, NULL dimmed, and cut to the width of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from constellationdb.cli.display import is_number, one_line, texts_of
from constellationdb.cli.shell.output import Output

if TYPE_CHECKING:
    from constellationdb.cli.shell.printing import Display

_NO_NULL = "NULL"


def drawn(table: pa.Table, display: Display, output: Output) -> list[str]:
    """Its lines, with their colours."""
    return output.rendered(picture(table, display.null, header=not display.tuples_only))


def picture(table: pa.Table, null: str = "", *, header: bool = True, rows: int | None = None) -> Table:
    """Of the first ``rows``, where not all of them have room."""
    found = Table(box=SIMPLE_HEAD, show_header=header, pad_edge=False, header_style="bold")
    for field in table.schema:
        justify = "right" if is_number(field.type) else "left"
        found.add_column(Text(field.name), justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    shown = table if rows is None else table.slice(0, rows)
    columns = [texts_of(column, field) for column, field in zip(shown.columns, shown.schema, strict=True)]
    for row in zip(*columns, strict=True):
        found.add_row(*(_cell(text, null) for text in row))
    return found


def _cell(text: str | None, null: str) -> Text:
    return Text(null or _NO_NULL, style="dim") if text is None else Text(one_line(text))
