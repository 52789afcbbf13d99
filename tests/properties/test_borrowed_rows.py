"""Operators that borrow a relation's rows do what operators with rows of their own do, epoch by epoch.

The relations' writer may be any number of epochs ahead, compaction renumbers
entries under the readers, a new job reads its inputs one after the other, and a
restart finds the relations restored. None of it may show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.engine import arrangement, shared_index
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.graph import Graph, Input
from constellationdb.engine.operators import arranged
from constellationdb.engine.relation import RelationState
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.plan import Plan
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Query

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64()), ("w", pa.string())])
EPOCHS = 12
QUERIES = {
    "inner join": "SELECT a.k, a.v, b.w FROM a JOIN b ON a.k = b.k",
    "join on two columns, swapped": "SELECT a.v, b.k FROM a JOIN b ON a.v = b.k AND a.k = b.v",
    "join with a residual": "SELECT a.k, b.v FROM a JOIN b ON a.k = b.k AND a.v < b.v",
    "left join": "SELECT a.k, a.v, b.v AS bv FROM a LEFT JOIN b ON a.k = b.k",
    "full join": "SELECT a.k, a.v, b.v AS bv FROM a FULL JOIN b ON a.k = b.k",
    "anti join": "SELECT k, v FROM a WHERE NOT EXISTS (SELECT FROM b WHERE b.k = a.k)",
    "outer join of few columns with a residual": "SELECT a.k, b.v AS bv FROM a FULL JOIN b ON a.k = b.k AND a.k < b.v",
    "anti join of few columns with a residual": "SELECT k FROM a WHERE NOT EXISTS"
    " (SELECT FROM b WHERE b.k = a.k AND b.v > a.k)",
    "three tables": "SELECT a.v, b.v AS bv, c.v AS cv FROM a JOIN b ON a.k = b.k LEFT JOIN c ON c.v = a.v",
    "self-join": "SELECT x.v, y.v AS yv FROM a AS x JOIN a AS y ON x.k = y.k",
    "outer self-join": "SELECT x.v, y.v AS yv FROM a AS x LEFT JOIN a AS y ON x.k = y.v",
    "rows by key": "SELECT k, v, ntile(2) OVER (PARTITION BY k ORDER BY v, w) AS n FROM a",
}

Row = tuple[object, ...]


@dataclass
class Tables:
    """Three tables with the same columns, their whole history drawn beforehand."""

    random: Random
    rows: dict[str, Counter[Row]] = field(default_factory=lambda: {name: Counter() for name in "abc"})

    def step(self) -> dict[str, pa.RecordBatch]:
        return {name: self._delta(rows) for name, rows in self.rows.items() if self.random.random() < 0.8}

    def _delta(self, rows: Counter[Row]) -> pa.RecordBatch:
        change: Counter[Row] = Counter()
        for row in self.random.sample(sorted(rows, key=repr), min(len(rows), self.random.randrange(8))):
            change[row] -= self.random.randint(1, rows[row])
        for _ in range(self.random.randrange(9)):
            change[self._row()] += self.random.randint(1, 2)
        rows.update(change)
        for row in [row for row, count in rows.items() if count == 0]:
            del rows[row]
        changed = [(row, count) for row, count in change.items() if count]
        columns = [[row[i] for row, _ in changed] for i in range(3)]
        batch = pa.RecordBatch.from_arrays(
            [pa.array(column, f.type) for column, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
        return zset.with_weights(batch, pa.array([count for _, count in changed], pa.int64()).to_numpy())

    def _row(self) -> Row:
        draw = self.random
        return (draw.choice([None, 0, 1, 2, 3, 4]), draw.choice([None, 0, 1, 2, 3]), draw.choice(["x", "y", None]))


def _plan(sql: str) -> Plan:
    return ContinuousPlanner({n: PlannedRelation(n, "table", SCHEMA) for n in "abc"}).plan(Query(sql))


class Run:
    """One query over one history, by a graph that owns its rows and by graphs that borrow."""

    def __init__(self, sql: str, seed: int, workers: int) -> None:
        self.random = Random(f"{sql}/{seed}")
        tables = Tables(self.random)
        self.history = [tables.step() for _ in range(EPOCHS)]
        self.plan = _plan(sql)
        self.workers = workers
        self.states = {name: RelationState(name, SCHEMA, Arrangement(SCHEMA), 0) for name in "abc"}
        self.written = 0
        self.borrowing: dict[str, int] = Counter()

    def write(self, epoch: int) -> None:
        """Let the relations' writer go on as far as ``epoch``."""
        while self.written < epoch:
            self.written += 1
            for name, delta in self.history[self.written - 1].items():
                contents = self.states[name].contents
                assert contents is not None
                contents.apply(delta, self.written)

    def compact(self, floor: int) -> None:
        for state in self.states.values():
            assert state.contents is not None
            state.contents.compact(floor)

    def graph(self, *, borrow: bool) -> Graph:
        return Graph(self.plan.root, workers=self.workers, borrow=self._borrow if borrow else None)

    def _borrow(self, name: str, keys: tuple[int, ...]) -> Any:
        self.borrowing[name] += 1
        return self.states[name].index(keys)

    def inputs(self, graph: Graph, epoch: int) -> dict[str, Input]:
        return {n: Input(delta) for n, delta in self.history[epoch - 1].items() if n in graph.relations}

    def answers(self) -> list[Counter[Row]]:
        """The content after every epoch, with rows of its own."""
        graph = self.graph(borrow=False)
        content: Counter[Row] = Counter()
        _add(content, graph.start(0).delta)
        found = [content.copy()]
        for epoch in range(1, EPOCHS + 1):
            _add(content, graph.run(epoch, self.inputs(graph, epoch)).delta)
            found.append(content.copy())
        return found


def _add(content: Counter[Row], delta: pa.RecordBatch | None) -> None:
    if delta is None:
        return
    weights = zset.weights(delta)
    columns = [c.to_pylist() for c in zset.data(delta).columns]
    for i in range(delta.num_rows):
        content[tuple(c[i] for c in columns)] += 1 if weights is None else int(weights[i])
    for row in [row for row, count in content.items() if count == 0]:
        del content[row]


def _follows(run: Run) -> Iterator[bool]:
    """A job from the start, its inputs' writer ahead of it by up to five epochs, with compaction."""
    graph, content, answers = run.graph(borrow=True), Counter[Row](), run.answers()
    _add(content, graph.start(0).delta)
    for name in graph.relations:
        graph.fed(name, 0)
    for epoch in range(1, EPOCHS + 1):
        run.write(min(EPOCHS, max(run.written, epoch + run.random.randrange(6))))
        run.compact(epoch - 1)
        _add(content, graph.run(epoch, run.inputs(graph, epoch)).delta)
        yield content == answers[epoch]
        if run.random.random() < 0.3:
            graph = _restarted(run, graph, epoch)


def _restarted(run: Run, graph: Graph, epoch: int) -> Graph:
    fresh = run.graph(borrow=True)
    fresh.restore(graph.snapshot(), graph.watermarks(), epoch)
    return fresh


def _begins(run: Run) -> Iterator[bool]:
    """A job that is made late: it reads what there is, input by input in chunks, while the writer goes on."""
    at = run.random.randint(1, EPOCHS - 2)
    answers = run.answers()
    graph, content = run.graph(borrow=True), Counter[Row]()
    run.write(at)
    _add(content, graph.start(at).delta)
    for name in graph.relations:
        contents = run.states[name].contents
        assert contents is not None
        rows = contents.version.weighted(at)
        cut = run.random.randint(0, rows.num_rows)
        for chunk in (rows.slice(0, cut), rows.slice(cut)):
            run.write(min(EPOCHS, run.written + run.random.randrange(2)))
            run.compact(at)
            _add(content, graph.run(at, {name: Input(chunk)}).delta)
        graph.fed(name, at)
    yield content == answers[at]
    for epoch in range(at + 1, EPOCHS + 1):
        run.write(max(run.written, epoch))
        run.compact(epoch - 1)
        _add(content, graph.run(epoch, run.inputs(graph, epoch)).delta)
        yield content == answers[epoch]


WAYS: dict[str, Callable[[Run], Iterator[bool]]] = {"follows": _follows, "begins": _begins}


@pytest.fixture(autouse=True)
def eager_compaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "_COMPACT_ABOVE", 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("query", QUERIES)
def test_borrowed_rows_give_the_same_answer_at_every_epoch(query: str, way: str) -> None:
    generations = 0
    for seed in range(6):
        run = Run(QUERIES[query], seed, 1 + seed % 3)
        wrong = [place for place, right in enumerate(WAYS[way](run)) if not right]
        assert not wrong, f"seed {seed}: comparisons {wrong}"
        assert run.borrowing or query.endswith("self-join"), "nothing was borrowed"
        versions: list[Any] = [s.contents.version for s in run.states.values() if s.contents is not None]
        generations += sum(version.generation for version in versions)
    assert generations, "no compaction took place"


def _ignores_the_epoch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arranged.Borrowed, "before", arranged.Borrowed.after)


def _sees_what_was_not_read_yet(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arranged.Borrowed, "_as_of", lambda self, keys, epoch: self._index.lookup(keys, min(epoch, 1 << 40)))


def _keeps_old_numbers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shared_index.SharedIndex, "_forget", _once(shared_index.SharedIndex._forget))


def _once(known: Callable[[Any], None]) -> Callable[[Any], None]:
    def forget(self: Any) -> None:
        if not hasattr(self, "_index"):
            known(self)

    return forget


def _counts_rows_not_weights(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arranged.Borrowed, "weight_of", lambda self, entries: self._index.weight_of(entries) * 0 + 1)


@pytest.mark.parametrize(
    "bug", [_ignores_the_epoch, _sees_what_was_not_read_yet, _keeps_old_numbers, _counts_rows_not_weights]
)
def test_a_planted_bug_is_seen(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    for query in QUERIES.values():
        for way in WAYS.values():
            for seed in range(6):
                try:
                    if not all(way(Run(query, seed, 1))):
                        return
                except (IndexError, pa.ArrowException):
                    return
    pytest.fail("not seen")
