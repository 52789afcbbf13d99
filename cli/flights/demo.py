"""The whole demo: files, server, replay, check, verdicts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from constellationdb.cli.flights.compare import Row, Verdict, compare
from constellationdb.cli.flights.data import ROWS, FlightFiles, prepare
from constellationdb.cli.flights.expected import expected
from constellationdb.cli.flights.replay import Arrived, read_views, set_up, watch
from constellationdb.cli.flights.views import VIEWS
from constellationdb.cli.running import Running, running
from constellationdb.embedded import Database, connect

Expected = Callable[[FlightFiles], dict[str, list[Row]]]


def run(directory: Path | None, port: int, console: Console, expect: Expected = expected) -> int:
    """The exit code: 0 when every view agrees with ``expect``. Port 0 is any free one."""
    with ExitStack() as stack:
        inputs = _inputs_folder(directory, stack)
        console.print(f"sorting {ROWS:,} flights of 2013 by scheduled departure …", highlight=False)
        files = prepare(inputs)
        server = stack.enter_context(running(directory, "127.0.0.1", port))
        _introduce(server, console)
        database = stack.enter_context(connect(server.url))
        _replay(server, database, files, console)
        console.print("asking DuckDB the same questions …", highlight=False)
        answers = expect(files)
        verdicts = [compare(name, answers[name], rows) for name, rows in read_views(database).items()]
    return report(verdicts, console)


def report(verdicts: list[Verdict], console: Console) -> int:
    """The table of verdicts and what differs; the exit code."""
    table = Table("view", "rows", "against DuckDB")
    table.columns[1].justify = "right"
    for verdict in verdicts:
        table.add_row(
            verdict.view, f"{verdict.rows:,}", "OK" if verdict.ok else f"differs in {verdict.differences:,} rows"
        )
    console.print(table)
    for verdict in verdicts:
        for example in verdict.examples:
            console.print(f"{verdict.view}: {example}", markup=False, highlight=False, soft_wrap=True)
    wrong = sum(not verdict.ok for verdict in verdicts)
    console.print(f"{wrong} of {len(verdicts)} views differ" if wrong else f"all {len(verdicts)} views agree")
    return 1 if wrong else 0


def _inputs_folder(directory: Path | None, stack: ExitStack) -> Path:
    """Beside the data directory, because a restarted source reads the file again; else gone with the demo."""
    if directory is not None:
        return directory.with_name(directory.name + "-inputs").absolute()
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="constellation-flights-")))


def _introduce(server: Running, console: Console) -> None:
    if server.engine.restored:
        console.print(server.engine.restored, highlight=False)
    console.print(f"listening; look in with:  {server.psql}", highlight=False, soft_wrap=True)


def _replay(server: Running, database: Database, files: FlightFiles, console: Console) -> None:
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars, connect(server.url) as other, ThreadPoolExecutor(1) as thread:
        read, through = (bars.add_task(name, total=ROWS) for name in ("flights read", "in every view"))

        def say(created: str) -> None:
            bars.console.print(f"  {created}", markup=False, highlight=False)

        def show(now: Arrived) -> None:
            bars.update(read, completed=now.read)
            bars.update(through, completed=now.least)

        least = watch(database, thread.submit(set_up, other, files, say), show).least
    seconds = time.monotonic() - started
    console.print(f"{least:,} flights through {len(VIEWS)} views in {seconds:.1f} s", highlight=False)
