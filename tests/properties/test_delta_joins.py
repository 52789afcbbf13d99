"""A join by deltas says after every epoch what the same join says when it is computed again as a whole.

Both sides change, with weights, NULL keys and conditions that raise; a restart finds the state of the last epoch; the
rows of tables are borrowed or the operator's own.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest

from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.graph import Graph, Input, Output
from constellationdb.engine.operators import counts, meeting, pairs
from constellationdb.engine.relation import RelationState
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Query
from tests.properties.recomputed_joins import recomputed
from tests.properties.test_borrowed_rows import SCHEMA, Row, Tables

EPOCHS = 10
SEEDS = int(os.environ.get("CONSTELLATION_ORACLE_RUNS", "1"))
CONDITIONS = {
    "by key": "a.k = b.k",
    "by two keys": "a.k = b.k AND a.w = b.w",
    "null-safe": "a.k IS NOT DISTINCT FROM b.k",
    "null-safe and not": "a.k IS NOT DISTINCT FROM b.k AND a.v = b.v",
    "residual": "a.k = b.k AND a.v < b.v",
    "residual of the left": "a.k = b.k AND a.v > 1",
    "null-safe residual": "a.k IS NOT DISTINCT FROM b.k AND coalesce(a.v, 0) <> coalesce(b.v, 0)",
    "failing": "a.k = b.k AND a.v / b.v >= 1",
    "without a key": "a.v + b.v > 5",
    "failing without a key": "a.v / b.v > a.k",
    "always": "TRUE",
}
FORMS = {
    "inner": "SELECT a.k, a.v, a.w, b.k AS bk, b.v AS bv, b.w AS bw FROM a JOIN b ON {}",
    "left": "SELECT a.k, a.v, a.w, b.k AS bk, b.v AS bv, b.w AS bw FROM a LEFT JOIN b ON {}",
    "right": "SELECT a.k, a.v, a.w, b.k AS bk, b.v AS bv, b.w AS bw FROM a RIGHT JOIN b ON {}",
    "full": "SELECT a.k, a.v, a.w, b.k AS bk, b.v AS bv, b.w AS bw FROM a FULL JOIN b ON {}",
    "semi": "SELECT a.k, a.v, a.w FROM a WHERE EXISTS (SELECT FROM b WHERE {})",
    "anti": "SELECT a.k, a.v, a.w FROM a WHERE NOT EXISTS (SELECT FROM b WHERE {})",
    "mark": "SELECT a.k, a.v, a.w FROM a WHERE a.w = 'x' OR EXISTS (SELECT FROM b WHERE {})",
}
# A FULL JOIN needs a key; computed as a whole, a key that fails has no marks; a constant leaves nobody, and all.
LEFT_OUT = {
    ("anti", "always"),
    *(("full", name) for name in ("without a key", "failing without a key", "always")),
    *(("mark", name) for name in ("failing", "failing without a key", "always")),
}
OTHERS = {
    "self": "SELECT x.k, x.v, y.v AS yv FROM a AS x LEFT JOIN a AS y ON x.k = y.v AND x.v <> y.k",
    "self full": "SELECT x.k, x.v, y.v AS yv FROM a AS x FULL JOIN a AS y ON x.k = y.v",
    "using": "SELECT k, a.v, b.v AS bv FROM a FULL JOIN b USING (k)",
    "natural": "SELECT * FROM a NATURAL LEFT JOIN (SELECT k, v AS bv FROM b) AS b",
    "four": "SELECT a.k, b.v, c.w, d.v AS dv FROM a LEFT JOIN b ON a.k = b.k JOIN c ON c.v = a.v"
    " FULL JOIN a AS d ON d.k = b.v",
    "of groups": "SELECT x.k, x.n, y.s FROM (SELECT k, count(*) AS n FROM a GROUP BY k) AS x"
    " FULL JOIN (SELECT k, sum(v) AS s FROM b GROUP BY k) AS y ON x.k = y.k AND x.n > y.s",
    "of a small side": "SELECT a.k, a.v, m.n FROM a CROSS JOIN (SELECT max(v) AS n FROM b) AS m",
    "not in": "SELECT k, v FROM a WHERE v NOT IN (SELECT v FROM b WHERE b.k = 1)",
    "in or": "SELECT k, v FROM a WHERE v IN (SELECT v FROM b) OR k > 3",
}
QUERIES = OTHERS | {
    f"{kind} {name}": form.format(condition)
    for kind, form in FORMS.items()
    for name, condition in CONDITIONS.items()
    if (kind, name) not in LEFT_OUT
}


def _plan(sql: str) -> plan.Plan:
    return ContinuousPlanner({n: PlannedRelation(n, "table", SCHEMA) for n in "abc"}).plan(Query(sql))


class Answer:
    """What a graph has said so far: its rows, and its error rows by what is wrong."""

    def __init__(self) -> None:
        self.rows: Counter[Row] = Counter()
        self.errors: Counter[str] = Counter()

    def add(self, output: Output) -> None:
        if output.delta is not None:
            for row in output.delta.to_pylist():
                *values, weight = row.values()
                self.rows[tuple(values)] += weight
        for error in output.errors:
            self.errors[error.message] += error.weight

    def check(self, other: Answer) -> None:
        assert +self.rows == +other.rows
        assert min(self.rows.values(), default=0) >= 0
        assert +self.errors == +other.errors


class Run:
    def __init__(self, sql: str, seed: int) -> None:
        self.random = Random(f"{sql}/{seed}")
        self.plan = _plan(sql)
        with recomputed():
            self.reference = Graph(_plan(sql).root)
        self.workers = 1 + seed % 2
        self.borrows = self.random.random() < 0.5
        self.states = {name: RelationState(name, SCHEMA, Arrangement(SCHEMA), 0) for name in "abc"}
        self.graph = self._graph()

    def _graph(self) -> Graph:
        borrow = (lambda name, keys: self.states[name].index(keys)) if self.borrows else None
        return Graph(self.plan.root, workers=self.workers, borrow=borrow)

    def run(self) -> int:
        """How many rows there were to compare, over all epochs."""
        found, expected, tables, compared = Answer(), Answer(), Tables(self.random), 0
        found.add(self.graph.start(0))
        expected.add(self.reference.start(0))
        for name in self.graph.relations:
            self.graph.fed(name, 0)
        for epoch in range(1, EPOCHS + 1):
            deltas = {n: d for n, d in tables.step().items() if n in self.graph.relations and d.num_rows}
            for name, delta in deltas.items():
                contents = self.states[name].contents
                assert contents is not None
                contents.apply(delta, epoch)
            found.add(self.graph.run(epoch, {n: Input(d) for n, d in deltas.items()}))
            expected.add(self.reference.run(epoch, {n: Input(d) for n, d in deltas.items()}))
            found.check(expected)
            compared += found.rows.total()
            if self.random.random() < 0.2:
                state, marks = self.graph.snapshot(), self.graph.watermarks()
                self.graph = self._graph()
                self.graph.restore(state, marks, epoch)
        return compared


def test_the_reference_has_no_join_by_deltas() -> None:
    sql = QUERIES["left by key"]
    assert any(isinstance(node, plan.Join) for node in plan.walk(_plan(sql).root))
    with recomputed():
        assert not any(isinstance(node, plan.Join) for node in plan.walk(_plan(sql).root))


@pytest.mark.parametrize("name", QUERIES)
def test_deltas_are_the_difference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "_COMPACT_ABOVE", 2)
    monkeypatch.setattr(pairs, "_MOST_FAILED", 1 << 30)  # beyond, a key fails as a whole
    monkeypatch.setattr(meeting, "_AT_ONCE", 16)
    assert sum(Run(QUERIES[name], seed).run() for seed in range(SEEDS)) > 0
