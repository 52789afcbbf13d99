"""Temporal filters equal the condition asked anew at every epoch's clock; and after a restart they say the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from constellationdb.clock import ManualClock
from constellationdb.engine import batch as zset
from constellationdb.engine.engine import Engine
from constellationdb.engine.graph import CLOCK, Graph, Input
from constellationdb.engine.operators.base import TICK_US
from constellationdb.engine.session import Session
from constellationdb.planner import plan

Row = tuple[Any, ...]
_STAMP = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema([("c0", pa.int64()), ("c1", _STAMP)])
_MEETS: dict[str, Callable[[int, int], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
_BOUNDS = [
    [(">", -1_000_000)],
    [(">=", -1_000_000)],
    [("<", 500_000)],
    [("<=", 0)],
    [(">=", -700_000), ("<=", 300_000)],
    [(">", 0), ("<", 1_000_001)],
    [(">", 200_000), ("<", -200_000)],  # never
]


def _node(bounds: list[tuple[str, int]]) -> plan.TemporalFilter:
    scan = plan.Scan(id=1, schema_ipc=plan.encode_schema(_SCHEMA), append_only=False, relation="t", columns=(0, 1))
    made = tuple(plan.ClockBound(1, operator, offset) for operator, offset in bounds)  # type: ignore[arg-type]
    return plan.TemporalFilter(id=2, schema_ipc=scan.schema_ipc, append_only=False, input=scan, bounds=made)


def _delta(rng: random.Random, present: Counter[Row], now: int) -> Input:
    net: Counter[Row] = Counter()
    for _ in range(rng.choice([0, 0, 1, 5])):
        if present and rng.random() < 0.4:
            row = rng.choice(list(present))
            if present[row] + net[row] > 0:
                net[row] -= 1
        else:
            edge = rng.choice([0, 1, -1, rng.randrange(-TICK_US, TICK_US)])
            time = now + rng.randrange(-25, 25) * TICK_US + edge
            net[rng.randrange(3), rng.choice([time, time, time, None, (1 << 63) - 1, -(1 << 63) + 1])] += 1
    rows = [row for row, weight in net.items() if weight]
    if not rows:
        return Input()
    present.update(net)
    for row in [row for row, count in present.items() if not count]:
        del present[row]
    columns = [pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows], pa.int64()).cast(_STAMP)]
    batch = pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
    return Input(zset.with_weights(batch, np.array([net[row] for row in rows], np.int64)))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", range(len(_BOUNDS)))
def test_every_epoch_is_the_condition_at_its_clock(number: int, workers: int) -> None:
    bounds, rng = _BOUNDS[number], random.Random(number * 10 + workers)
    graph, present, answer = Graph(_node(bounds), workers=workers), Counter[Row](), Counter[Row]()
    now, by_itself, seen = 1_700_000_000_000_000, 0, 0
    graph.run(0, {CLOCK: Input(None, now)})
    for epoch in range(1, 120):
        due = graph.due_us()
        assert due is None or due > now
        step = rng.choice([0, 1, 1, 2, 30]) * TICK_US
        if due is not None and due > now + step:  # the clock alone changes nothing before it is due
            assert graph.run(epoch, {CLOCK: Input(None, now + step)}).delta is None
        now += step
        told = _delta(rng, present, now)
        out = graph.run(epoch, {CLOCK: Input(None, now), "t": told}).delta
        by_itself += told.delta is None and out is not None
        if out is not None:
            columns = [out.column(0).to_pylist(), out.column(1).cast(pa.int64()).to_pylist(), out.column(2).to_pylist()]
            for key, time, weight in zip(*columns, strict=True):
                answer[key, time] += weight
        answer = Counter({row: count for row, count in answer.items() if count})
        expected = {
            row: count
            for row, count in present.items()
            if row[1] is not None and all(_MEETS[operator](row[1], now + offset) for operator, offset in bounds)
        }
        assert answer == expected, f"epoch {epoch}"
        seen += len(expected)
        if epoch % 25 == 0:
            again = Graph(_node(bounds), workers=workers)
            again.restore(graph.snapshot(), graph.watermarks(), epoch)
            graph = again
    assert bool(seen) == bool(by_itself) == (number < 6)


def _rows(session: Session, text: str) -> list[Row]:
    batches = [batch for result in session.execute(text) for batch in result.batches]
    return sorted((tuple(row.values()) for batch in batches for row in batch.to_pylist()), key=repr)


_START_US = 1_704_067_200_000_000  # 2024-01-01 00:00:00 UTC
_QUERIES = [
    "SELECT id, k FROM t WHERE ts > {now} - INTERVAL '5 seconds'",
    "SELECT k, count(*) AS n, sum(id) AS s FROM t WHERE ts >= {now} - INTERVAL '3 seconds' AND id % 2 = 0 GROUP BY k",
    "SELECT id FROM t WHERE ts BETWEEN {now} - INTERVAL '4 seconds' AND {now} + INTERVAL '2 seconds'",
    "SELECT id FROM t WHERE {now} < ts + INTERVAL '1 second' * k",
    "SELECT id FROM t WHERE {now} - INTERVAL '1 second' BETWEEN ts AND ts + INTERVAL '1 second' * (k + 2)",
    "SELECT a.id, b.id AS other FROM t a JOIN t b ON a.k = b.k AND a.id < b.id"
    " WHERE a.ts > {now} - INTERVAL '6 seconds' AND b.ts <= {now}",
    "SELECT a.id, b.id AS other FROM t a LEFT JOIN (SELECT * FROM t WHERE ts > {now} - INTERVAL '2 seconds') b"
    " ON a.k = b.k WHERE a.id < 20",
    "SELECT k, min(ts) AS m FROM t GROUP BY k HAVING min(ts) < {now} - INTERVAL '3 seconds'",
]


@pytest.mark.parametrize("number", range(len(_QUERIES)))
def test_views_are_what_duckdb_says_at_the_epochs_clock(number: int, tmp_path: Path) -> None:
    rng, duck, clock = random.Random(number), duckdb.connect(), ManualClock(_START_US)
    duck.execute("SET TimeZone = 'UTC'")
    query = _QUERIES[number]

    def answers() -> list[Row]:
        stamp = clock.now_us() // TICK_US * TICK_US
        asked = query.format(now=f"make_timestamptz({stamp})")
        rows = [tuple(row) for row in duck.execute(asked).fetchall()]
        return sorted(rows, key=repr)

    engine = Engine(tmp_path, clock=clock).start()
    session = engine.session()
    definition = "CREATE TABLE t (id int PRIMARY KEY, k int, ts timestamptz)"
    _rows(session, definition)
    duck.execute(definition)
    _rows(session, f"CREATE MATERIALIZED VIEW v AS {query.format(now='now()')}")
    found = 0
    for step in range(24):
        clock.advance(rng.choice([0, 0.05, 0.1, 0.7, 3.0]))
        for _ in range(rng.randrange(1, 4)):
            at = f"TIMESTAMPTZ '2024-01-01 00:00:{rng.randrange(40):02}.{rng.choice(['0', '1', '05', '000001'])}+00'"
            choices = [
                f"INSERT INTO t VALUES ({step * 10 + rng.randrange(9)}, {rng.randrange(3)}, {at})"
                " ON CONFLICT DO NOTHING",
                f"UPDATE t SET ts = {at} WHERE id % 5 = {rng.randrange(5)}",
                f"DELETE FROM t WHERE id % 7 = {rng.randrange(7)}",
            ]
            statement = rng.choices(choices, weights=[5, 1, 1])[0]
            _rows(session, statement)
            duck.execute(statement)
        assert _rows(session, "SELECT * FROM v") == answers()
        found += len(answers())
        if step % 6 == 5:  # a restart: from a checkpoint and the log, or from the log alone
            before = engine.epoch, _rows(session, "SELECT * FROM v")
            if step % 12 == 5:
                _rows(session, "CHECKPOINT")
            engine.close()
            engine = Engine(tmp_path, clock=clock).start()
            session = engine.session()
            assert (engine.epoch, _rows(session, "SELECT * FROM v")) == before
    assert found
    engine.close()
