"""``\\tail name``: a relation's contents on the screen, kept up to date by its changes, until q or Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from prompt_toolkit.application import get_app_session
from prompt_toolkit.input import Input
from prompt_toolkit.keys import Keys
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from constellationdb.cli.shell.drawing import picture
from constellationdb.embedded import Changes, Database
from constellationdb.embedded.relation import Row, rows_of

_LOOK_S = 0.1  # between looks at the keyboard
_LEAVING = ("q", "Q", Keys.ControlC, Keys.ControlD, Keys.Escape)
_FRAME_LINES = 5  # what stands around the rows


class Contents:
    """The rows of a relation, in the order in which they came, each as often as it is there."""

    def __init__(self) -> None:
        self.schema: pa.Schema | None = None
        self.epoch: int | None = None
        self._rows: dict[Row, int] = {}

    def apply(self, changes: Changes) -> None:
        table = changes.arrow()
        self.schema = pa.schema(list(table.schema)[2:])
        self.epoch = changes.epoch
        for _, weight, *values in rows_of(table):
            row = tuple(_key(value) for value in values)
            count = self._rows.get(row, 0) + weight
            if count:
                self._rows[row] = count
            else:
                del self._rows[row]

    def __len__(self) -> int:
        return sum(self._rows.values())

    def table(self, rows: int) -> pa.Table:
        """The first ``rows`` of them."""
        assert self.schema is not None
        found: list[Row] = []
        for row, count in self._rows.items():
            found += [row] * min(count, rows - len(found))
            if len(found) >= rows:
                break
        columns = list(zip(*found, strict=True)) or [() for _ in self.schema]
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, self.schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def watch(database: Database, name: str, console: Console, null: str = "") -> None:
    """Draws until somebody leaves; the errors of the subscription are raised."""
    contents = Contents()
    with database.subscribe(name) as subscription, _keyboard() as keys, _screen(console) as live:
        live.update(_drawn(name, contents, console, null), refresh=True)
        while not any(press.key in _LEAVING for press in keys.read_keys()):
            changes = subscription.next(_LOOK_S)
            if changes is not None:
                contents.apply(changes)
                live.update(_drawn(name, contents, console, null), refresh=True)
    if contents.schema is not None:
        console.print(_title(name, contents, console), _rows(contents, console, null), sep="\n", end="")


def _drawn(name: str, contents: Contents, console: Console, null: str) -> Group:
    leaving = Text("q leaves", style="dim")
    if contents.schema is None:
        return Group(Text(f"{name}: no rows yet", style="dim"), leaving)
    return Group(_title(name, contents, console), _rows(contents, console, null), leaving)


def _title(name: str, contents: Contents, console: Console) -> Text:
    count, room = len(contents), _room(console)
    hidden = f", {count - room} more not shown" if count > room else ""
    return Text(f"{name} at epoch {contents.epoch}: {count} row{'' if count == 1 else 's'}{hidden}", style="bold")


def _rows(contents: Contents, console: Console, null: str) -> Table:
    return picture(contents.table(_room(console)), null)


def _room(console: Console) -> int:
    return max(console.height - _FRAME_LINES, 1)


@contextmanager
def _keyboard() -> Iterator[Input]:
    """Keys one by one, without waiting and without echo."""
    keys = get_app_session().input
    with keys.raw_mode():
        yield keys


@contextmanager
def _screen(console: Console) -> Iterator[Live]:
    with Live(console=console, auto_refresh=False, screen=console.is_terminal, transient=True) as live:
        yield live


def _key(value: object) -> object:
    """Arrays come as lists, which cannot be keys."""
    return tuple(map(_key, value)) if isinstance(value, list) else value
