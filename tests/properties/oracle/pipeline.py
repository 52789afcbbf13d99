"""The system under test: each stage of a form planned and run as a graph, the output of one the input of the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.exchange import Exchange
from constellationdb.engine.graph import Graph, Input, Output
from constellationdb.engine.relation import RelationState
from constellationdb.engine.shared_index import SharedIndex
from constellationdb.planner import plan as plans
from constellationdb.planner.continuous import ContinuousPlanner, describe_relation
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Emit, Query
from constellationdb.planner.syntax.mask import mask
from constellationdb.planner.syntax.tokens import Region, read_tokens
from tests.properties.oracle.compare import canonical, difference
from tests.properties.oracle.forms import Form
from tests.properties.oracle.history import WEIGHT, Relation
from tests.properties.oracle.tables import Row
from tests.properties.oracle.windows import NO_MARK

Deltas: TypeAlias = Mapping[str, pa.RecordBatch | None]
Batches: TypeAlias = list[tuple[Deltas, Mapping[str, int]]]  # an epoch's changes one after the other, with watermarks


class NegativeCountError(AssertionError):
    """A row would occur less than zero times."""


# Changes to a state that are kept before it is written as a whole again.
_LONGEST_CHAIN = 3


class ReplayError(AssertionError):
    """An epoch that was run once more did not come out as before."""


@dataclass(frozen=True)
class GraphState:
    """A graph's state as bytes: as a whole at some checkpoint, and what has changed at ``later`` ones."""

    graph: Graph
    whole: dict[str, pa.RecordBatch]
    later: list[dict[str, pa.RecordBatch]]
    marks: dict[str, int]


@dataclass(frozen=True)
class Checkpoint:
    """``states``: of each stage. ``seen``: content, errors, late.

    ``contents``: the rows of the relations that are borrowed from.
    """

    tick: int
    states: list[GraphState]
    contents: dict[str, pa.RecordBatch]
    seen: tuple[Counter[Row], ...]
    used: int


def plan_form(
    form: Form, relations: Mapping[str, Relation], *, late_rows: bool = False
) -> list[tuple[str, plans.Plan]]:
    """Every stage's plan, by the name under which later stages read it."""
    known = {name: _planned(relation) for name, relation in relations.items()}
    calls = {name: window.sql() for name, window in form.windows.items()}
    made = []
    for stage in form.stages:
        if stage.plain:
            query = query_of(stage.sql.format(**calls))
            known[stage.name] = PlannedRelation(stage.name, "view", pa.schema([]), query=query)
            continue
        emit = Emit("on_window_close" if stage.on_close else "changes", True, form.lateness * 1_000_000)
        emit = replace(emit, late_to="late" if late_rows else None)
        lowered = ContinuousPlanner(known).plan(replace(query_of(stage.sql.format(**calls)), emit=emit))
        made.append((stage.name, lowered))
        view = PlannedRelation(stage.name, "materialized view", lowered.output)
        known[stage.name] = describe_relation(view, lowered)
    return made


def query_of(sql: str) -> Query:
    """The query without what Postgres' grammar does not know; windows stand in it as they are once they were masked."""
    if "ASOF" not in sql and "SYSTEM_TIME" not in sql:
        return Query(sql)
    source = read_tokens(sql)
    return mask(Region(source, 0, len(source.tokens))).query()


def _planned(relation: Relation) -> PlannedRelation:
    table = relation.table
    if not relation.source:
        return PlannedRelation(table.name, "table", table.schema)
    return PlannedRelation(table.name, "source", table.schema, append_only=True, times=(table.column("ts"),))


@dataclass(frozen=True)
class Setting:
    """How a form is run. ``borrow``: joins read the rows of tables and views where they are, by a shared index."""

    workers: int
    late_rows: bool
    borrow: bool


class Pipeline:
    """``content`` and ``errors`` are what a reader would have accumulated of the last stage.

    ``used`` and ``late`` count rows in the form's window calls, in all stages together. Without ``late_rows``
    the plan may drop columns that it does not need, so of a late row only its window is kept.
    """

    def __init__(self, form: Form, relations: Mapping[str, Relation], setting: Setting) -> None:
        self._stages = stages = plan_form(form, relations, late_rows=setting.late_rows)
        self._setting = setting
        plain = any(s.plain for s in form.stages)
        self._windowed = {s.name for s in form.stages if plain or any(f"{{{w}}}" in s.sql for w in form.windows)}
        self._kept = {name: r.table.schema for name, r in relations.items() if not r.source} if setting.borrow else {}
        if setting.borrow:
            self._kept |= {name: lowered.output for name, lowered in stages[:-1] if not lowered.root.append_only}
        self.borrowed: set[str] = set()
        self._relations = self._empty_relations()
        self._graphs = [self._graph(lowered) for _, lowered in stages]
        self._checkpoint: Checkpoint | None = None
        self._tick = 0
        self.content: Counter[Row] = Counter()
        self.errors: Counter[Row] = Counter()
        self.late: Counter[Row] = Counter()
        self.used = 0
        self.taken_back = 0  # rows of the last stage that went again
        self.dropped = 0  # by joins that compare times
        self.rows_on = [0] * setting.workers
        self.exchanged = False
        self._log: list[tuple[int, Batches, Counter[Row]]] = []

    def _empty_relations(self) -> dict[str, RelationState]:
        return {n: RelationState(n, schema, Arrangement(schema), 0) for n, schema in self._kept.items()}

    def _graph(self, lowered: plans.Plan) -> Graph:
        return Graph(lowered.root, workers=self._setting.workers, borrow=self._borrow if self._kept else None)

    def _borrow(self, name: str, keys: tuple[int, ...]) -> SharedIndex | None:
        if name not in self._relations:
            return None
        self.borrowed.add(name)
        return self._relations[name].index(keys)

    @property
    def window_calls(self) -> int:
        """How many of the form's window calls are left in the plans."""
        return len(
            {
                (name, node.id)
                for name, lowered in self._stages
                for node in plans.walk(lowered.root)
                if name in self._windowed and isinstance(node, plans.Windowing)
            }
        )

    @property
    def floats(self) -> list[int]:
        """The double columns of the answer."""
        return [i for i, kind in enumerate(self._stages[-1][1].output.types) if pa.types.is_floating(kind)]

    def start(self) -> None:
        inputs: dict[str, Input] = {}
        for (name, lowered), graph in zip(self._stages, self._graphs, strict=True):
            self._hand_on(inputs, name, lowered, graph.start(self._tick), self._tick)
            fed = {k: v for k, v in inputs.items() if k in graph.relations}
            if fed:
                self._hand_on(inputs, name, lowered, graph.run(self._tick, fed), self._tick)
            for relation in graph.relations:
                graph.fed(relation, self._tick)
        self.checkpoint()

    def run(self, epoch: int, batches: Batches, random: Random) -> None:
        """An epoch's batches, one after the other, through all stages.

        Borrowed rows are read as of a tick, so there every batch is an epoch of its own to the operators. Their
        writer may be ahead: the tables, or a whole stage, may have taken all batches before a later stage takes one.
        """
        ticks = [self._tick + 1 + (i if self._kept else 0) for i in range(len(batches))]
        inputs = [
            {name: Input(delta, marks.get(name, NO_MARK)) for name, delta in deltas.items()}
            for deltas, marks in batches
        ]
        if random.random() < 0.5:
            self._write(range(len(batches)), ticks, inputs)
            for stage in range(len(self._stages)):
                for place, tick in enumerate(ticks):
                    self._run_stage(stage, tick, inputs[place])
        else:
            for place, tick in enumerate(ticks):
                self._write([place], ticks, inputs)
                for stage in range(len(self._stages)):
                    self._run_stage(stage, tick, inputs[place])
        self._tick = ticks[-1]
        for state in self._relations.values():
            assert state.contents is not None
            state.contents.compact(self._tick - random.choice((0, 0, 1, 2)))
        self._log.append((epoch, batches, Counter(self.content)))

    def _write(self, places: Iterable[int], ticks: list[int], inputs: list[dict[str, Input]]) -> None:
        """Let the tables have these batches, before anybody reads them."""
        for place in places:
            for name, given in inputs[place].items():
                self._apply(name, given.delta, ticks[place])

    def _apply(self, name: str, delta: pa.RecordBatch | None, tick: int) -> None:
        state = self._relations.get(name)
        if state is not None and delta is not None:
            assert state.contents is not None
            state.contents.apply(delta, tick)

    def _run_stage(self, number: int, tick: int, inputs: dict[str, Input]) -> None:
        (name, lowered), graph = self._stages[number], self._graphs[number]
        output = graph.run(tick, {k: v for k, v in inputs.items() if k in graph.relations})
        self._hand_on(inputs, name, lowered, output, tick)

    def begin_again(self, random: Random) -> bool:
        """Make the last stage's job anew from what its inputs hold now, as CREATE on a running database does."""
        name, lowered = self._stages[-1]
        graph = self._graph(lowered)
        if not graph.relations or any(relation not in self._relations for relation in graph.relations):
            return False
        self._note_workers()
        self.content.clear()
        self.errors.clear()
        self._hand_on({}, name, lowered, graph.start(self._tick), self._tick)
        for relation in graph.relations:
            rows = self._relations[relation].version().weighted(self._tick)
            cut = random.randint(0, rows.num_rows)
            for chunk in (rows.slice(0, cut), rows.slice(cut)):
                self._hand_on({}, name, lowered, graph.run(self._tick, {relation: Input(chunk)}), self._tick)
            graph.fed(relation, self._tick)
        self._graphs[-1] = graph
        self.checkpoint()
        return True

    def _hand_on(self, inputs: dict[str, Input], name: str, lowered: plans.Plan, output: Output, tick: int) -> None:
        """What the engine does with a job's output: types of the view, netted, then to its readers."""
        self.used += output.windowed if name in self._windowed else 0
        self.dropped += output.dropped
        for batch in output.late:
            width = batch.num_columns
            _add(self.late, batch if self._setting.late_rows else batch.select(range(width - 2, width)))
        for failed in output.errors:
            self.errors[failed.node, failed.sqlstate, failed.message, failed.row] += failed.weight
        delta = output.delta
        if delta is not None:
            assert not (lowered.root.append_only and zset.is_weighted(delta)), "an append-only plan gave weights"
            delta = zset.conform(delta, lowered.output)
            delta = delta if lowered.root.append_only else zset.netted(delta)
        known = inputs.get(name)
        joined = zset.concat([d for d in (known.delta if known else None, delta) if d is not None])
        inputs[name] = Input(joined, output.watermark)
        self._apply(name, delta, tick)
        if name == self._stages[-1][0] and delta is not None:
            weights = zset.weights(delta)
            self.taken_back += 0 if weights is None else int((weights < 0).sum())
            _add(self.content, delta)
            _drop_zeros(self.content)
        _drop_zeros(self.errors)

    # -- restarts ----------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Remember everything as it is now; the log begins anew after it."""
        known = [] if self._checkpoint is None else self._checkpoint.states
        states = [_state(graph, known[place] if known else None) for place, graph in enumerate(self._graphs)]
        seen = tuple(Counter(c) for c in (self.content, self.errors, self.late))
        contents = {n: _through_bytes(s.version().weighted(self._tick)) for n, s in self._relations.items()}
        self._checkpoint = Checkpoint(self._tick, states, contents, seen, self.used)
        self._log.clear()

    def recover(self, random: Random) -> int:
        """Everything anew from the checkpoint's bytes, then the log's epochs once more; how many those were.

        Rows of stored multisets come back in another order, and yet every replayed epoch must
        come out as it did: a subscriber has seen it.
        """
        self._note_workers()
        held = self._checkpoint
        assert held is not None
        self._relations = self._empty_relations()
        for name, rows in held.contents.items():
            contents = self._relations[name].contents
            assert contents is not None
            contents.restore(_permuted(rows, random), held.tick)
        states = []
        for number, ((name, lowered), state) in enumerate(zip(self._stages, held.states, strict=True)):
            reread = plans.decode(plans.encode(lowered))
            self._graphs[number] = fresh = self._graph(reread)
            later = [_all_permuted(changes, random) for changes in state.later]
            fresh.restore(_all_permuted(state.whole, random), state.marks, held.tick, later)
            states.append(replace(state, graph=fresh))
            self._stages[number] = (name, reread)
        self.content, self.errors, self.late = (Counter(c) for c in held.seen)
        self.used, self._tick = held.used, held.tick
        self._checkpoint = replace(held, states=states)  # a restored graph goes on telling what changes
        log, self._log = self._log, []
        for epoch, batches, content in log:
            self.run(epoch, batches, random)
            if self.content != content:
                raise ReplayError(f"epoch {epoch} came out differently: {difference(self.content, content, [], 0)}")
        return len(log)

    def finish(self) -> None:
        self._note_workers()

    def _note_workers(self) -> None:
        for graph in self._graphs:
            self.rows_on = [a + b for a, b in zip(self.rows_on, graph.rows_on, strict=True)]
            self.exchanged |= _has_keys(graph)


def _has_keys(graph: Graph) -> bool:
    """Whether some exchange of the graph goes by a key, so that every worker should get rows."""
    return any(isinstance(edge, Exchange) and edge._keys for edge in graph._exchanges.values())


def _add(content: Counter[Row], delta: pa.RecordBatch) -> None:
    """Add a delta to a multiset."""
    weights = zset.weights(delta)
    columns = [column.to_pylist() for column in delta.columns]
    if weights is not None:
        columns = columns[:-1]
    for i in range(delta.num_rows):
        weight = 1 if weights is None else int(weights[i])
        content[tuple(canonical(column[i]) for column in columns)] += weight


def _drop_zeros(content: Counter[Row]) -> None:
    negative = {row: count for row, count in content.items() if count < 0}
    if negative:
        raise NegativeCountError(f"negative counts: {negative}")
    for row in [row for row, count in content.items() if count == 0]:
        del content[row]


def _state(graph: Graph, known: GraphState | None) -> GraphState:
    """Of a graph whose last state is known, what has changed since, but not every time."""
    if known is None or known.graph is not graph or len(known.later) == _LONGEST_CHAIN:
        return GraphState(graph, _all_through_bytes(graph.snapshot()), [], graph.watermarks())
    found = graph.changes()
    again = tuple(found.anew)
    whole, *later = ({k: b for k, b in part.items() if not k.startswith(again)} for part in (known.whole, *known.later))
    whole |= _all_through_bytes(found.whole)
    return GraphState(graph, whole, [*later, _all_through_bytes(found.changed)], graph.watermarks())


def _all_through_bytes(state: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
    return {key: _through_bytes(batch) for key, batch in state.items()}


def _all_permuted(state: Mapping[str, pa.RecordBatch], random: Random) -> dict[str, pa.RecordBatch]:
    return {key: _permuted(batch, random) for key, batch in state.items()}


def _permuted(batch: pa.RecordBatch, random: Random) -> pa.RecordBatch:
    if WEIGHT not in batch.schema.names:  # the parallel arrays of accumulators have one order
        return batch
    order = list(range(batch.num_rows))
    random.shuffle(order)
    return batch.take(pa.array(order, pa.int64()))


def _through_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    sink: Any = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    batches = pa.ipc.open_stream(sink.getvalue()).read_all().combine_chunks().to_batches()
    return batches[0] if batches else batch
