"""Constant rows of a new job wait until a lookup table's copy is filled; also over a restart between two chunks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.graph import Graph, Input
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Emit, Query

_COPY = pa.schema([("k", pa.int64()), ("v", pa.string())])


@pytest.fixture
def root() -> plan.AnyNode:
    copy = PlannedRelation("d", "lookup table", _COPY, primary_key=("k",), replicated=True, connector="inline")
    query = Query("SELECT w.k, d.v FROM (VALUES (1), (2), (3)) AS w(k) LEFT JOIN d ON d.k = w.k", emit=Emit("changes"))
    return ContinuousPlanner({"d": copy}).plan(query).root


def _chunk(rows: list[tuple[int, str]]) -> Input:
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(_COPY.types)]
    return Input(zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=_COPY), 1))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("restarted", [False, True])
def test_they_meet_the_whole_copy(root: plan.AnyNode, workers: int, restarted: bool) -> None:
    graph = Graph(root, workers=workers)
    assert graph.start(1).delta is None
    assert graph.run(1, {"d": _chunk([(1, "one")])}).delta is None
    if restarted:
        fresh = Graph(root, workers=workers)
        fresh.restore(graph.snapshot(), graph.watermarks(), 1)
        fresh.unfed()
        assert fresh.run(1, {"d": _chunk([(1, "one")])}).delta is None  # a copy is read again
        graph = fresh
    assert graph.run(1, {"d": _chunk([(2, "two")])}).delta is None
    graph.fed("d", 1)
    told = graph.run(1, {}).delta
    assert told is not None
    found = zip(told.column(0).to_pylist(), told.column(1).to_pylist(), strict=True)
    assert sorted(found) == [(1, "one"), (2, "two"), (3, None)]
    assert graph.run(2, {}).delta is None
