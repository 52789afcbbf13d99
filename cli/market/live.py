"""What the demo shows while it runs: sectors, the busiest symbols, the latest big moves."""

from __future__ import annotations

import threading

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from constellationdb.cli.display import aligned
from constellationdb.embedded import Database

_FRAME_S, _LINE_S = 0.5, 1.0

_PANELS = {
    "sector_totals": "SELECT sector, trades, value FROM sector_totals ORDER BY value DESC",
    "volume_by_symbol": "SELECT symbol, trades, volume, low, high FROM volume_by_symbol ORDER BY trades DESC LIMIT 8",
    "bars_10s": "SELECT symbol, window_end, trades, low, high FROM bars_10s ORDER BY window_end DESC, symbol LIMIT 8",
    "big_moves": "SELECT ts, symbol, name, side, value FROM big_moves ORDER BY trade_id DESC LIMIT 8",
}
_COUNTS = """\
SELECT coalesce((SELECT sum(trades) FROM volume_by_symbol), 0), (SELECT count(*) FROM bars_10s),
       (SELECT count(*) FROM big_moves)"""


def show(database: Database, console: Console, stopped: threading.Event) -> None:
    """A table that redraws itself on a terminal, a line a second anywhere else; until ``stopped``."""
    if console.is_terminal:
        with Live(_frame(database), console=console, refresh_per_second=4, transient=True) as live:
            while not stopped.wait(_FRAME_S):
                live.update(_frame(database))
    else:
        while not stopped.wait(_LINE_S):
            console.print(line(database), highlight=False, soft_wrap=True)
            console.file.flush()


def line(database: Database) -> str:
    trades, bars, moves = (int(count) for count in database.sql(_COUNTS).fetchall()[0])
    return f"{trades:,} trades, {bars:,} bars of 10 s, {moves:,} big moves"


def _frame(database: Database) -> Columns:
    return Columns(
        [Panel(Text("\n".join(aligned(database.sql(sql).arrow()))), title=name) for name, sql in _PANELS.items()]
    )
