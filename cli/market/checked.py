"""The views against the oracle, once the source has come to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from constellationdb.cli import demo_oracle as oracle
from constellationdb.cli.demo_oracle import Rows
from constellationdb.cli.market.setup import RATE, SEED
from constellationdb.embedded import Database, Subscription

_LOOK_S = 0.25
_PATIENCE_S = 15.0

Found = dict[str, list[tuple[object, ...]]]
Expect = Callable[[int, list[int]], Mapping[str, Rows]]


def follow(subscription: Subscription, cuts: list[int], limit: int, progress: Callable[[int], None]) -> list[int]:
    """How many rows were in by the end of each epoch after ``cuts``, up to ``limit`` or until nothing comes."""
    moved_at = time.monotonic()
    while not (cuts and cuts[-1] >= limit) and time.monotonic() - moved_at < _PATIENCE_S:
        changes = subscription.next(_LOOK_S)
        if changes is not None:
            cuts.append((cuts[-1] if cuts else 0) + len(changes))
            moved_at = time.monotonic()
            progress(cuts[-1])
    return cuts


def expected(limit: int, cuts: list[int]) -> Mapping[str, Rows]:
    """What the four views hold after ``limit`` rows that came in these epochs, all windows closed."""
    trades = oracle.market_trades(SEED, limit, RATE)
    previous = oracle.previous_watermarks(trades, cuts)
    return {
        "volume_by_symbol": oracle.volume_by_symbol(trades),
        "bars_10s": oracle.bars_10s(trades, previous, closed_up_to=None).rows,
        "big_moves": oracle.big_moves(trades),
        "sector_totals": oracle.sector_totals(trades),
    }


def settled_differences(database: Database, wanted: Mapping[str, Rows]) -> dict[str, list[str]]:
    """View by view what differs: asked again while anything still moves, because lookups answer in their own time."""
    found = read_views(database)
    moved_at = time.monotonic()
    while True:
        differences = {view: oracle.differences(view, wanted[view], rows) for view, rows in found.items()}
        if not any(differences.values()) or time.monotonic() - moved_at > _PATIENCE_S:
            return differences
        time.sleep(_LOOK_S)
        now = read_views(database)
        if now != found:
            found, moved_at = now, time.monotonic()


def read_views(database: Database) -> Found:
    return {view: database.sql(f"SELECT * FROM {view} ORDER BY 1, 2").fetchall() for view in oracle.VIEWS}
