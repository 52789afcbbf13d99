"""A query with accumulators answers at every epoch as the same query computed again group by group.

Rows come and go, in any cut into epochs and with NULL keys; the fast graph is
restarted from its state midway.
"""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.engine.graph import Graph, Input
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.lower import aggregate
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

_SCHEMA = pa.schema(
    [("k", pa.string()), ("b", pa.int32()), ("c", pa.int64()), ("f", pa.float64()), ("d", pa.decimal128(12, 2)),
     ("s", pa.string()), ("x", pa.bool_()), ("t", pa.timestamp("us"))]
)  # fmt: skip
_MEASURES = (
    "min(b), max(b), min(c), max(c)",
    "min(f), max(f)",
    "min(d), max(d), min(s), max(s)",
    "min(t), max(t), max(t) FILTER (WHERE x)",
    "count(DISTINCT b), sum(DISTINCT b), sum(DISTINCT c), count(DISTINCT s), sum(DISTINCT d)",
    "count(*), sum(b), count(DISTINCT b) FILTER (WHERE x), max(b) FILTER (WHERE x), min(DISTINCT b)",
    "bool_and(x), bool_or(x), bool_and(DISTINCT x), every(b > 1)",
    "bit_and(b), bit_or(c), bit_xor(b), bit_xor(DISTINCT c)",
    "var_pop(b), stddev(b), var_samp(DISTINCT b), stddev_pop(b) FILTER (WHERE x)",
    "covar_pop(b, c), covar_samp(b, c), corr(b, c), regr_slope(b, c), regr_r2(b, c), regr_count(b, c)",
    "count(DISTINCT (b, s)), count((b, s))",
)
_KEYS = ("k", "k, x", "")


def _row(random: Random) -> tuple[Any, ...]:
    def maybe(value: Any) -> Any:
        return None if random.random() < 0.15 else value

    return (
        maybe(random.choice("abc")), maybe(random.randint(-3, 4)), maybe(random.choice([-7, 0, 1, 12])),
        maybe(random.choice([0.0, -0.0, math.nan, -math.inf, 1e16, 0.1, -0.1])),
        maybe(Decimal(random.randint(-300, 300)) / 100), maybe(random.choice(["", "a", "b", "ab", "abcdefghi"])),
        maybe(random.random() < 0.5), maybe(random.randint(0, 5) * 10**12),
    )  # fmt: skip


def _epochs(random: Random) -> list[pa.RecordBatch]:
    held: list[tuple[Any, ...]] = []
    made = []
    for _ in range(12):
        rows, weights = [], []
        for _ in range(random.randint(1, 25)):
            if held and random.random() < 0.5:
                rows.append(held.pop(random.randrange(len(held))))
                weights.append(-1)
            else:
                rows.append(_row(random))
                weights.append(1)
                held.append(rows[-1])
        columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), _SCHEMA.types, strict=True)]
        schema = _SCHEMA.append(pa.field("__weight", pa.int64()))
        made.append(pa.RecordBatch.from_arrays([*columns, pa.array(weights)], schema=schema))
    return made


def _planned(sql: str) -> plan.AnyNode:
    relation = PlannedRelation("t", "table", _SCHEMA)
    statement = parse(sql)[0]
    assert isinstance(statement, Select)
    return ContinuousPlanner({"t": relation}).plan(statement.query).root


class _Contents:
    """The sum of a graph's changes."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, ...]] = Counter()

    def add(self, delta: pa.RecordBatch | None) -> None:
        for row in () if delta is None else delta.to_pylist():
            weight = row.pop("__weight", 1)
            self.rows[tuple(_shown(value) for value in row.values())] += weight
        self.rows = Counter({row: count for row, count in self.rows.items() if count})
        assert min(self.rows.values(), default=1) > 0


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value + 0.0:.11g}"  # the two add in different orders
    return repr(value)


@pytest.mark.parametrize("keys", _KEYS, ids=lambda keys: keys.replace(", ", "-") or "global")
@pytest.mark.parametrize("measures", _MEASURES)
def test_fast_as_generic(measures: str, keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = f"SELECT {keys}, {measures} FROM t GROUP BY {keys}" if keys else f"SELECT {measures} FROM t"
    fast = _planned(sql)
    monkeypatch.setattr(aggregate, "accumulated", lambda _stream, _call, **_how: None)
    generic = _planned(sql)
    kinds = [{type(node).__name__ for node in plan.walk(root)} for root in (fast, generic)]
    assert "Aggregate" in kinds[0]
    assert "Recompute" not in kinds[0]
    assert "Recompute" in kinds[1]

    graphs = [Graph(fast), Graph(generic)]
    contents = [_Contents(), _Contents()]
    for graph, content in zip(graphs, contents, strict=True):
        content.add(graph.start(0).delta)
    for epoch, delta in enumerate(_epochs(Random(sql)), 1):
        for graph, content in zip(graphs, contents, strict=True):
            output = graph.run(epoch, {"t": Input(delta)})
            assert not output.errors
            content.add(output.delta)
        assert contents[0].rows == contents[1].rows, f"epoch {epoch}"
        if epoch % 5 == 0:
            state, watermarks = graphs[0].snapshot(), graphs[0].watermarks()
            graphs[0] = Graph(fast)
            graphs[0].restore(state, watermarks, epoch)
