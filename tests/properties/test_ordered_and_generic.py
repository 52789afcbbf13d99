"""First rows and window functions are at every epoch what the whole query, computed again, would show.

Rows come and go (or only come), tie, are equal or NULL, in any cut into epochs;
the fast graph is restarted from its state midway.
"""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.engine import ordered
from constellationdb.engine.graph import Graph, Input
from constellationdb.engine.operators import over
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.lower import aggregate, order, relational, window
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

_SCHEMA = pa.schema(
    [("k", pa.string()), ("b", pa.int32()), ("c", pa.int64()), ("f", pa.float64()), ("d", pa.decimal128(12, 2)),
     ("s", pa.string()), ("x", pa.bool_()), ("t", pa.timestamp("us"))]
)  # fmt: skip
_RANKED = (
    "SELECT {columns} FROM (SELECT *, {rank}() OVER (PARTITION BY {keys} ORDER BY {order}) AS n FROM t) q WHERE {test}"
)


def _ranked(order: str, test: str, columns: str = "*", rank: str = "row_number", keys: str = "k") -> str:
    return _RANKED.format(order=order, test=test, columns=columns, rank=rank, keys=keys)


_QUERIES = (
    _ranked("b", "n <= 3"),
    _ranked("b DESC", "n <= 3", "k, b, c, s"),
    _ranked("s DESC NULLS LAST, d", "n < 3 AND (x OR b > 0)", "k, s, d, b, c, f, t"),
    _ranked("s, c", "n = 1", "k, s, c, b, f, d, x, t"),
    _ranked("d DESC", "n = 2", "k, d, b, c, s"),
    _ranked("d NULLS FIRST", "3 >= n", keys="k, x"),
    _ranked("f", "n <= 2", keys="x"),
    _ranked("f DESC, t", "n <= 4", "k, f, t", keys="f, k"),
    _ranked("t DESC, b * c", "n <= 1", "k, t, b, c"),
    _ranked("b", "n <= 2", rank="rank"),
    _ranked("s DESC", "n <= 3", "k, s, b", rank="rank"),
    _ranked("b % 2, x", "n < 3", rank="dense_rank"),
    _ranked("c", "n = 2", "k, c, n", rank="dense_rank", keys="s"),
    "SELECT * FROM (SELECT *, row_number() OVER (ORDER BY c DESC) AS n FROM t) q WHERE n <= 5",
    "SELECT * FROM t ORDER BY b LIMIT 5",
    "SELECT k, b FROM t ORDER BY b DESC, k LIMIT 4 OFFSET 3",
    "SELECT k, s, f FROM t ORDER BY f DESC NULLS LAST, d LIMIT 7",
    "SELECT * FROM (SELECT * FROM t ORDER BY s LIMIT 9) q ORDER BY d DESC LIMIT 4 OFFSET 1",
    "SELECT b, t FROM t LIMIT 3",
    "SELECT DISTINCT ON (k) k, b, c, f, d, s, x, t FROM t ORDER BY k, b DESC, c, f, d, s, x, t",
    "SELECT DISTINCT ON (x, k) s, d, k, x FROM t ORDER BY x, k, d, s, b, c, f, t",
)

_OVER = "SELECT *, {calls} FROM t WINDOW w AS (PARTITION BY {keys} ORDER BY {order})"


def _over(calls: str, order: str = "b, c", keys: str = "k") -> str:
    return _OVER.format(calls=calls, order=order, keys=keys)


_MOVING = "OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
_FUNCTIONS = (
    _over("row_number() OVER w"),
    _over("row_number() OVER w, count(*) OVER (w ROWS UNBOUNDED PRECEDING)", "s DESC NULLS LAST", "x"),
    _over("lag(b) OVER w, lag(s, 2) OVER w, lag(c, 1, 7) OVER w", "t"),
    _over("lead(b) OVER w, lead(f, 3) OVER w", "f DESC"),
    _over("lead(b, 2) OVER w, lag(b, 3) OVER w", "d", "k, x"),
    _over(f"sum(b) {_MOVING}, count(s) {_MOVING}, min(b) {_MOVING}, max(t) {_MOVING}"),
    _over(f"avg(b) {_MOVING}, avg(c) {_MOVING}", "t DESC, b"),
    _over(f"first_value(s) {_MOVING}, last_value(f) {_MOVING}, nth_value(b, 2) {_MOVING}", "s"),
    _over("sum(b) OVER (w ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING)", "c % 3"),
    _over("sum(c) OVER (w ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING)", "t"),
    _over("max(b) OVER (w ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING), row_number() OVER w", "t"),
    _over("sum(b) OVER w, count(*) OVER w, min(c) OVER w, max(t) OVER w", "b"),
    _over("sum(c) OVER w, avg(b) OVER w", "x, t"),
    _over("sum(c) OVER (w ROWS UNBOUNDED PRECEDING), first_value(s) OVER (w ROWS UNBOUNDED PRECEDING)", "d"),
    _over(f"sum(b) OVER w, sum(b) {_MOVING}, lag(b) OVER w, row_number() OVER w", "b % 2"),
    "SELECT *, sum(b) OVER (ORDER BY t), lag(t) OVER (ORDER BY t) FROM t",
)


def _row(random: Random) -> tuple[Any, ...]:
    def maybe(value: Any) -> Any:
        return None if random.random() < 0.15 else value

    return (
        maybe(random.choice("abc")), maybe(random.randint(-3, 4)), maybe(random.choice([-7, 0, 1, 12, 2**40])),
        maybe(random.choice([0.0, -0.0, math.nan, -math.inf, 1e16, 0.1, -0.1])),
        maybe(Decimal(random.randint(-300, 300)) / 100),
        maybe(random.choice(["", "a", "b", "ab", "abcdefghi", "abcdefgh", "abcdefghé"])),
        maybe(random.random() < 0.5), maybe(random.randint(0, 5) * 10**12),
    )  # fmt: skip


def _epochs(random: Random, *, growing: bool) -> list[pa.RecordBatch]:
    held: list[tuple[Any, ...]] = []
    made = []
    for _ in range(16):
        rows, weights = [], []
        for _ in range(random.randint(1, 30)):
            if held and not growing and random.random() < 0.5:
                rows.append(held.pop(random.randrange(len(held))))
                weights.append(-1)
            else:
                rows.append(random.choice(held) if held and random.random() < 0.1 else _row(random))
                weights.append(1)
                held.append(rows[-1])
        columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), _SCHEMA.types, strict=True)]
        batch = pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
        made.append(batch if growing else batch.append_column("__weight", pa.array(weights, pa.int64())))
    return made


def _planned(sql: str, *, growing: bool) -> plan.AnyNode:
    relation = PlannedRelation("t", "table", _SCHEMA, append_only=growing)
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
    return repr(value + 0.0) if isinstance(value, float) else repr(value)  # one zero


def _nothing(*_: Any) -> None:
    return None


@pytest.mark.parametrize("growing", [True, False], ids=["growing", "changing"])
@pytest.mark.parametrize("sql", _QUERIES)
def test_top_as_generic(sql: str, growing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = _planned(sql, growing=growing)
    with monkeypatch.context() as patch:
        patch.setattr(relational, "lower_ranked", _nothing)
        patch.setattr(window, "lower_over", _nothing)
        patch.setattr(order, "_window", _nothing)
        patch.setattr(aggregate, "lower_first", _nothing)
        generic = _planned(sql, growing=growing)
    _agree(fast, generic, "TopN", _epochs(Random(sql), growing=growing), monkeypatch)


@pytest.mark.parametrize("growing", [True, False], ids=["growing", "changing"])
@pytest.mark.parametrize("sql", _FUNCTIONS)
def test_over_as_generic(sql: str, growing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = _planned(sql, growing=growing)
    with monkeypatch.context() as patch:
        patch.setattr(window, "lower_over", _nothing)
        generic = _planned(sql, growing=growing)
    _agree(fast, generic, "Over", _epochs(Random(sql), growing=growing), monkeypatch)


def _agree(
    fast: plan.AnyNode, generic: plan.AnyNode, kind: str, epochs: list[pa.RecordBatch], patch: pytest.MonkeyPatch
) -> None:
    kinds = [{type(node).__name__ for node in plan.walk(root)} for root in (fast, generic)]
    assert kind in kinds[0]
    assert "Recompute" not in kinds[0]
    assert kind not in kinds[1]
    assert "Recompute" in kinds[1]

    patch.setattr(ordered, "_COMPACT_ABOVE", 4)
    patch.setattr(over, "_COMPACT_ABOVE", 4)
    graphs = [Graph(fast), Graph(generic)]
    contents = [_Contents(), _Contents()]
    for graph, content in zip(graphs, contents, strict=True):
        content.add(graph.start(0).delta)
    for epoch, delta in enumerate(epochs, 1):
        for graph, content in zip(graphs, contents, strict=True):
            output = graph.run(epoch, {"t": Input(delta)})
            assert not output.errors
            content.add(output.delta)
        assert contents[0].rows == contents[1].rows, f"epoch {epoch}"
        if epoch % 5 == 0:
            state, watermarks = graphs[0].snapshot(), graphs[0].watermarks()
            graphs[0] = Graph(fast)
            graphs[0].restore(state, watermarks, epoch)
