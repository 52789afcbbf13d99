"""A view over two changing tables, stepped as its job would, and what DuckDB answers over the same rows."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.sinks import Answer
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.batch import Delta
from constellationdb.engine.graph import CLOCK, Graph, Input
from constellationdb.engine.operators.base import LookupAnswer
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.engine.relation import RelationState
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

SCHEMA = pa.schema([("id", pa.int64()), ("k", pa.int64()), ("v", pa.int64())])
BEGIN = "2024-01-01 00:00:00"  # the clock's first second; a row's own is as many later as its id
_BEGIN_US = int(datetime.fromisoformat(BEGIN).replace(tzinfo=UTC).timestamp()) * 1_000_000
_LOADED = 65_536  # rows an epoch, before the clock runs
_SIDE = pa.schema([("key", pa.int64()), ("w", pa.int64())])  # a lookup table: of every key three times as much


class Changing:
    """One table: its rows by id, of which the oldest go."""

    def __init__(self, keys: int, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._keys = keys
        self.brought = 0
        self._rows: list[pa.RecordBatch] = []
        self.contents = Arrangement(SCHEMA, unique=(0,))

    def add(self, count: int) -> pa.RecordBatch:
        ids = np.arange(self.brought, self.brought + count)
        columns = [ids, self._random.integers(0, self._keys, count), self._random.integers(0, 100, count)]
        made = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)
        self.brought += count
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
    """A query over ``a`` and ``b``, which have ``state`` rows each and ``keys`` values of ``k``."""

    def __init__(self, sql: str, state: int, keys: int) -> None:
        statement = parse(sql)[0]
        assert isinstance(statement, Select)
        self._tables = {name: Changing(keys, seed) for seed, name in enumerate("ab")}
        states = {n: RelationState(n, SCHEMA, t.contents, 0) for n, t in self._tables.items()}
        relations = {n: PlannedRelation(n, "table", SCHEMA, primary_key=("id",)) for n in states}
        relations["side"] = PlannedRelation("side", "lookup table", _SIDE, primary_key=("key",))
        self.root = ContinuousPlanner(relations).plan(statement.query).root
        self._graph = Graph(
            self.root,
            lookups=lambda node: LookupJoinOperator(node, _SIDE, None),
            borrow=lambda name, keys: states[name].index(keys),
        )
        self._contents = Arrangement(self.root.schema, deferred=True)
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
        read = {n: Input(d) for n, d in deltas.items() if n in self._graph.relations}
        if CLOCK in self._graph.relations:
            read[CLOCK] = Input(None, self._now_us)
        begin = time.process_time()
        self._run(read)
        seconds = time.process_time() - begin
        for table in self._tables.values():
            table.contents.compact(self._epoch)
        return seconds

    @property
    def _now_us(self) -> int:
        return _BEGIN_US + self._tables["a"].brought * 1_000_000

    def _run(self, read: dict[str, Input]) -> None:
        """An epoch, and where it asks something another one that brings the answers."""
        output = self._graph.run(self._epoch, read)
        self._take(output.delta)
        if output.requests:
            self._epoch += 1
            answers = {request.node: [_answer(request.keys)] for request in output.requests}
            self._take(self._graph.run(self._epoch, {}, answers).delta)

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
        connection.execute("SET TimeZone = 'UTC'")
        begin = time.process_time()
        found = connection.sql(sql.replace("$now", f"make_timestamptz({self._now_us})")).to_arrow_table()
        seconds = time.process_time() - begin
        for batch in found.to_batches():
            answer.add(batch)
        return seconds

    def answer(self, answer: Answer) -> None:
        for batch in self._contents.version.scan(self._epoch).to_batches():
            answer.add(batch)


def _answer(keys: pa.RecordBatch) -> LookupAnswer:
    key = keys.column(0)
    return LookupAnswer(keys, pa.RecordBatch.from_arrays([key, pc.multiply(key, 3)], schema=_SIDE))
