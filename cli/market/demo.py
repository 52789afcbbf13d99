"""The market demo: live until Ctrl-C, or checked."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from constellationdb.cli.market.checked import Expect, expected, follow, settled_differences
from constellationdb.cli.market.live import show
from constellationdb.cli.market.setup import RATE, create_source, create_views, exists
from constellationdb.cli.running import banner, running
from constellationdb.cli.stopping import until_stopped
from constellationdb.embedded import Database, Subscription, connect
from constellationdb.errors import ConnectorFailure, InvalidParameter

_TAIL = "COPY (SUBSCRIBE big_moves) TO STDOUT;"


def show_live(directory: Path | None, port: int, console: Console) -> None:
    with until_stopped() as stopped, running(directory, "127.0.0.1", port) as server, connect(server.url) as database:
        console.print(banner(server, directory), highlight=False, soft_wrap=True)
        console.print(f"In psql, live:  {_TAIL}", highlight=False, soft_wrap=True)
        if not exists(database):
            create_source(database)
            create_views(database)
        show(database, console, stopped)


def check(directory: Path | None, port: int, seconds: float, console: Console, expect: Expect = expected) -> int:
    """The exit code: 0 when every view agrees with ``expect`` after ``seconds`` of trades."""
    limit = max(round(seconds * RATE), 1)
    with running(directory, "127.0.0.1", port) as server, connect(server.url) as database:
        if exists(database):
            raise InvalidParameter(
                f'directory "{directory}" holds trades of an earlier run', hint="check a new directory, or none"
            )
        console.print(
            f"{limit:,} trades at {RATE:,} a second; look in with:  {server.psql}", highlight=False, soft_wrap=True
        )
        create_source(database, limit)
        with database.subscribe("trades") as subscription:
            begun = _first_cuts(subscription)
            create_views(database)
            cuts = _follow(subscription, begun, limit, console)
        return _report(database, limit, cuts, expect, console)


def _first_cuts(subscription: Subscription, patience_s: float = 30.0) -> list[int]:
    """The rows so far, once the subscription stands: from then on every row is seen, and its source is read."""
    until, cuts = time.monotonic() + patience_s, list[int]()
    while subscription.resume_token is None:
        changes = subscription.next(0.05)
        if changes is not None:
            cuts.append((cuts[-1] if cuts else 0) + len(changes))
        if time.monotonic() > until:
            raise ConnectorFailure("the server did not confirm the subscription to trades")
    return cuts


def _follow(subscription: Subscription, begun: list[int], limit: int, console: Console) -> list[int]:
    with Progress(console=console) as bars:
        task = bars.add_task("trades", total=limit)
        return follow(subscription, begun, limit, lambda rows: bars.update(task, completed=rows))


def _report(database: Database, limit: int, cuts: list[int], expect: Expect, console: Console) -> int:
    if not cuts or cuts[-1] != limit:
        console.print(f"only {cuts[-1] if cuts else 0:,} of {limit:,} trades came", highlight=False)
        return 1
    wanted = expect(limit, cuts)
    differences = settled_differences(database, wanted)
    table = Table("view", "rows", "against the oracle")
    table.columns[1].justify = "right"
    for view, lines in differences.items():
        table.add_row(view, f"{wanted[view].total():,}", "differs" if lines else "OK")
    console.print(table)
    for line in (line for lines in differences.values() for line in lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    wrong = sum(bool(lines) for lines in differences.values())
    console.print(
        f"{len(cuts):,} epochs; " + (f"{wrong} views differ" if wrong else f"all {len(differences)} views agree")
    )
    return 1 if wrong else 0
