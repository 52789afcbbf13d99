"""The market demo in SQL, and what its four views must hold, worked out a second time.

The answers come from the generator's rows alone, one after the other in plain
Python integers: nothing of the engine or the planner is imported, so a fault
there cannot hide here. Lateness needs to know where the epochs were cut: a row
is late for its window when that window had closed by the end of the epoch
before, so ``bars_10s`` is told the watermark that held then, for every row.

    trades = market_trades(seed=7, count=100_000)
    seen = previous_watermarks(trades, cuts=[40_000, 100_000])
    bars_10s(trades, seen, closed_up_to=None).rows
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pyarrow as pa

from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.generator.market import EVENTS_PER_S, Market

Row = tuple[object, ...]
Rows = Counter[Row]
K = TypeVar("K")

# symbol, name, sector; two of the generator's symbols are not here, so a LEFT join leaves them without a name
SYMBOLS = (
    ("AAPL", "Apple", "technology"), ("MSFT", "Microsoft", "technology"), ("NVDA", "Nvidia", "technology"),
    ("AMZN", "Amazon", "retail"), ("GOOG", "Alphabet", "technology"), ("META", "Meta Platforms", "technology"),
    ("TSLA", "Tesla", "automotive"), ("JPM", "JPMorgan Chase", "finance"), ("V", "Visa", "finance"),
    ("UNH", "UnitedHealth", "health"), ("XOM", "Exxon Mobil", "energy"), ("JNJ", "Johnson & Johnson", "health"),
    ("PG", "Procter & Gamble", "consumer"), ("HD", "Home Depot", "retail"), ("COST", "Costco", "retail"),
    ("KO", "Coca-Cola", "consumer"), ("PEP", "PepsiCo", "consumer"), ("CVX", "Chevron", "energy"),
    ("BAC", "Bank of America", "finance"), ("PFE", "Pfizer", "health"), ("NKE", "Nike", "consumer"),
    ("DIS", "Walt Disney", "media"),
)  # fmt: skip

DISORDER_US = 2_000_000
WINDOW_US = 10_000_000
BIG_MOVE = 2_500_000  # of size * price
START_US = 1_704_067_200_000_000  # 2024-01-01
LATE, LATE_BY_US = 0.001, 30_000_000
VIEWS = ("volume_by_symbol", "bars_10s", "big_moves", "sector_totals")

_EPOCH = datetime(1970, 1, 1)
_INFO = {symbol: (name, sector) for symbol, name, sector in SYMBOLS}
_SYMBOL_ROWS = json.dumps([{"symbol": s, "name": n, "sector": c} for s, n, c in SYMBOLS])

_SOURCE_SQL = """\
CREATE SOURCE trades (
    ts timestamp, symbol text, price numeric(12,2), size bigint, side text, venue text, trade_id bigint,
    WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (
    connector = 'generator', preset = 'market', seed = '{seed}', rate = '{rate}', limit = '{limit}',
    event_rate = '{event_rate}', disorder = '2s', late = '0.001'
);
"""

# The windows come first: the view that starts the source sees every row in the epoch in which it came.
VIEWS_SQL = f"""\
CREATE LOOKUP TABLE symbols (symbol text, name text, sector text, PRIMARY KEY (symbol))
WITH (connector = 'inline', rows = '{_SYMBOL_ROWS}');

CREATE MATERIALIZED VIEW bars_10s AS
SELECT symbol, window_start, window_end, count(*) AS trades, sum(size) AS volume, min(price) AS low, max(price) AS high
FROM TUMBLE(trades, ts, INTERVAL '10 seconds')
GROUP BY symbol, window_start, window_end
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW volume_by_symbol AS
SELECT symbol, count(*) AS trades, sum(size) AS volume, max(price) AS high, min(price) AS low
FROM trades GROUP BY symbol;

CREATE MATERIALIZED VIEW big_moves AS
SELECT t.trade_id, t.ts, t.symbol, s.name, s.sector, t.side, t.size * t.price AS value
FROM trades t LEFT JOIN symbols FOR SYSTEM_TIME AS OF PROCTIME() AS s ON t.symbol = s.symbol
WHERE t.size * t.price > {BIG_MOVE};

CREATE MATERIALIZED VIEW sector_totals AS
SELECT s.sector, count(*) AS trades, sum(t.size * t.price) AS value
FROM trades t JOIN symbols FOR SYSTEM_TIME AS OF PROCTIME() AS s ON t.symbol = s.symbol
GROUP BY s.sector;
"""


def demo_sql(seed: int = 7, rate: int = 5_000, limit: int = 0) -> str:
    """The whole demo: the source, the lookup table and the four views. Event time runs as fast as the clock."""
    return _SOURCE_SQL.format(seed=seed, rate=rate, limit=limit, event_rate=rate or EVENTS_PER_S) + "\n" + VIEWS_SQL


@dataclass(frozen=True)
class Trade:
    ts_us: int
    symbol: str
    cents: int
    size: int
    side: str
    trade_id: int

    @property
    def value_cents(self) -> int:
        return self.cents * self.size


@dataclass(frozen=True)
class Bars:
    """The closed windows, and how the rows came out: every row is used or late (each has one window)."""

    rows: Rows
    used: int
    late: int


def market_trades(seed: int, count: int, rate: int = 5_000, first: int = 0) -> list[Trade]:
    """Rows ``first`` to ``first + count`` of the source that ``demo_sql(seed, rate)`` creates."""
    times = EventTimes(seed, START_US, rate or EVENTS_PER_S, DISORDER_US, LATE, LATE_BY_US)
    batch = Market(seed, times).rows(first, count)
    columns = [
        batch.column("ts").cast(pa.int64()).to_pylist(),
        batch.column("symbol").to_pylist(),
        [int(price * 100) for price in batch.column("price").to_pylist()],
        batch.column("size").to_pylist(),
        batch.column("side").to_pylist(),
        batch.column("trade_id").to_pylist(),
    ]
    return [Trade(*values) for values in zip(*columns, strict=True)]


def previous_watermarks(trades: Sequence[Trade], cuts: Sequence[int], delay_us: int = DISORDER_US) -> list[int | None]:
    """For each row the watermark at the end of the epoch before its own; ``cuts`` are the rows in by each end."""
    result: list[int | None] = []
    watermark: int | None = None
    for start, end in zip([0, *cuts], cuts, strict=False):
        result += [watermark] * (end - start)
        highest = max((trade.ts_us for trade in trades[start:end]), default=None)
        if highest is not None:
            watermark = max(highest - delay_us, watermark if watermark is not None else highest - delay_us)
    return result


def volume_by_symbol(trades: Iterable[Trade]) -> Rows:
    groups = _grouped((trade.symbol, trade) for trade in trades)
    return Counter(
        (symbol, len(group), sum(t.size for t in group), _money(max(t.cents for t in group)),
         _money(min(t.cents for t in group)))
        for symbol, group in groups.items()
    )  # fmt: skip


def bars_10s(trades: Sequence[Trade], previous: Sequence[int | None], closed_up_to: int | None) -> Bars:
    """``previous`` as ``previous_watermarks`` gives it; ``closed_up_to`` is the watermark now, None at the end."""
    kept: list[tuple[tuple[str, int], Trade]] = []
    late = 0
    for trade, watermark in zip(trades, previous, strict=True):
        start = trade.ts_us // WINDOW_US * WINDOW_US
        if watermark is not None and start + WINDOW_US <= watermark:
            late += 1
        else:
            kept.append(((trade.symbol, start), trade))
    rows: Rows = Counter()
    for (symbol, start), group in _grouped(kept).items():
        if closed_up_to is None or start + WINDOW_US <= closed_up_to:
            cents = [trade.cents for trade in group]
            volume = sum(trade.size for trade in group)
            bounds = (_timestamp(start), _timestamp(start + WINDOW_US))
            rows[(symbol, *bounds, len(group), volume, _money(min(cents)), _money(max(cents)))] += 1
    return Bars(rows, used=len(kept), late=late)


def big_moves(trades: Iterable[Trade]) -> Rows:
    return Counter(
        (t.trade_id, _timestamp(t.ts_us), t.symbol, *_INFO.get(t.symbol, (None, None)), t.side, _money(t.value_cents))
        for t in trades
        if t.value_cents > BIG_MOVE * 100
    )


def sector_totals(trades: Iterable[Trade]) -> Rows:
    groups = _grouped((_INFO[trade.symbol][1], trade) for trade in trades if trade.symbol in _INFO)
    return Counter((sector, len(group), _money(sum(t.value_cents for t in group))) for sector, group in groups.items())


def differences(view: str, expected: Rows, found: Iterable[Sequence[object]], limit: int = 5) -> list[str]:
    """One line for each row that is missing or too much, at most ``limit`` and a count; none when all is right."""
    have: Rows = Counter(tuple(row) for row in found)
    missing, extra = expected - have, have - expected
    lines = [f"{view}: missing {_shown(row)}" for row in missing.elements()]
    lines += [f"{view}: unexpected {_shown(row)}" for row in extra.elements()]
    more = len(lines) - limit
    return [*lines[:limit], f"{view}: and {more} more"] if more > 0 else lines


def _grouped(pairs: Iterable[tuple[K, Trade]]) -> dict[K, list[Trade]]:
    groups: dict[K, list[Trade]] = {}
    for key, trade in pairs:
        groups.setdefault(key, []).append(trade)
    return groups


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _timestamp(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def _shown(row: Row) -> str:
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"
