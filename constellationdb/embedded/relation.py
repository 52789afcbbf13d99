"""A query that has not run yet, and the ways to look at its rows."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.embedded.link import Link
from constellationdb.embedded.parameters import Parameter
from constellationdb.errors import MissingExtra

if TYPE_CHECKING:
    import pandas
    import polars

_SHOWN_ROWS = 20

Row = tuple[Any, ...]


class Relation:
    """The rows of one statement. Each method that needs them runs it again, so it always shows the newest epoch.

    Iterating and ``__arrow_c_stream__`` give rows as they come, so a query that
    never ends can be left with ``break``; every other method reads to the end.
    """

    def __init__(self, link: Link, sql: str, parameters: tuple[Parameter, ...] = ()) -> None:
        self._link = link
        self.sql = sql
        self._parameters = parameters

    @property
    def columns(self) -> list[str]:
        """The names, known without running it."""
        return list(self.schema.names)

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types, known without running it."""
        return self._link.columns(self.sql)

    def arrow(self) -> pa.Table:
        return self._link.run(self.sql, self._parameters)[-1].table()

    def fetchall(self) -> list[Row]:
        return rows_of(self.arrow())

    def fetchone(self) -> Row | None:
        """The first row, None when there is none."""
        return next(iter(self), None)

    def batches(self) -> Iterator[pa.RecordBatch]:
        return self._link.stream(self.sql, self._parameters)[1]

    def df(self) -> pandas.DataFrame:
        try:
            import pandas  # noqa: F401  (to_pandas would say it less clearly)
        except ImportError:
            raise MissingExtra("df() needs pandas, which is not installed", hint="pip install pandas") from None
        return self.arrow().to_pandas()

    def pl(self) -> polars.DataFrame:
        try:
            import polars
        except ImportError:
            raise MissingExtra("pl() needs polars, which is not installed", hint="pip install polars") from None
        frame = polars.from_arrow(self.arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def show(self, rows: int = _SHOWN_ROWS) -> None:
        """Prints the first rows."""
        print(self._text(rows))

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from rows_of(batch)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        schema, batches = self._link.stream(self.sql, self._parameters)
        first = next(batches, None)  # it has the digits behind a numeric's point, which the description may not know
        if first is not None:
            schema, batches = first.schema, chain([first], batches)
        return pa.RecordBatchReader.from_batches(schema, batches).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"Relation({self.sql!r})"

    def _repr_html_(self) -> str:
        table = self.arrow()
        head = "".join(f"<th>{escape(name)}</th>" for name in table.column_names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_shown(value))}</td>" for value in row) + "</tr>"
            for row in rows_of(table.slice(0, _SHOWN_ROWS))
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{_left_out(table, _SHOWN_ROWS, '<p>')}"
        )

    def _text(self, limit: int) -> str:
        table = self.arrow()
        lines = [table.column_names, *([_shown(value) for value in row] for row in rows_of(table.slice(0, limit)))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        shown.insert(1, "-+-".join("-" * width for width in widths))
        return "\n".join([*(line.rstrip() for line in shown), f"({table.num_rows} rows)" + _left_out(table, limit)])


def rows_of(table: pa.Table | pa.RecordBatch) -> list[Row]:
    """The rows as tuples of Python values."""
    if not table.num_columns:
        return [()] * table.num_rows
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _shown(value: object) -> str:
    return "NULL" if value is None else str(value)


def _left_out(table: pa.Table, limit: int, before: str = ", ") -> str:
    return f"{before}{table.num_rows - limit} more not shown" if table.num_rows > limit else ""
