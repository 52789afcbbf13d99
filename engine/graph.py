"""A dataflow graph: the operators of one plan on n workers, run one epoch at a time.

    deltas of the scanned relations ──▶ operators in topological order ──▶ change of the root

With one worker there is no exchange at all. With more, every worker has its own
instance of every operator; before a keyed operator its input is exchanged by
vnode of the key (``exchange``), so that a key's state is on one worker only.
Equal subplans (one node id) run once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol, TypeVar

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.exchange import Edge, Exchange, spread
from constellationdb.engine.footprint import Footprint, footprint
from constellationdb.engine.manifest import Home
from constellationdb.engine.meters import Meter
from constellationdb.engine.operators.aggregate import AggregateOperator
from constellationdb.engine.operators.arranged import Borrow, Borrowed
from constellationdb.engine.operators.base import (
    ENDED,
    NO_WATERMARK,
    Context,
    FailedRow,
    LookupAnswer,
    LookupRequest,
    Operator,
    Stateless,
)
from constellationdb.engine.operators.build import LookupFactory, build, exchange_keys
from constellationdb.engine.operators.incremental import Changes, Incremental
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.engine.operators.partial_aggregate import PartialAggregateOperator
from constellationdb.engine.operators.partial_map import Merged
from constellationdb.engine.operators.replicated import ReplicatedLookupOperator
from constellationdb.engine.operators.temporal_filter import TemporalFilterOperator
from constellationdb.engine.places import Placed
from constellationdb.errors import CorruptState
from constellationdb.planner import plan

Part = TypeVar("Part")
CLOCK = "#clock"  # the input that brings no rows: its watermark is now()


@dataclass
class Input:
    """One epoch of one scanned relation: its change, and its watermark at the end of the epoch."""

    delta: Delta = None
    watermark: int = NO_WATERMARK


@dataclass(frozen=True)
class Work:
    """An epoch for a job: its inputs' changes, and the lookup answers that have come, by node."""

    epoch: int
    at_us: int
    inputs: Mapping[str, Input]
    answers: Mapping[int, Sequence[LookupAnswer]]

    @property
    def rows(self) -> int:
        changed = sum(int(i.delta.num_rows) for i in self.inputs.values() if i.delta is not None)
        return changed + sum(int(a.keys.num_rows) for given in self.answers.values() for a in given)


@dataclass
class Output:
    """What one epoch did to a graph's root; late rows carry the window they missed."""

    delta: Delta
    watermark: int
    errors: list[FailedRow] = field(default_factory=list)
    late: list[pa.RecordBatch] = field(default_factory=list)
    used: int = 0
    windowed: int = 0  # of these, in windows
    dropped: int = 0
    requests: list[LookupRequest] = field(default_factory=list)
    placed: Sequence[Placed] | None = None  # the delta once more, with its rows' places in the contents


@dataclass(frozen=True)
class Measured:
    """One operator so far: see ``Meter``; ``rows_in`` of all its inputs."""

    node: plan.AnyNode
    rows_in: int
    rows_out: int
    late: int
    errors: int
    busy_ns: int
    state: Footprint
    watermark: int


@dataclass(frozen=True)
class GraphChanges:
    """``anew``: the prefixes of those operators whose whole state is here, and replaces what there was."""

    whole: dict[str, pa.RecordBatch]
    changed: dict[str, pa.RecordBatch]
    anew: set[str]


class Share(Protocol):
    """One worker's share of a graph, where every worker is a process."""

    @property
    def worker(self) -> int: ...

    def edge(self, keys: tuple[int, ...]) -> Edge:
        """The next edge on which rows are exchanged with the other shares, which ask in the same order."""
        ...


class Graph:
    """The operators of ``root``, of all workers, or those of one ``share``. One thread at a time."""

    def __init__(
        self,
        root: plan.AnyNode,
        *,
        workers: int = 1,
        lookups: LookupFactory | None = None,
        borrow: Borrow | None = None,
        share: Share | None = None,
    ) -> None:
        self._nodes = list({node.id: node for node in plan.walk(root)}.values())
        self._root = root
        self._workers = workers
        self._share = share
        self._here = range(workers) if share is None else range(share.worker, share.worker + 1)
        self._operators: dict[int, list[Operator]] = {
            node.id: [build(node, lookups, borrow, Nested) for _ in self._here]
            for node in self._nodes
            if not isinstance(node, plan.Scan)
        }
        self._exchanges = self._make_exchanges()
        self._watermarks = dict.fromkeys((node.id for node in self._nodes), NO_WATERMARK)
        clock = [CLOCK] if plan.reads_clock(root) else []
        self._inputs: dict[str, int] = dict.fromkeys([*clock, *plan.relations_of(root)], NO_WATERMARK)
        # By node: the rows that were put into windows, and those that came late for theirs.
        self.windowed = {node.id: (0, 0) for node in self._nodes if isinstance(node, plan.Windowing)}
        self.meters = {node.id: Meter() for node in self._nodes}
        self.rows_on = [0] * len(self._here)  # rows each worker's keyed operators received: an idle worker shows here

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def home(self) -> Home:
        return Home(self._workers, remote=False)

    @property
    def takes_early(self) -> bool:
        """Whether an epoch may begin before the one before it ends."""
        return False

    @property
    def relations(self) -> list[str]:
        return list(self._inputs)

    @property
    def now_us(self) -> int:
        """The clock, whose ticks come as the watermark of an input."""
        return self._inputs.get(CLOCK, NO_WATERMARK)

    def due_us(self) -> int | None:
        """When the clock changes the answer, if nothing else does before."""
        times = [
            due
            for operators in self._operators.values()
            for operator in operators
            if isinstance(operator, TemporalFilterOperator) and (due := operator.due_us()) is not None
        ]
        return min(times, default=None)

    def _make_exchanges(self) -> dict[tuple[int, int], Edge]:
        if self._workers == 1:
            return {}
        made: dict[tuple[int, int], Edge] = {}
        for node in self._nodes:
            for place, keys in enumerate(exchange_keys(node)):
                if keys is not None:
                    share = self._share
                    made[node.id, place] = Exchange(keys, self._workers) if share is None else share.edge(keys)
        return made

    def start(self, epoch: int) -> Output:
        """The output before any input."""
        output = Output(None, NO_WATERMARK)
        produced: dict[int, list[Delta]] = {}
        began = perf_counter_ns()
        self._fill_copies()
        for node in self._nodes:
            if isinstance(node, plan.Scan):
                produced[node.id] = [None] * len(self._here)
                continue
            # Before what the inputs start with, for that changes the operator's own first answer.
            first = self._here[0] == 0
            initial = self._operators[node.id][0].start(Context(epoch, errors=output.errors)) if first else None
            parts = self._process(node, produced, Context(epoch), output)
            parts[0] = zset.concat([p for p in (initial, parts[0]) if p is not None])
            produced[node.id] = parts
            began = self.meters[node.id].count(began, parts)
        output.delta = zset.concat([p for p in produced[self._root.id] if p is not None])
        return output

    def run(
        self,
        epoch: int,
        inputs: Mapping[str, Input],
        answers: Mapping[int, Sequence[LookupAnswer]] | None = None,
        at_us: int = 0,
    ) -> Output:
        """Process one epoch to completion. Relations left out have no change and keep their watermark.

        ``answers``: lookup answers that this epoch brings, by node. ``at_us``: the epoch's clock.
        """
        for name, change in inputs.items():
            self._inputs[name] = max(self._inputs[name], change.watermark)
        output = Output(None, NO_WATERMARK)
        produced: dict[int, list[Delta]] = {}
        past = dict(self._watermarks)
        began = perf_counter_ns()
        for node in self._nodes:
            if isinstance(node, plan.Scan):
                given = inputs.get(node.relation)
                self._watermarks[node.id] = self._inputs[node.relation]
                produced[node.id] = self._scan(node, None if given is None else given.delta)
                began = self.meters[node.id].count(began, produced[node.id])
                continue
            before, now = (min((m[c.id] for c in node.clocks), default=ENDED) for m in (past, self._watermarks))
            context = Context(
                epoch, before, now, at_us=at_us, now_us=self.now_us, answers=(answers or {}).get(node.id, ())
            )
            produced[node.id] = self._process(node, produced, context, output)
            self._watermarks[node.id] = max(past[node.id], self._held(node, now))
            began = self.meters[node.id].count(began, produced[node.id])
        output.delta = zset.concat([p for p in produced[self._root.id] if p is not None])
        output.watermark = self._watermarks[self._root.id]
        return output

    def begin(self, work: Work) -> None:
        """``run`` in two parts, for graphs that workers run meanwhile: see ``RemoteGraph``. Here all is at the end."""
        self._begun = work

    def end(self) -> Output:
        return self.run(self._begun.epoch, self._begun.inputs, self._begun.answers, self._begun.at_us)

    def _held(self, node: plan.AnyNode, watermark: int) -> int:
        """The output's watermark: the input's, unless rows from before it are still to come."""
        return min([watermark, *(hold for o in self._operators[node.id] if (hold := o.hold()) is not None)])

    def _scan(self, node: plan.Scan, delta: Delta) -> list[Delta]:
        if delta is None or delta.num_rows == 0:
            return [None] * len(self._here)
        own = zset.weights(delta)
        rows = pa.RecordBatch.from_arrays([delta.column(c) for c in node.columns], schema=node.schema)
        if not node.append_only:
            count = delta.num_rows
            rows = zset.with_weights(rows if node.columns else zset.rows_of_nothing(count), 1 if own is None else own)
        return spread(rows, len(self._here))  # a share is given its own slice

    def _process(
        self, node: plan.AnyNode, produced: Mapping[int, list[Delta]], context: Context, output: Output
    ) -> list[Delta]:
        columns = []
        for place, child in enumerate(node.children):
            exchange = self._exchanges.get((node.id, place))
            parts = produced[child.id]
            if exchange is not None:
                parts = exchange.run(parts, context.epoch, context.watermark)
                for worker, part in enumerate(parts):
                    self.rows_on[worker] += part.num_rows if part is not None else 0
            columns.append(parts)
        results = []
        for worker, operator in enumerate(self._operators[node.id]):
            mine = context.emptied()
            results.append(operator.process([parts[worker] for parts in columns], mine))
            output.errors += mine.errors
            output.late += mine.late
            output.used += mine.used
            output.dropped += mine.dropped
            output.requests += mine.requests
            if mine.errors or mine.late or mine.dropped:
                meter = self.meters[node.id]
                meter.errors += len(mine.errors)
                meter.late += mine.dropped + sum(b.num_rows for b in mine.late)
            if node.id in self.windowed:
                output.windowed += mine.used
                used, late = self.windowed[node.id]
                self.windowed[node.id] = used + mine.used, late + sum(b.num_rows for b in mine.late)
        return results

    def windows(self) -> Iterator[tuple[plan.Windowing, int, int, int]]:
        """The nodes that put rows into windows: the watermark of each, how many it used and how many were late."""
        for node in self._nodes:
            if isinstance(node, plan.Windowing):
                yield node, self._watermarks[node.id], *self.windowed[node.id]

    def measured(self) -> Iterator[Measured]:
        """What every operator has done and keeps, inputs first."""
        for node in self._nodes:
            meter = self.meters[node.id]
            rows_in = sum(self.meters[child.id].rows for child in node.children)
            kept = footprint(*self._operators.get(node.id, ()))
            yield Measured(node, rows_in, meter.rows, meter.late, meter.errors, meter.busy_ns, kept,
                           self._watermarks[node.id])  # fmt: skip

    def kept(self) -> Iterator[tuple[plan.AnyNode, int, Footprint]]:
        """What each of a keyed operator's instances keeps, by worker; none for those that keep nothing."""
        for node in self._nodes:
            for worker, operator in zip(self._here, self._operators.get(node.id, ()), strict=False):
                found = footprint(operator)
                if found.rows or found.bytes:
                    yield node, worker, found

    def merged(self) -> Iterator[Merged]:
        """The aggregates whose parts come from every worker."""
        for node in self._nodes:
            if isinstance(node, plan.Aggregate) and isinstance(node.input, plan.PartialAggregate):
                firsts = [o for o in self._operators[node.input.id] if isinstance(o, PartialAggregateOperator)]
                finals = [o.answer for o in self._operators[node.id] if isinstance(o, AggregateOperator)]
                answer = next((found for found in finals if found is not None), None)
                yield Merged(node, tuple(first.part for first in firsts), answer)

    def fed(self, relation: str, epoch: int) -> None:
        """A new job has read all of a relation, as of ``epoch``: those who borrow it, or have a copy, may look."""
        for side in self._borrowed():
            if side.relation == relation:
                side.fed(epoch)
        for node, operators in self._copies():
            if any(isinstance(scan, plan.Scan) and scan.relation == relation for scan in plan.walk(node.side)):
                for operator in operators:
                    operator.filled()

    def unfed(self) -> None:
        """After ``restore``, for a job that has not read all its inputs: see ``fed``."""
        for side in self._borrowed():
            side.unfed()
        self._fill_copies()

    def _fill_copies(self) -> None:
        for _, operators in self._copies():
            for operator in operators:
                operator.fill()

    def _copies(self) -> Iterator[tuple[plan.ReplicatedLookup, list[ReplicatedLookupOperator]]]:
        for node in self._nodes:
            if isinstance(node, plan.ReplicatedLookup):
                yield node, [o for o in self._operators[node.id] if isinstance(o, ReplicatedLookupOperator)]

    def close(self) -> None:
        """It is needed no more."""

    def let_go(self) -> None:
        """Another thread goes on with the job."""
        for side in self._borrowed():
            side.let_go()

    def _borrowed(self) -> Iterator[Borrowed]:
        for operators in self._operators.values():
            for operator in operators:
                yield from (side for side in getattr(operator, "arranged", ()) if isinstance(side, Borrowed))

    def lookups(self) -> Iterator[tuple[plan.LookupJoin, LookupJoinOperator]]:
        """The joins that ask a source by key."""
        for node in self._nodes:
            for operator in self._operators.get(node.id, ()):
                if isinstance(node, plan.LookupJoin) and isinstance(operator, LookupJoinOperator):
                    yield node, operator

    def outstanding(self) -> list[LookupRequest]:
        """The lookups that were asked for and not answered."""
        return [request for _, operator in self.lookups() if (request := operator.outstanding()) is not None]

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        """All state as named batches, ``node/worker/part``."""
        return {
            f"{node_id}/{worker}/{name}": batch
            for node_id, operators in self._operators.items()
            for worker, operator in zip(self._here, operators, strict=True)
            for name, batch in operator.snapshot().items()
        }

    def changes(self) -> GraphChanges:
        """What has changed since the last snapshot or changes; of operators that cannot tell, everything."""
        found = GraphChanges({}, {}, set())
        for node_id, operators in self._operators.items():
            for worker, operator in zip(self._here, operators, strict=True):
                if isinstance(operator, Stateless):
                    continue
                prefix = f"{node_id}/{worker}/"
                changes = operator.changes() if isinstance(operator, Incremental) else None
                if changes is None:
                    found.anew.add(prefix)
                    found.whole.update((prefix + name, batch) for name, batch in operator.snapshot().items())
                else:
                    found.changed.update((prefix + name, batch) for name, batch in changes.items())
        return found

    def watermarks(self) -> dict[str, int]:
        """What ``restore`` needs besides the batches: watermarks by node and by relation."""
        nodes = {f"node/{k}": v for k, v in self._watermarks.items()}
        return nodes | {f"input/{k}": v for k, v in self._inputs.items()}

    def restore(
        self,
        state: Mapping[str, pa.RecordBatch],
        watermarks: Mapping[str, int],
        epoch: int,
        later: Sequence[Mapping[str, pa.RecordBatch]] = (),
    ) -> None:
        """Into a fresh graph of the same plan and number of workers. ``later``: what ``changes`` gave, in order."""
        for node_id, operators in self._operators.items():
            for worker, operator in zip(self._here, operators, strict=True):
                prefix = f"{node_id}/{worker}/"
                try:
                    own = parts_under(prefix, state)
                    news = [found for changes in later if (found := parts_under(prefix, changes))]
                    if isinstance(operator, Incremental):
                        operator.restore_chain(own, news, epoch)
                    else:
                        operator.restore(own, epoch)
                except KeyError as missing:
                    raise CorruptState(f"the checkpoint lacks state {prefix}{missing.args[0]}") from None
        self._watermarks |= {node: watermarks[f"node/{node}"] for node in self._watermarks}
        self._inputs |= {name: watermarks[f"input/{name}"] for name in self._inputs}


def parts_under(prefix: str, state: Mapping[str, Part]) -> dict[str, Part]:
    """The parts of a state whose names begin with ``prefix``, by the rest of their names."""
    return {name[len(prefix) :]: part for name, part in state.items() if name.startswith(prefix)}


class Nested:
    """A graph inside an operator of another, on one worker: its watermarks never move, and it borrows nothing."""

    def __init__(self, root: plan.AnyNode) -> None:
        self._graph = Graph(root)

    def start(self, context: Context) -> Delta:
        return self._told(self._graph.start(context.epoch), context)

    def run(self, deltas: Mapping[str, Delta], context: Context) -> Delta:
        inputs = {name: Input(delta) for name, delta in deltas.items()}
        return self._told(self._graph.run(context.epoch, inputs, at_us=context.at_us), context)

    def _told(self, output: Output, context: Context) -> Delta:
        context.errors += output.errors
        return output.delta

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return self._graph.snapshot()

    def changes(self) -> Changes | None:
        found = self._graph.changes()
        return None if found.anew else found.changed

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None:
        self._graph.restore(state, self._graph.watermarks(), epoch, later)
