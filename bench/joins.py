"""``python -m bench joins``: views that join two changing tables, from the tables' changes to the view's contents.

Each epoch updates as many rows of either table as ``changes`` says, half of them old rows that go and half new ones
that come. What is timed, in CPU seconds, is the view: its operators, the shared indexes they borrow, and its own
contents. The answer is compared with DuckDB's over the tables as they are in the end, and so is the time that DuckDB
takes for that one answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from bench.child import pin
from bench.sinks import Answer
from bench.table import Table
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.batch import Delta
from constellationdb.engine.graph import Graph, Input
from constellationdb.engine.relation import RelationState
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Query

SCHEMA = pa.schema([("id", pa.int64()), ("k", pa.int64()), ("v", pa.int64())])
_PAIRS = "SELECT a.id, a.v, b.id AS bid, b.v AS bv FROM a {} JOIN b ON a.k = b.k"
CASES = {
    "inner": _PAIRS.format("INNER"),
    "left": _PAIRS.format("LEFT"),
    "full": _PAIRS.format("FULL"),
    "left residual": _PAIRS.format("LEFT") + " AND a.v < b.v",
    "semi": "SELECT id, v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "anti": "SELECT id, v FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
}
_LOADED = 65_536  # rows an epoch, before the clock runs


@dataclass(frozen=True)
class Line:
    case: str
    state: int  # rows of each table
    changes: int  # of both tables in one epoch
    changes_per_s: int
    ms_per_epoch: float
    duckdb_seconds: float
    epochs_per_duckdb_answer: float  # how often the view is brought up to date in the time of one answer of DuckDB
    answer_ok: bool


class Changing:
    """One table: its rows by id, of which the oldest go."""

    def __init__(self, keys: int, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._keys = keys
        self._next = 0
        self._rows: list[pa.RecordBatch] = []
        self.contents = Arrangement(SCHEMA, unique=(0,))

    def add(self, count: int) -> pa.RecordBatch:
        ids = np.arange(self._next, self._next + count)
        columns = [ids, self._random.integers(0, self._keys, count), self._random.integers(0, 100, count)]
        made = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)
        self._next += count
        self._rows.append(made)
        return zset.with_weights(made, 1)

    def update(self, count: int) -> pa.RecordBatch:
        gone: list[pa.RecordBatch] = []
        left = count
        while left:
            oldest = self._rows.pop(0)
            if oldest.num_rows > left:
                self._rows.insert(0, oldest.slice(left))
            gone.append(oldest.slice(0, left))
            left -= gone[-1].num_rows
        return pa.concat_batches([*(zset.with_weights(rows, -1) for rows in gone), self.add(count)])

    def table(self) -> pa.Table:
        return pa.Table.from_batches(self._rows, SCHEMA)


class View:
    """A join over two changing tables, stepped as its job would."""

    def __init__(self, sql: str, state: int) -> None:
        self._tables = {name: Changing(state, seed) for seed, name in enumerate("ab")}
        states = {n: RelationState(n, SCHEMA, t.contents, 0) for n, t in self._tables.items()}
        relations = {n: PlannedRelation(n, "table", SCHEMA, primary_key=("id",)) for n in states}
        plan = ContinuousPlanner(relations).plan(Query(sql))
        self._graph = Graph(plan.root, borrow=lambda name, keys: states[name].index(keys))
        self._contents = Arrangement(plan.root.schema, deferred=True)
        self._epoch = 0
        self._take(self._graph.start(0).delta)
        for name in self._graph.relations:
            self._graph.fed(name, 0)
        for first in range(0, state, _LOADED):
            self.step({n: t.add(min(_LOADED, state - first)) for n, t in self._tables.items()})

    def updates(self, changes: int) -> dict[str, pa.RecordBatch]:
        return {name: table.update(changes // 4) for name, table in self._tables.items()}

    def step(self, deltas: dict[str, pa.RecordBatch]) -> float:
        self._epoch += 1
        for name, delta in deltas.items():
            self._tables[name].contents.apply(delta, self._epoch)
        begin = time.process_time()
        self._take(self._graph.run(self._epoch, {n: Input(d) for n, d in deltas.items()}).delta)
        seconds = time.process_time() - begin
        for table in self._tables.values():
            table.contents.compact(self._epoch)
        return seconds

    def _take(self, delta: Delta) -> None:
        change = None if delta is None else zset.netted(delta)
        if change is not None:
            self._contents.apply(change, self._epoch, netted=True)
            self._contents.compact(self._epoch)

    def duckdb_answer(self, sql: str, answer: Answer) -> float:
        connection = duckdb.connect()
        connection.execute("SET threads = 1")
        for name, table in self._tables.items():
            connection.register(name, table.table())
        begin = time.process_time()
        found = connection.sql(sql).to_arrow_table()
        seconds = time.process_time() - begin
        for batch in found.to_batches():
            answer.add(batch)
        return seconds

    def answer(self, answer: Answer) -> None:
        for batch in self._contents.version.scan(self._epoch).to_batches():
            answer.add(batch)


def measure(names: Sequence[str], state: int, changes: int, epochs: int, core: int) -> Iterator[Line]:
    """Each case with many changes an epoch; then with few, of one, ten and a hundred times as many rows."""
    pin(core)
    for name in names:
        yield _line(name, state, changes, epochs)
    for name in names:
        for rows in (state // 100, state // 10, state):
            yield _line(name, rows, 1000, epochs)


def _line(name: str, state: int, changes: int, epochs: int) -> Line:
    sql = CASES[name]
    view = View(sql, state)
    view.step(view.updates(changes))  # the first takes the memory that the others use again
    seconds = sum(view.step(view.updates(changes)) for _ in range(epochs))
    types = ["BIGINT"] * (2 if name in ("semi", "anti") else 4)
    ours, theirs = Answer(types), Answer(types)
    duckdb_seconds = view.duckdb_answer(sql, theirs)
    view.answer(ours)
    return Line(
        name,
        state,
        changes,
        round(epochs * changes / seconds),
        round(1000 * seconds / epochs, 2),
        round(duckdb_seconds, 4),
        round(duckdb_seconds * epochs / seconds, 2),
        ours.checksum() == theirs.checksum() and ours.checksum().rows > 0,
    )


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows a table", "changes", "changes/s", "ms/epoch", "DuckDB s", "epochs/DuckDB", "answer"))
    for line in lines:
        table.add(
            line.case,
            f"{line.state:,}",
            f"{line.changes:,}",
            f"{line.changes_per_s:,}",
            f"{line.ms_per_epoch:.2f}",
            f"{line.duckdb_seconds:.3f}",
            f"{line.epochs_per_duckdb_answer:.2f}",
            "ok" if line.answer_ok else "WRONG",
        )
    return table.text()
