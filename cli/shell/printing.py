"""What a statement answers, on its way to the output: columns, rows as they come, the command tag.

A table is held until it is whole, so that its columns can be aligned; where
that takes long (a query that never ends, a subscription) what is there is
shown, and from then on each batch as it comes. The other formats need no
alignment and hold nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from constellationdb.cli.display import aligned, count_of
from constellationdb.cli.shell import formats
from constellationdb.cli.shell.drawing import drawn
from constellationdb.cli.shell.output import Output
from constellationdb.embedded.link import Event

_HELD_S = 1.0  # rows wait for their table's end for so long
_DRAWN_ROWS = 1_000  # drawing takes a millisecond a row; more are printed in psql's plain form

Expanded = Literal["on", "off", "auto"]


@dataclass
class Display:
    """What ``\\pset`` and its short forms say."""

    format: str = "table"
    expanded: Expanded = "off"
    null: str = ""
    tuples_only: bool = False
    pager: bool = True
    timing: bool = False


class Printer:
    """Takes the events of statements, one after another."""

    def __init__(self, output: Output, display: Display) -> None:
        self._output = output
        self._display = display
        self._schema: pa.Schema | None = None
        self._held: list[pa.RecordBatch] = []
        self._flowing = False
        self._since = 0.0
        self._shown = 0
        self._widths: list[int] = []

    def take(self, event: Event) -> None:
        if isinstance(event, str):
            self._end(event)
        elif isinstance(event, pa.RecordBatch):
            self._hold(event)
        else:
            self._begin(event)

    def _hold(self, rows: pa.RecordBatch) -> None:
        if not self._held:
            self._since = time.monotonic()
        self._held.append(rows)
        self._flowing = self._flowing or time.monotonic() - self._since > _HELD_S
        if self._display.format != "table" or self._flowing:
            self._flush()

    def pause(self) -> None:
        """Nothing came for a while."""
        if self._held:
            self._flowing = True
            self._flush()

    def abandon(self) -> None:
        """The statement has failed: rows that were held are part of no answer."""
        self._schema, self._held, self._flowing = None, [], False

    def _begin(self, schema: pa.Schema) -> None:
        self._schema, self._held, self._flowing, self._shown, self._widths = schema, [], False, 0, []
        if self._display.tuples_only or self._is_expanded(None):
            return
        if self._display.format == "csv":
            self._output.lines([formats.csv_header(schema)])
        elif self._display.format == "unaligned":
            self._output.lines([formats.unaligned_header(schema)])

    def _end(self, tag: str) -> None:
        if self._schema is None:
            if tag and self._display.format not in ("csv", "json"):
                self._output.lines([tag])
            return
        if self._display.format != "table":
            self._flush()
            if self._display.format == "unaligned" and not self._display.tuples_only:
                self._output.lines([count_of(self._shown)])
        elif self._flowing:
            if self._held:
                self._flush()
            self._output.lines([*self._footer(), ""])
        else:
            self._whole_table()
        self.abandon()

    def _flush(self) -> None:
        assert self._schema is not None
        table, self._held = pa.Table.from_batches(self._held, schema=self._schema), []
        self._output.lines(self._lines(table))
        self._output.flush()
        self._shown += table.num_rows

    def _lines(self, table: pa.Table) -> Iterable[str]:
        null = self._display.null
        if self._is_expanded(None):
            return formats.expanded(table, null, self._shown + 1)
        match self._display.format:
            case "csv":
                return formats.csv(table, null)
            case "json":
                return formats.json_lines(table, null)
            case "unaligned":
                return formats.unaligned(table, null)
            case _:
                header = not self._shown and not self._display.tuples_only
                return aligned(table, null, header=header, widths=self._widths)

    def _whole_table(self) -> None:
        table = pa.Table.from_batches(self._held, schema=self._schema)
        self._shown = table.num_rows
        paging = self._display.pager and self._output.interactive
        if self._is_expanded(table):
            lines = [*formats.expanded(table, self._display.null), ""]
        elif self._output.interactive and table.num_rows <= _DRAWN_ROWS:
            lines = [*drawn(table, self._display, self._output), *self._footer(), ""]
        else:
            lines = [*aligned(table, self._display.null, header=not self._display.tuples_only), *self._footer(), ""]
        self._output.lines(lines, paged=paging)

    def _footer(self) -> Iterator[str]:
        if not self._display.tuples_only:
            yield count_of(self._shown)

    def _is_expanded(self, table: pa.Table | None) -> bool:
        """``auto`` looks at the whole table, and only where there is a screen that it may be wider than."""
        if self._display.format not in ("table", "unaligned") or self._display.expanded == "off":
            return False
        if self._display.expanded == "on":
            return True
        if table is None or not self._output.interactive:
            return False
        return formats.width_of(table, self._display.null) > self._output.width
