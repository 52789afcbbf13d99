"""Rows kept in order: what a second takes in, and what a change costs as the state grows ×1, ×10, ×100.

Each case is a view of one relation. Rows are loaded in batches; where rows can
be taken back, epochs of the same size follow, half of it old rows. What the
view holds in the end is compared with DuckDB's batch answer over the same rows,
whose time on one thread is the other side of the ratio.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from bench.table import Table
from constellationdb.engine.batch import concat, expanded, netted
from constellationdb.engine.graph import Graph, Input
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

SIZES = (40_000, 400_000, 4_000_000)
_CHUNK = 65_536
_EPOCHS, _CHANGES = 20, 2_000
_ROW = pa.schema([("id", pa.int64()), ("k", pa.int64()), ("x", pa.int64()), ("ts", pa.int64())])


@dataclass(frozen=True)
class Case:
    """A query that both answer; ``growing``: rows only come, the latest last."""

    sql: str
    growing: bool


_PLACED = "SELECT *, row_number() OVER (PARTITION BY k ORDER BY x DESC, id) AS n FROM t"
_TOP = f"SELECT id, k, x FROM ({_PLACED}) q WHERE n <= 10"
_FRAME = "OVER (PARTITION BY k ORDER BY ts, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)"
_MOVING = f"SELECT id, k, sum(x) {_FRAME} AS total FROM t"
_WINDOW = "WINDOW w AS (PARTITION BY k ORDER BY ts, id)"
_RUNNING = f"SELECT id, sum(x) OVER w AS total, lag(x) OVER w AS before FROM t {_WINDOW}"
_FIRST = "SELECT DISTINCT ON (k) k, id, x FROM t ORDER BY k, ts DESC, id DESC"
CASES = {
    "top 10 per key, rows that come": Case(_TOP, growing=True),
    "top 10 per key": Case(_TOP, growing=False),
    "the last row per key, rows that come": Case(_FIRST, growing=True),
    "first 10 of all": Case("SELECT id, x FROM t ORDER BY x DESC, id LIMIT 10", growing=False),
    "moving frame, rows that come": Case(_MOVING, growing=True),
    "moving frame": Case(_MOVING, growing=False),
    "running sum and lag, rows that come": Case(_RUNNING, growing=True),
}


@dataclass(frozen=True)
class Line:
    case: str
    rows: int
    rows_per_s: int
    ratio_to_duckdb: float
    epoch_us: float | None  # the median epoch of so many changes; None where nothing is taken back
    answer_ok: bool


def measure(names: Sequence[str], sizes: Sequence[int]) -> Iterator[Line]:
    for name in names:
        for rows in sizes:
            yield _line(name, CASES[name], rows)


def _line(name: str, case: Case, count: int) -> Line:
    random = np.random.default_rng(7)
    rows = _rows(random, 0, count, keys=max(count // 40, 1))
    graph = _graph(case)
    deltas = [graph.start(0).delta]
    begin, epoch = time.perf_counter(), 0
    for first in range(0, count, _CHUNK):
        epoch += 1
        deltas.append(graph.run(epoch, {"t": Input(rows.slice(first, _CHUNK))}).delta)
    loaded, spent = time.perf_counter() - begin, []
    for _ in range(0 if case.growing else _EPOCHS):
        epoch += 1
        rows, change = _changed(random, rows, keys=max(count // 40, 1))
        begin = time.perf_counter()
        deltas.append(graph.run(epoch, {"t": Input(change)}).delta)
        spent.append(time.perf_counter() - begin)
    seconds, ok = _checked(case, rows, deltas)
    epoch_us = statistics.median(spent) * 1e6 if spent else None
    return Line(name, count, round(count / loaded), round(seconds / loaded, 3), epoch_us, ok)


def _rows(random: np.random.Generator, first: int, count: int, keys: int) -> pa.RecordBatch:
    ids = np.arange(first, first + count)
    columns = [ids, random.integers(0, keys, count), random.integers(0, 1 << 40, count), ids // 3]
    return pa.RecordBatch.from_arrays([pa.array(c, pa.int64()) for c in columns], schema=_ROW)


def _changed(random: np.random.Generator, rows: pa.RecordBatch, keys: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The rows after an epoch, and its delta."""
    half = min(_CHANGES // 2, rows.num_rows // 2)
    goes = random.permutation(rows.num_rows)[:half]
    stays = np.delete(np.arange(rows.num_rows), goes)
    fresh = _rows(random, int(rows.column(0)[-1].as_py()) + 1, half, keys)
    weights = pa.array(np.repeat([-1, 1], half), pa.int64())
    delta = pa.concat_batches([rows.take(pa.array(goes)), fresh]).append_column("__weight", weights)
    return pa.concat_batches([rows.take(pa.array(stays)), fresh]), delta


def _graph(case: Case) -> Graph:
    statement = parse(case.sql)[0]
    assert isinstance(statement, Select)
    relation = PlannedRelation("t", "table", _ROW, append_only=case.growing)
    return Graph(ContinuousPlanner({"t": relation}).plan(statement.query).root)


def _checked(case: Case, rows: pa.RecordBatch, deltas: Sequence[pa.RecordBatch | None]) -> tuple[float, bool]:
    """DuckDB's time, and whether its answer is ours."""
    duck = duckdb.connect(config={"threads": 1})
    duck.register("arrow", pa.Table.from_batches([rows]))
    duck.execute("CREATE TABLE t AS SELECT * FROM arrow")
    begin = time.perf_counter()
    duck.execute(f"CREATE TABLE theirs AS {case.sql}")
    seconds = time.perf_counter() - begin
    whole = concat([d for d in deltas if d is not None])
    net = None if whole is None else netted(whole)
    if net is None:
        return seconds, False
    duck.register("ours", pa.Table.from_batches([expanded(net)]))
    differing = "SELECT count(*) FROM ((FROM {} EXCEPT ALL FROM {}) LIMIT 1)"
    pairs = ("ours", "theirs"), ("theirs", "ours")
    return seconds, not any(duck.execute(differing.format(*pair)).fetchall()[0][0] for pair in pairs)


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows", "rows/s", "ratio", f"{_CHANGES:,} changes", "answer"))
    for line in lines:
        change = "" if line.epoch_us is None else f"{line.epoch_us:,.0f} µs"
        answer = "right" if line.answer_ok else "WRONG"
        table.add(line.case, f"{line.rows:,}", f"{line.rows_per_s:,}", f"{line.ratio_to_duckdb:.2f}", change, answer)
    return table.text()
