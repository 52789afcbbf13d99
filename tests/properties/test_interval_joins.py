"""Joins of streams by their times: DuckDB's answer over the rows in time, after every epoch, from a state that does not
grow. Rows that come too late to find all they match are counted, and no others."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from constellationdb.engine.graph import Graph, Input, Output
from constellationdb.engine.operators import counts, join, sweep
from constellationdb.engine.operators.base import NO_WATERMARK, Context
from constellationdb.engine.operators.punctual import punctual
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.lower import times
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Emit, Query
from tests.properties.interval_forms import BUCKETS, FORMS, TUMBLED

STAMP = pa.timestamp("us")
SCHEMA = pa.schema([("k", pa.int64()), ("ts", STAMP), ("v", pa.int64())])
BASE = datetime.datetime(2024, 5, 1)
SECOND = datetime.timedelta(seconds=1)
DELAY = 5
EPOCHS = 160
# Beyond the first, every fourth is compared with DuckDB; ``make oracle`` compares all.
COMPARED = EPOCHS if "CONSTELLATION_ORACLE_RUNS" in os.environ else 40
Row = tuple[Any, ...]


@dataclass
class Stream:
    name: str
    latest: datetime.datetime | None = None
    rows: list[Row] = field(default_factory=list)
    mark: datetime.datetime | None = None

    def step(self, random: Random, now: datetime.datetime) -> list[Row]:
        new = [self._row(random, now) for _ in range(random.choice((0, 2, 4, 6)))]
        self.rows += new
        times = [row[1] for row in new if row[1] is not None]
        self.latest = max([*times, *([self.latest] if self.latest else [])], default=None)
        return new

    def _row(self, random: Random, now: datetime.datetime) -> Row:
        back = random.choice((0, 1, 2, 3, 4, 4, 12)) * SECOND
        time = None if random.random() < 0.05 else now - back
        return random.choice((None, 1, 2, 3)), time, random.randrange(4)


def _micros(at: datetime.datetime | None) -> int:
    return NO_WATERMARK if at is None else (at - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


class Run:
    """One form over three streams; ``kept`` holds what came in time, for DuckDB."""

    def __init__(self, name: str, seed: int) -> None:
        self.form, self.random = FORMS[name], Random(f"{name}/{seed}")
        relations = {
            n: PlannedRelation(n, "source", SCHEMA, append_only=True, times=(1,), delay_us=DELAY * 1_000_000)
            for n in "abc"
        }
        emit = Emit("on_window_close") if self.form.closed else None
        self.sql = self.form.sql.replace("{X}", TUMBLED["a"])
        self.root = ContinuousPlanner(relations).plan(Query(self.sql, emit=emit)).root
        self.workers = 1 + seed % 2
        self.graph = Graph(self.root, workers=self.workers)
        self.streams = {n: Stream(n) for n in self.graph.relations}
        self.database = duckdb.connect()
        for n in "abc":
            self.database.execute(f"CREATE TABLE {n} (k BIGINT, ts TIMESTAMP, v BIGINT)")
        self.content: Counter[Row] = Counter()
        self.assigned = self.used = self.dropped = self.late = 0
        self.mark: datetime.datetime | None = None

    def steps(self) -> Iterator[int]:
        self.graph.start(0)
        for epoch in range(1, EPOCHS + 1):
            now = BASE + epoch * SECOND
            new = {n: stream.step(self.random, now) for n, stream in self.streams.items()}
            for n, rows in new.items():
                self._keep(n, rows)
            inputs = {n: Input(_batch(rows), self._mark(self.streams[n])) for n, rows in new.items()}
            self._add(self.graph.run(epoch, inputs))
            self.mark = self._least("abc")
            yield epoch
            if self.random.random() < 0.05:
                state, watermarks = self.graph.snapshot(), self.graph.watermarks()
                self.graph = Graph(self.root, workers=self.workers)
                self.graph.restore(state, watermarks, epoch)

    def _keep(self, name: str, rows: list[Row]) -> None:
        """For DuckDB, what is in time by the watermarks of the epoch before: the stream's own, and the least of all."""
        for row in rows:
            self.assigned += (name in self.form.late) + (name in self.form.windowed and row[1] is not None)
            if row[1] is None or not self._is_late(name, row[1]):
                self.database.execute(f"INSERT INTO {name} VALUES (?, ?, ?)", row)
            else:
                self.late += 1

    def _is_late(self, name: str, time: datetime.datetime) -> bool:
        own = self.streams[name].mark
        if name in self.form.windowed and own is not None:
            return time - (time - BASE) % (10 * SECOND) + 10 * SECOND <= own
        met = self._least("abc" if name == "c" else "ab")  # c is joined to the join of the others
        return name in self.form.late and met is not None and time < met

    def _least(self, names: str) -> datetime.datetime | None:
        marks = [stream.mark for name, stream in self.streams.items() if name in names]
        return None if None in marks else min(mark for mark in marks if mark is not None)

    def _mark(self, stream: Stream) -> int:
        stream.mark = None if stream.latest is None else stream.latest - DELAY * SECOND
        return _micros(stream.mark)

    def _add(self, output: Output) -> None:
        self.used += output.used
        self.dropped += output.dropped + sum(batch.num_rows for batch in output.late)
        if output.delta is None:
            return
        for row in output.delta.to_pylist():
            weight = row.pop("__weight", 1)
            self.content[tuple(row.values())] += weight
            assert weight > 0 or not self.form.closed

    def expected(self) -> Counter[Row]:
        sql = (self.form.duck or self.sql).replace(TUMBLED["a"], BUCKETS["a"])
        if not self.form.closed:
            return Counter(self.database.execute(sql).fetchall())
        if self.mark is None:
            return Counter()
        sql = f"WITH answer AS ({sql}) SELECT * FROM answer WHERE {self.form.closed.replace('mark', '$mark')}"
        return Counter(self.database.execute(sql, {"mark": self.mark}).fetchall())

    def state(self) -> int:
        """Rows in the state of joins and what stands on them."""
        return sum(batch.num_rows for batch in self.graph.snapshot().values())


def _batch(rows: list[Row]) -> pa.RecordBatch | None:
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(SCHEMA.types)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA) if rows else None


@pytest.mark.parametrize("name", FORMS)
def test_is_the_batch_answer_from_a_bounded_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_SMALL", 8)
    monkeypatch.setattr(counts, "_COMPACT_ABOVE", 8)
    run = Run(name, sum(name.encode()))
    most = 0
    for epoch in run.steps():
        if epoch <= COMPARED or epoch % 4 == 0:
            assert +run.content == +run.expected(), f"epoch {epoch}"
        most = max(most, run.state())
    assert sum(run.content.values()) > 10
    assert run.dropped == run.late > 0
    if "c" not in run.streams and not (run.form.late and run.form.windowed):  # each operator counts what it gets
        assert run.used + run.dropped == run.assigned
    if run.form.most is not None:
        assert most <= run.form.most
        assert sum(len(s.rows) for s in run.streams.values()) > 2 * run.form.most


@pytest.mark.parametrize("name", FORMS)
def test_explains_what_frees_its_rows(name: str) -> None:
    joins = [node for node in plan.walk(Run(name, 0).root) if isinstance(node, plan.Join)]
    assert all(any(plan.expiry(node)) for node in joins)


def _frees_early(patch: pytest.MonkeyPatch) -> None:
    known = join.JoinOperator._evict

    def evict(self: Any, context: Context) -> None:
        known(self, Context(context.epoch, context.watermark_before, context.watermark + 2_000_000))

    patch.setattr(join.JoinOperator, "_evict", evict)


def _joins_late_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(join, "punctual", lambda batch, _time, _context: batch)


def _late_by_the_watermark_of_this_epoch(patch: pytest.MonkeyPatch) -> None:
    def early(batch: Any, time: Any, context: Context) -> Any:
        now = Context(context.epoch, context.watermark, context.watermark)
        found = punctual(batch, time, now)
        context.used, context.dropped = context.used + now.used, context.dropped + now.dropped
        return found

    patch.setattr(join, "punctual", early)


def _closes_with_its_own_side(patch: pytest.MonkeyPatch) -> None:
    known = times._closing
    patch.setattr(times, "_closing", lambda node, time, _offset_us: known(node, time, 0))


@pytest.mark.parametrize(
    "bug", [_frees_early, _joins_late_rows, _late_by_the_watermark_of_this_epoch, _closes_with_its_own_side]
)
def test_a_planted_bug_is_seen(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_SMALL", 8)
    bug(monkeypatch)
    for name in ("left", "left on close", "grouped on close"):
        run = Run(name, 1)
        if any(+run.content != +run.expected() for _ in run.steps()) or run.dropped != run.late:
            return
    pytest.fail("not seen")
