"""A state is the last whole one and the changes since: a start from any link goes on as if there had been none.

At every epoch a graph is written down, as a whole or as what has changed, and set up anew from that. The next epoch
has to bring the same to both. Rows come, go, tie, are equal or NULL, and keys close with the watermark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from unittest.mock import ANY

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine import entry_changes, ordered
from constellationdb.engine.graph import CLOCK, Graph, Input
from constellationdb.engine.operators import noted, over, session_aggregate
from constellationdb.engine.operators.base import LookupAnswer, Stateless
from constellationdb.engine.operators.build import LookupFactory
from constellationdb.engine.operators.incremental import Incremental
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse
from tests.properties.chains import LONGEST, Chain

_TABLE = pa.schema([("k", pa.string()), ("b", pa.int64()), ("c", pa.int64())])
_STREAM = pa.schema([("k", pa.string()), ("v", pa.int64()), ("ts", pa.timestamp("us"))])
_CLOCKED = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", "UTC"))])
_SECOND = 1_000_000
_START = 1_700_000_000 * _SECOND

_QUERIES = {
    "TopN": "SELECT * FROM t ORDER BY b, c LIMIT 5",
    "TopN by key": "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY b) AS n FROM t) q WHERE n <= 2",
    "TopN that grows": "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM s) q"
    " WHERE n <= 2",
    "TopN of ranks that grows": "SELECT * FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM s) q"
    " WHERE n <= 2",
    "Over": "SELECT *, sum(b) OVER w, row_number() OVER w FROM t WINDOW w AS (PARTITION BY k ORDER BY c)",
    "Over without keys": "SELECT *, lag(c) OVER (ORDER BY b) FROM t",
    "Over times": "SELECT k, v, sum(v) OVER w AS s, row_number() OVER w AS n FROM s"
    " WINDOW w AS (PARTITION BY k ORDER BY ts ROWS UNBOUNDED PRECEDING)",
    "Over times that move": "SELECT *, sum(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING"
    " AND 1 FOLLOWING) AS s FROM s",
    "Over keys that close": "SELECT *, row_number() OVER (PARTITION BY k, ts ORDER BY v) AS n FROM s",
    "SessionAggregate": "SELECT k, window_start, count(*) AS n, sum(v) AS s, max(v) AS m, avg(v) AS a"
    " FROM SESSION(s, k, ts, INTERVAL '2 seconds') GROUP BY k, window_start, window_end",
    "SessionAggregate on close": "SELECT k, window_start, count(*) AS n, min(v) AS s"
    " FROM SESSION(s, k, ts, INTERVAL '2 seconds') GROUP BY k, window_start, window_end EMIT ON WINDOW CLOSE",
    "SessionAggregate without keys": "SELECT window_start, count(v) AS n FROM SESSION(s, ts, INTERVAL '1 second')"
    " GROUP BY window_start, window_end",
    "SessionAssign": "SELECT *, window_end FROM SESSION(s, k, ts, INTERVAL '2 seconds')",
    "OnClose": "SELECT k, v, window_start FROM TUMBLE(s, ts, INTERVAL '5 seconds') EMIT ON WINDOW CLOSE",
    "PaneAggregate": "SELECT k, window_start, count(*) AS n FROM HOP(s, ts, INTERVAL '2 seconds', INTERVAL '6 seconds')"
    " GROUP BY k, window_start, window_end",
    "TemporalFilter": "SELECT id FROM c WHERE at > now() - INTERVAL '3 seconds' AND at <= now() + INTERVAL '1 second'",
    "Recursion": "WITH RECURSIVE r(x, n) AS (SELECT b, 0 FROM t UNION SELECT t.c, r.n + 1 FROM r JOIN t ON t.b = r.x"
    " WHERE r.n < 4) SELECT * FROM r",
    "Recursion of all": "WITH RECURSIVE r(x, n) AS (SELECT b, 0 FROM t UNION ALL SELECT t.c, r.n + 1 FROM r"
    " JOIN t ON t.b = r.x WHERE r.n < 2) SELECT * FROM r",
    "Aggregate": "SELECT k, count(*) AS n, max(b) AS m, count(DISTINCT c) AS d FROM t GROUP BY k",
    "Join": "SELECT t.k, t.b, u.c FROM t LEFT JOIN t AS u ON u.b = t.c",
    "Asof": "SELECT s.k, s.v, r.v AS last FROM s ASOF JOIN s AS r ON r.k = s.k AND r.ts <= s.ts",
    "Recompute": "SELECT k, string_agg(c::text, ',' ORDER BY c) AS l FROM t GROUP BY k",
}


def _planned(sql: str) -> plan.AnyNode:
    relations = {
        "t": PlannedRelation("t", "table", _TABLE),
        "s": PlannedRelation("s", "source", _STREAM, append_only=True, times=(2,)),
        "c": PlannedRelation("c", "table", _CLOCKED),
    }
    (statement,) = parse(sql)
    assert isinstance(statement, Select)
    return ContinuousPlanner(relations).plan(statement.query).root


class _Inputs:
    """Epochs of all the relations; ``changing`` rows go again, others only come."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._held: dict[str, list[tuple[Any, ...]]] = {"t": [], "c": []}
        self._now = _START
        self._watermark = -(1 << 63)

    def epochs(self, count: int) -> Iterator[dict[str, Input]]:
        for _ in range(count):
            self._now += self._random.choice((0, 1, 1, 4)) * _SECOND
            made = {"t": self._change("t", _TABLE), "c": self._change("c", _CLOCKED), "s": self._stream()}
            yield {**made, CLOCK: Input(None, self._now)}

    def _maybe(self, value: Any) -> Any:
        return None if self._random.random() < 0.1 else value

    def _row(self, name: str) -> tuple[Any, ...]:
        draw = self._random
        if name == "c":
            return draw.randint(0, 5), self._maybe(self._now + draw.randint(-5, 5) * _SECOND)
        key = self._maybe(draw.choice("abc"))
        if name == "t":
            return key, self._maybe(draw.randint(0, 9)), self._maybe(draw.randint(0, 9))
        return key, self._maybe(draw.randint(-2, 2)), self._maybe(self._now - draw.choice((0, 0, 1, 2, 9)) * _SECOND)

    def _change(self, name: str, schema: pa.Schema) -> Input:
        held, net = self._held[name], Counter[tuple[Any, ...]]()
        for _ in range(self._random.randint(0, 6)):
            if held and self._random.random() < 0.45:
                net[held.pop(self._random.randrange(len(held)))] -= 1
            else:
                row = self._random.choice(held) if held and self._random.random() < 0.2 else self._row(name)
                held.append(row)
                net[row] += 1
        rows = [row for row, weight in net.items() if weight]
        if not rows:
            return Input()
        return Input(zset.with_weights(_batch(rows, schema), np.array([net[row] for row in rows])))

    def _stream(self) -> Input:
        rows = [self._row("s") for _ in range(self._random.randint(0, 6))]
        self._watermark = max(self._watermark, self._now - 3 * _SECOND)
        return Input(_batch(rows, _STREAM) if rows else None, self._watermark)


def _batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    kinds = [pa.int64() if pa.types.is_timestamp(kind) else kind for kind in schema.types]
    columns = zip(zip(*rows, strict=True), kinds, schema.types, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(c, k).cast(t) for c, k, t in columns], schema=schema)


def _rows(delta: pa.RecordBatch | None) -> Counter[str]:
    found = Counter[str]()
    for row in [] if delta is None else delta.to_pylist():
        found[repr({k: v for k, v in row.items() if k != zset.WEIGHT})] += row.get(zset.WEIGHT, 1)
    return Counter({row: count for row, count in found.items() if count})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are compacted, and notes netted, all the time."""
    for module in (ordered, over, session_aggregate):
        monkeypatch.setattr(module, "_COMPACT_ABOVE", 4)
    monkeypatch.setattr(entry_changes, "_FEW", 8)
    monkeypatch.setattr(noted, "_NET_ABOVE", 8)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", _QUERIES)
def test_a_start_from_any_link_goes_on_the_same(name: str) -> None:
    random, root = Random(name), _planned(_QUERIES[name])
    kinds = {type(node).__name__ for node in plan.walk(root)}
    assert name.split()[0] in kinds
    chain = Chain(root, workers=1 + len(name) % 2)
    again, said, seen = chain.fresh(), Counter[str](), 0
    assert _rows(chain.graph.start(0).delta) == _rows(again.start(0).delta)
    for epoch, inputs in enumerate(_Inputs(random).epochs(40), 1):
        mine = {relation: inputs[relation] for relation in chain.graph.relations}
        outputs = [graph.run(epoch, mine) for graph in (chain.graph, again)]
        change = _rows(outputs[0].delta)
        assert _rows(outputs[1].delta) == change, f"epoch {epoch}"
        assert outputs[0].watermark == outputs[1].watermark
        said.update(change)
        seen += len(change)
        chain.write()
        again = chain.restored(epoch, random)
        if random.random() < 0.2:  # a start goes on with the chain that it came from
            chain.graph, again = again, chain.restored(epoch, random)
    assert seen > 20
    assert min(said.values()) >= 0
    assert chain.longest == LONGEST


@pytest.mark.parametrize("name", _QUERIES)
def test_no_state_is_written_as_a_whole_each_time(name: str) -> None:
    chain = Chain(_planned(_QUERIES[name]))
    for operators in chain.graph._operators.values():
        assert all(isinstance(operator, Incremental | Stateless) for operator in operators)
    chain.graph.start(0)
    for epoch, inputs in enumerate(_Inputs(Random(name)).epochs(20), 1):
        chain.graph.run(epoch, {relation: inputs[relation] for relation in chain.graph.relations})
        chain.write()
    assert not chain.anew


_COMPANY = pa.schema([("b", pa.int64()), ("name", pa.string())])


def _lookup_node(*, growing: bool, id: int = 2) -> plan.LookupJoin:  # noqa: A002
    schema = pa.schema([("c0", pa.string()), ("c1", pa.int64()), ("c2", pa.int64())])
    scan = plan.Scan(id=1, schema_ipc=plan.encode_schema(schema), append_only=growing, relation="t", columns=(0, 1, 2))
    out = plan.encode_schema(schema.append(pa.field("c3", pa.string())))
    return plan.LookupJoin(
        id=id, schema_ipc=out, append_only=growing, input=scan, table="d", join_type="left", input_keys=(1,),
        table_keys=("b",), columns=("name",), predicates=(), right_filter=None, residual=None, shows="",
    )  # fmt: skip


def _answer(keys: pa.RecordBatch, epoch: int, random: Random) -> LookupAnswer:
    """Some keys are not there, and the names of others change with time."""
    found = [key for key in keys.column(0).to_pylist() if key % 4]
    names = [f"{key} of {epoch // 7}" for key in found]
    rows = pa.record_batch([pa.array(found, pa.int64()), pa.array(names, pa.string())], schema=_COMPANY)
    return LookupAnswer(keys, rows.take(pa.array(random.sample(range(len(found)), len(found)), pa.int64())))


@pytest.mark.parametrize("bounds", [(None, None), (3 * _SECOND, None), (None, 4)], ids=["all", "for a time", "few"])
@pytest.mark.parametrize("growing", [True, False], ids=["growing", "changing"])
def test_lookup_joins(growing: bool, bounds: tuple[int | None, int | None]) -> None:
    """Answers come an epoch later or after many; copies of a row may have met different ones."""
    random, root = Random(f"{growing} {bounds}"), _lookup_node(growing=growing)
    made: LookupFactory = lambda node: LookupJoinOperator(node, _COMPANY, *bounds)  # noqa: E731
    chain = Chain(root, lookups=made)
    again, said, inputs = chain.fresh(), Counter[str](), _Inputs(random)
    asked: dict[int, pa.RecordBatch] = {}
    for epoch, given in enumerate(inputs.epochs(120), 1):
        delta = given["t"].delta
        if growing and delta is not None:
            delta = zset.data(zset.take(delta, np.flatnonzero(np.asarray(zset.weights(delta)) > 0)))
        answers = {2: [_answer(asked.pop(number), epoch, random) for number in list(asked) if random.random() < 0.5]}
        graphs, told = (chain.graph, again), {"t": Input(delta)}
        outputs = [graph.run(epoch, told, answers, at_us=epoch * _SECOND) for graph in graphs]
        assert _rows(outputs[0].delta) == _rows(outputs[1].delta), f"epoch {epoch}"
        asks = [[request.keys.to_pylist() for request in output.requests] for output in outputs]
        assert asks[0] == asks[1]
        asked.update({epoch * 100 + i: request.keys for i, request in enumerate(outputs[0].requests)})
        said.update(_rows(outputs[0].delta))
        chain.write()
        again = chain.restored(epoch, random)
        if random.random() < 0.2:
            chain.graph, again = again, chain.restored(epoch, random)
    assert min(said.values()) >= 0
    assert any("of 3" in row for row in said) == (bounds != (None, None))  # else nobody asks again
    assert any("None}" in row for row in said)
    assert chain.longest == LONGEST
    assert bool(chain.anew) == (bounds[1] is not None)  # where answers are forgotten places move


def test_what_a_percent_of_changes_takes() -> None:
    """One row more for one key in a hundred. A window function may change its neighbours', which are written, too."""
    shares = {name: _share(name) for name in _QUERIES if name.split()[0] in ("TopN", "Over", "SessionAggregate")}
    del shares["TopN"], shares["SessionAggregate without keys"]  # these have a few rows in all
    assert {name: share for name, share in shares.items() if share > 0.02} == {"Over times that move": ANY}
    assert shares["Over times that move"] < 0.035


def _share(name: str, rows: int = 20_000) -> float:
    chain = Chain(_planned(_QUERIES[name]))
    numbers = np.arange(rows)
    chain.graph.start(0)
    chain.graph.run(1, _many(chain.graph, numbers, 0))
    chain.write()
    chain.graph.run(2, _many(chain.graph, numbers[::100], rows))
    chain.write()
    whole, change = chain.size()
    return change / whole


def _many(graph: Graph, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], more: int) -> dict[str, Input]:
    keys = pa.array([f"key {number}" for number in numbers.tolist()])
    late = pa.array(_START + (numbers + more) * _SECOND).cast(pa.timestamp("us"))
    columns = {"t": (pa.array(numbers), pa.array(numbers + more)), "s": (pa.array(-numbers - more), late)}
    batches = {
        name: pa.RecordBatch.from_arrays([keys, *columns[name]], schema=schema)
        for name, schema in (("t", _TABLE), ("s", _STREAM))
    }
    weighted = {"t": zset.weighted(batches["t"]), "s": batches["s"]}
    return {name: Input(weighted[name]) for name in graph.relations if name in weighted}
