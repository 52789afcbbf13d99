"""The generator: rows are a function of (seed, number), times keep their bounds, a rate is kept by the clock."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.clock import ManualClock
from constellationdb.connectors.api import Source
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.generator.market import SYMBOLS, WEIGHTED
from constellationdb.connectors.generator.mixing import row_numbers
from constellationdb.connectors.registry import open_source
from constellationdb.errors import DatatypeMismatch, InvalidParameter, UndefinedColumn

PRESETS: list[dict[str, Any]] = [
    {"preset": "market", "disorder": "2s"},
    {"preset": "sensors"},
    {"preset": "nexmark"},
    {"preset": "nexmark", "table": "auction"},
    {"preset": "nexmark", "table": "person", "late": "0.01"},
]


def source(clock: ManualClock | None = None, columns: pa.Schema | None = None, **options: Any) -> Source:
    return open_source("generator", columns, options, clock or ManualClock())


def rows(first: int, count: int, **options: Any) -> pa.RecordBatch:
    batch = source(**options).open("0", {"row": first}).poll(count).batch
    assert batch is not None
    return batch


def bitwise(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Doubles as their bits, so that NaN equals NaN."""
    columns = [c.view(pa.int64()) if pa.types.is_floating(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@pytest.mark.parametrize("options", PRESETS, ids=lambda o: "-".join(o.values()))
def test_any_offset_gives_the_same_rows(options: dict[str, Any]) -> None:
    whole = rows(0, 5_000, **options)
    for first, count in [(0, 1), (1, 999), (45, 3), (2_345, 2_655)]:
        assert bitwise(rows(first, count, **options)).equals(bitwise(whole.slice(first, count)))
    assert not bitwise(rows(0, 5_000, **options, seed="8")).equals(bitwise(whole))


@pytest.mark.parametrize("options", PRESETS, ids=lambda o: "-".join(o.values()))
def test_replay_gives_what_polls_gave(options: dict[str, Any]) -> None:
    reader = source(**options).open("0", {})
    first = reader.poll(1_000)
    second = reader.poll(70_000)
    again = list(source(**options).open("0", {}).replay(first.position, second.position))
    assert second.batch is not None
    assert [batch.num_rows for batch in again] == [65_536, 4_464]
    assert bitwise(pa.concat_batches(again)).equals(bitwise(second.batch))
    assert list(source(**options).open("0", {}).replay(second.position, second.position)) == []


def test_the_schema_is_kept_by_every_batch() -> None:
    for options in PRESETS:
        opened = source(**options)
        batch = opened.open("0", {}).poll(10).batch
        assert batch is not None
        assert batch.schema.equals(opened.schema)
        batch.validate(full=True)


def test_a_limit_ends_the_stream() -> None:
    reader = source(preset="market", limit="100").open("0", {})
    first, second = reader.poll(60), reader.poll(60)
    assert first.batch is not None
    assert second.batch is not None
    assert (first.batch.num_rows, first.ended, second.batch.num_rows, second.ended) == (60, False, 40, True)
    third = reader.poll(60)
    assert (third.batch, third.ended, third.position) == (None, True, {"row": 100})


def test_a_rate_is_kept_by_the_clock() -> None:
    clock = ManualClock()
    reader = source(clock, preset="sensors", rate="10").open("0", {})
    assert reader.poll(100).batch is None
    counts = []
    for seconds in (0.1, 0.05, 0.05, 1.0):
        clock.advance(seconds)
        batch = reader.poll(100).batch
        counts.append(batch.num_rows if batch is not None else 0)
    assert counts == [1, 0, 1, 10]


def test_readers_of_one_source_share_its_pace() -> None:
    clock = ManualClock()
    shared = source(clock, preset="sensors", rate="10")
    first = shared.open("0", {})
    clock.advance(5)
    assert first.poll(1_000).position == {"row": 50}
    late = shared.open("0", {})
    assert late.poll(1_000).position == {"row": 50}  # at once, not after another five seconds
    resumed = shared.open("0", {"row": 500})
    assert resumed.poll(1_000).batch is None
    clock.advance(1)
    assert resumed.poll(1_000).position == {"row": 510}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    first=st.integers(0, 2**40),
    disorder=st.integers(0, 10_000_000),
    rate=st.sampled_from([1, 3, 1_000, 9_999, 10_000_000]),
)
def test_disorder_is_bounded_and_late_rows_are_beyond_it(seed: int, first: int, disorder: int, rate: int) -> None:
    times = EventTimes(seed, 0, rate, disorder, late=0.01, late_by_us=1_000_000)
    numbers = row_numbers(first, 2_000)
    behind = times.in_order(numbers) - times.of(numbers)
    assert behind.min() >= 0
    assert behind.max() <= disorder + 1_000_000
    punctual = EventTimes(seed, 0, rate, disorder).of(numbers)
    late = behind > disorder
    assert np.array_equal(times.of(numbers)[~late], punctual[~late])
    # never behind the watermark max(ts) - disorder of the rows before it
    assert (punctual >= np.maximum.accumulate(punctual) - disorder).all()


def test_one_row_in_a_thousand_is_late_by_default() -> None:
    ordered = rows(0, 200_000, preset="market", late="0").column("ts").cast(pa.int64()).to_numpy()
    default = rows(0, 200_000, preset="market").column("ts").cast(pa.int64()).to_numpy()
    assert 130 < (ordered != default).sum() < 270
    nexmark = rows(0, 50_000, preset="nexmark").column("date_time").cast(pa.int64()).to_numpy()
    assert (np.diff(nexmark) >= 0).all()


def test_nexmark_has_the_shape_of_nexmark() -> None:
    bids = rows(920_000, 46_000, preset="nexmark")
    # 46 bids of every 50 events, 10 000 events a second: 46 000 bids are 5 s
    span = pc.max(bids.column("date_time")).as_py() - pc.min(bids.column("date_time")).as_py()
    assert timedelta(seconds=4.9) < span <= timedelta(seconds=5)
    auction, bidder = bids.column("auction").to_numpy(), bids.column("bidder").to_numpy()
    group = (920_000 + np.arange(46_000)) // 46
    hot_auction = (group * 3 + 2) // 100 * 100 + 1_000
    assert 0.49 < (auction == hot_auction).mean() < 0.53
    assert 0.74 < (bidder == group // 100 * 100 + 1 + 1_000).mean() < 0.77
    assert (auction <= group * 3 + 2 + 1_000 + 11).all()
    assert (auction >= group * 3 + 2 + 1_000 - 100 - 100).all()
    assert 100 <= pc.min(bids.column("price")).as_py() <= pc.max(bids.column("price")).as_py() < 100_000_000


def test_nexmark_tables_agree_on_time() -> None:
    people = rows(0, 3, preset="nexmark", table="person").column("date_time").to_pylist()
    auctions = rows(0, 4, preset="nexmark", table="auction").column("date_time").to_pylist()
    bids = rows(0, 47, preset="nexmark").column("date_time").to_pylist()
    start = datetime(2024, 1, 1)
    events = [(t - start) / timedelta(microseconds=100) for t in (*people, *auctions, bids[0], bids[45], bids[46])]
    assert events == [0, 50, 100, 1, 2, 3, 51, 4, 49, 54]


def test_market_prices_are_exact_cents_near_their_base() -> None:
    batch = rows(0, 50_000, preset="market")
    prices = batch.filter(pc.equal(batch.column("symbol"), "KO")).column("price")
    low, high = pc.min(prices).as_py(), pc.max(prices).as_py()
    assert 56 < low < high < 64
    assert str(low).split(".")[1] != ""
    assert set(batch.column("side").to_pylist()) == {"buy", "sell"}
    assert pc.min(batch.column("size")).as_py() >= 1


def test_sensors_have_nulls_and_nans_apart() -> None:
    temperature = rows(0, 50_000, preset="sensors").column("temperature")
    assert 200 < temperature.null_count < 600
    assert 20 < pc.sum(pc.is_nan(temperature)).as_py() < 90


def values(first: int, **options: Any) -> list[object]:
    return list(rows(first, 1, **options).to_pylist()[0].values())


def test_these_very_rows() -> None:
    """Rows may never change under a seed: logged positions mean the rows that were computed then."""
    assert values(123_456, preset="market", seed="7", disorder="2s") == [
        datetime(2024, 1, 1, 0, 2, 1, 580_765), "KO", Decimal("59.75"), 400, "sell", "XNYS", 123_456,
    ]  # fmt: skip
    assert values(123_456, preset="sensors", seed="7") == [
        datetime(2024, 1, 1, 0, 2, 3, 456_000), 172, "site-c", 16.99, 46.78, "ok",
    ]  # fmt: skip
    assert values(123_456, preset="nexmark", seed="7") == [
        8_970, 3_601, 40_200_000, "channel-3505", "https://www.nexmark.com/ekxrg/grxke/item.htm?query=1&channel_id=515",
        datetime(2024, 1, 1, 0, 0, 13, 419_200), "11s4azw2vgl5hx5kmowjitt2stydblpx",
    ]  # fmt: skip


def word(row: int, seed: int, stream: int) -> int:
    """splitmix64 in plain integers."""
    mask = 2**64 - 1
    x = (row * 0x9E3779B97F4A7C15 + seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03 + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


@given(row=st.integers(0, 2**40), seed=st.integers(0, 2**63 - 1))
@settings(max_examples=50, deadline=None)
def test_market_follows_its_documented_formula(row: int, seed: int) -> None:
    h, h2 = word(row, seed, 1), word(row, seed, 2)
    symbol = int(WEIGHTED[h & 63])
    period = 60_000 + 7_000 * symbol
    wave = abs(2 * (row % period) - period) * 100 // period - 50
    noise = ((h >> 8 & 0xFFFFFF) * 21) >> 24
    cents = SYMBOLS[symbol][1] * (1_000 + wave + noise - 10) // 1_000
    scaled = h2 & 0xFFFFFF
    size = 1 + (scaled * 99 >> 24) if h2 >> 24 & 3 == 0 else 100 * (1 + (scaled * 10 >> 24))
    size *= 100 if h2 >> 32 & 511 == 0 else 1
    expected = [SYMBOLS[symbol][0], Decimal(cents) / 100, size, ("buy", "sell")[h2 >> 41 & 1]]
    assert values(row, preset="market", seed=str(seed))[1:5] == expected


def test_columns_may_be_chosen_and_widened() -> None:
    columns = pa.schema([("price", pa.float64()), ("symbol", pa.string())])
    opened = source(columns=columns, preset="market")
    batch = opened.open("0", {}).poll(3).batch
    assert batch is not None
    assert batch.schema.equals(columns)
    with pytest.raises(UndefinedColumn, match='preset "market" has no column "volume"'):
        source(columns=pa.schema([("volume", pa.int64())]), preset="market")
    with pytest.raises(DatatypeMismatch, match=r'column "price" of preset "market" is numeric\(12,2\), not bigint'):
        source(columns=pa.schema([("price", pa.int64())]), preset="market")


def test_a_table_is_only_for_nexmark() -> None:
    with pytest.raises(InvalidParameter, match='preset "market" has only one table'):
        source(preset="market", table="bid")
    with pytest.raises(InvalidParameter, match='"preset"'):
        source()
