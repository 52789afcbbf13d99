"""The oracle of the market demo, itself checked against DuckDB over the generator's rows."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from constellationdb.cli import demo_oracle as oracle
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.registry import open_source

COUNT, SEED, RATE = 30_000, 11, 500
CUTS = [1, 700, 5_000, 5_001, 17_000, COUNT]
LEFT, INNER = "trades LEFT JOIN symbols USING (symbol)", "trades JOIN symbols USING (symbol)"
ROWS = {
    "volume_by_symbol": "SELECT symbol, count(*), sum(size)::BIGINT, max(price), min(price) FROM trades GROUP BY 1",
    "big_moves": f"SELECT trade_id, ts, symbol, name, sector, side, size * price FROM {LEFT}"
    f" WHERE size * price > {oracle.BIG_MOVE}",
    "sector_totals": f"SELECT sector, count(*), sum(size * price) FROM {INNER} GROUP BY sector",
}


@pytest.fixture(scope="module")
def trades() -> list[oracle.Trade]:
    return oracle.market_trades(SEED, COUNT, RATE)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows that the SQL of the demo would read, and the symbols."""
    source = open_source(
        "generator",
        None,
        {"preset": "market", "seed": str(SEED), "event_rate": str(RATE), "disorder": "2s", "late": "0.001"},
    )
    connection = duckdb.connect()
    batch = source.open("0", {}).poll(COUNT).batch
    connection.register("arrow_trades", pa.Table.from_batches([batch]))
    connection.execute("CREATE TABLE trades AS SELECT * FROM arrow_trades")
    symbols = pa.table(
        {name: [row[i] for row in oracle.SYMBOLS] for i, name in enumerate(["symbol", "name", "sector"])}
    )
    connection.register("symbols", symbols)
    yield connection
    connection.close()


@pytest.mark.parametrize("view", ROWS)
def test_views_are_what_a_batch_query_says(
    view: str, trades: list[oracle.Trade], duck: duckdb.DuckDBPyConnection
) -> None:
    expected = getattr(oracle, view)(trades)
    assert len(expected) > 5
    assert oracle.differences(view, expected, duck.execute(ROWS[view]).fetchall()) == []


def test_some_moves_have_no_symbol_information(trades: list[oracle.Trade]) -> None:
    names = [row[3] for row in oracle.big_moves(trades)]
    assert None in names
    assert any(names)


def test_bars_leave_late_rows_out(trades: list[oracle.Trade], duck: duckdb.DuckDBPyConnection) -> None:
    """The watermark before each row once more, in SQL: the highest time of the epochs before, less two seconds."""
    previous = oracle.previous_watermarks(trades, CUTS)
    bars = oracle.bars_10s(trades, previous, closed_up_to=None)
    assert bars.used + bars.late == COUNT
    assert bars.late > 3
    epoch = " ".join(f"WHEN trade_id < {cut} THEN {i}" for i, cut in enumerate(CUTS))
    found = duck.execute(
        f"""
        WITH epochs AS (SELECT *, CASE {epoch} END AS epoch FROM trades),
        marks AS (SELECT epoch + 1 AS epoch, max(max(ts)) OVER (ORDER BY epoch) - INTERVAL 2 SECOND AS mark
                  FROM epochs GROUP BY epoch),
        windowed AS (SELECT *, time_bucket(INTERVAL 10 SECOND, ts) AS lo FROM epochs LEFT JOIN marks USING (epoch))
        SELECT symbol, lo, lo + INTERVAL 10 SECOND, count(*), sum(size)::BIGINT, min(price), max(price)
        FROM windowed WHERE mark IS NULL OR lo + INTERVAL 10 SECOND > mark GROUP BY symbol, lo
        """
    ).fetchall()
    assert oracle.differences("bars_10s", bars.rows, found) == []


def test_open_windows_are_not_shown(trades: list[oracle.Trade]) -> None:
    previous = oracle.previous_watermarks(trades, CUTS)
    watermark = max(trade.ts_us for trade in trades) - oracle.DISORDER_US
    ended = oracle.bars_10s(trades, previous, None).rows
    running = oracle.bars_10s(trades, previous, watermark).rows
    assert running < ended
    last = max(row[2] for row in running)  # type: ignore[type-var]
    assert isinstance(last, datetime)
    assert last <= datetime(1970, 1, 1) + (datetime(1970, 1, 1).resolution * watermark)


def test_the_watermark_before_each_row() -> None:
    trades = [oracle.Trade(ts, "A", 1, 1, "buy", i) for i, ts in enumerate([100, 50, 30, 200, 10])]
    assert oracle.previous_watermarks(trades, [2, 3, 5], delay_us=5) == [None, None, 95, 95, 95]


def test_a_window_closes_when_the_watermark_reaches_its_end() -> None:
    end = oracle.WINDOW_US
    trades = [oracle.Trade(ts, "A", 100, 1, "buy", i) for i, ts in enumerate([0, end - 1, end - 1, end])]
    bars = oracle.bars_10s(trades, [None, end - 1, end, end], closed_up_to=end)
    assert (bars.used, bars.late) == (3, 1)
    start = datetime(1970, 1, 1)
    close = datetime(1970, 1, 1, 0, 0, 10)
    assert bars.rows == {("A", start, close, 2, 2, Decimal(1), Decimal(1)): 1}
    assert oracle.bars_10s(trades, [None] * 4, closed_up_to=end - 1).rows == {}


def test_differences_are_named() -> None:
    expected: oracle.Rows = Counter({("A", 1): 1, ("B", Decimal("1.50")): 2})
    assert oracle.differences("v", expected, [("B", Decimal("1.5")), ["A", 1], ("B", Decimal("1.500"))]) == []
    assert oracle.differences("v", expected, [("A", 1), ("B", Decimal("1.5")), ("C", None)]) == [
        "v: missing (B, 1.50)",
        "v: unexpected (C, NULL)",
    ]
    many: oracle.Rows = Counter({(i,): 1 for i in range(9)})
    assert oracle.differences("v", many, [])[-1] == "v: and 4 more"


def test_the_sql_creates_what_the_oracle_computes() -> None:
    sql = oracle.demo_sql(seed=SEED, rate=RATE, limit=9)
    for view in oracle.VIEWS:
        assert f"CREATE MATERIALIZED VIEW {view} AS" in sql
    assert f"seed = '{SEED}', rate = '{RATE}', limit = '9',\n    event_rate = '{RATE}'" in sql
    # the constants of the source and those of the oracle
    again = oracle.market_trades(SEED, 5, RATE)
    times = EventTimes(SEED, oracle.START_US, RATE, 2_000_000, 0.001, 30_000_000)
    assert [trade.ts_us for trade in again] == times.of(np.arange(5)).tolist()
