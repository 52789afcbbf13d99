"""A generic operator frees the keys that the watermark closes, also after a restart, and takes nothing back."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from constellationdb.engine.graph import Graph, Input
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

_SCHEMA = pa.schema([("k", pa.string()), ("b", pa.int32()), ("ts", pa.timestamp("us"))])
_SECOND = 1_000_000
_QUERY = (
    "SELECT k, window_start, {measures} FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY k, window_start, window_end"
)


def _planned(measures: str) -> plan.AnyNode:
    source = PlannedRelation("s", "source", _SCHEMA, append_only=True, times=(2,))
    statement = parse(_QUERY.format(measures=measures))[0]
    assert isinstance(statement, Select)
    return ContinuousPlanner({"s": source}).plan(statement.query).root


def _rows(*rows: tuple[str, int, int]) -> pa.RecordBatch:
    moments = [(k, b, second * _SECOND) for k, b, second in rows]
    columns = [pa.array(column, kind) for column, kind in zip(zip(*moments, strict=True), _SCHEMA.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _found(delta: pa.RecordBatch | None) -> list[Any]:
    return (
        []
        if delta is None
        else sorted((row[0], row[2], row[-1]) for row in zip(*delta.to_pydict().values(), strict=True))
    )


def _kept(graph: Graph) -> int:
    """Rows of state but those of errors."""
    return sum(batch.num_rows for name, batch in graph.snapshot().items() if not name.endswith("failures"))


@pytest.mark.parametrize("restarted", [False, True])
def test_closed_windows_are_freed(restarted: bool) -> None:
    root = _planned("string_agg(b::text, ',' ORDER BY b)")
    assert any(isinstance(node, plan.Recompute) and node.closing for node in plan.walk(root))
    graph = Graph(root)
    out = graph.run(1, {"s": Input(_rows(("a", 1, 1), ("a", 2, 12), ("b", 3, 5)), 9 * _SECOND)})
    assert _found(out.delta) == [("a", "1", 1), ("a", "2", 1), ("b", "3", 1)]
    assert _kept(graph) == 6
    if restarted:
        again = Graph(root)
        again.restore(graph.snapshot(), graph.watermarks(), 1)
        graph = again
    out = graph.run(2, {"s": Input(_rows(("a", 4, 3), ("a", 5, 13)), 11 * _SECOND)})
    assert _found(out.delta) == [("a", "1", -1), ("a", "1,4", 1), ("a", "2", -1), ("a", "2,5", 1)]
    assert _kept(graph) == 3  # two rows and an answer
    out = graph.run(3, {"s": Input(_rows(("a", 6, 4), ("a", 7, 14)), 30 * _SECOND)})
    assert _found(out.delta) == [("a", "2,5", -1), ("a", "2,5,7", 1)]  # the first came late
    assert _kept(graph) == 0


@pytest.mark.parametrize("measures", ["max(b), count(DISTINCT b)", "stddev(b), bit_or(b)", "corr(b, b)", "max(k)"])
def test_accumulators_of_closed_windows_are_freed(measures: str) -> None:
    graph = Graph(_planned(measures))
    graph.run(1, {"s": Input(_rows(("a", 1, 1), ("a", 2, 12), ("b", 3, 5)), 9 * _SECOND)})
    assert _kept(graph) > 0
    graph.run(2, {"s": Input(None, 30 * _SECOND)})
    assert _kept(graph) == 0
