"""A graph on worker processes, as the job sees it that runs it: like a ``Graph``, of which this has the surface."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.channels.messages import Message
from constellationdb.engine.exchange import slices
from constellationdb.engine.footprint import Footprint
from constellationdb.engine.graph import CLOCK, GraphChanges, Input, Measured, Output, Work
from constellationdb.engine.manifest import Home
from constellationdb.engine.meters import Meter
from constellationdb.engine.operators.base import NO_WATERMARK, LookupAnswer, LookupRequest
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.engine.operators.partial_map import Merged, Part
from constellationdb.engine.places import Placed
from constellationdb.engine.processes import protocol as p
from constellationdb.engine.processes.journal import Journal, State
from constellationdb.engine.processes.pool import Beside, Pool, WorkerLost
from constellationdb.engine.reply import Reply
from constellationdb.errors import InternalError
from constellationdb.planner import plan

# An answer, and the batches beside it.
Told: TypeAlias = "tuple[p.Answer, Sequence[pa.RecordBatch]]"
_NONE = -1
_MOST_LOSSES = 3  # of workers, by one command: then it is the command
# More than this is not done again after a loss, but state is written: of a graph without checkpoints, or with them.
_JOURNAL_BYTES, _JOURNAL_BYTES_KEPT = 64 << 20, 512 << 20


@dataclass
class _Begun:
    """An epoch that the workers may be doing; no ``replies``: they have not been told."""

    command: p.Run
    batches: Beside
    replies: list[Reply[Message]] | None = None

    def collect(self) -> list[Message]:
        if self.replies is None:
            raise WorkerLost(guilty=False)
        return [reply.result() for reply in self.replies]


class RemoteGraph:
    """``encoded``: the plan. ``is_kept``: checkpoints are taken of it, so it need hardly write its state itself."""

    def __init__(self, pool: Pool, number: int, encoded: bytes, *, is_kept: bool) -> None:
        self._pool = pool
        self._number = number
        lowered = plan.decode(encoded)
        self._root = root = lowered.root
        self._nodes = list({node.id: node for node in plan.walk(root)}.values())
        nets = root.append_only or plan.is_netted(root)
        unique = None if root.append_only else plan.unique_key(root)
        self._load = p.Load(number, encoded, unique, nets)
        clock = [CLOCK] if plan.reads_clock(root) else []
        self._inputs = [*clock, *plan.relations_of(root)]
        self._columns = {name: _read_of(self._nodes, name) for name in self._inputs}
        self._watermarks = {f"node/{node.id}": NO_WATERMARK for node in self._nodes}
        self._watermarks |= {f"input/{name}": NO_WATERMARK for name in self._inputs}
        self._journal = Journal()
        self._most_bytes = _JOURNAL_BYTES_KEPT if is_kept else _JOURNAL_BYTES
        self._untold = False  # the workers have given state that the next checkpoint does not know of
        self._begun: deque[_Begun] = deque()
        self._epoch = 0
        self._generation = _NONE  # of the workers that have it
        self._due_us: int | None = None
        self._parts: dict[int, list[Part | None]] = {}
        self._answers: dict[int, pa.RecordBatch] = {}
        self._state: dict[int, tuple[p.NodeState, ...]] = {}
        self.windowed = {node.id: (0, 0) for node in self._nodes if isinstance(node, plan.Windowing)}
        self.meters = {node.id: Meter() for node in self._nodes}

    @property
    def workers(self) -> int:
        return self._pool.workers

    @property
    def home(self) -> Home:
        return Home(self.workers, remote=True)

    @property
    def takes_early(self) -> bool:
        return self._journal.bytes <= self._most_bytes  # else state is written first, between two epochs

    @property
    def relations(self) -> list[str]:
        return list(self._inputs)

    def due_us(self) -> int | None:
        return self._due_us

    # -- epochs --------------------------------------------------------------------------------

    def start(self, epoch: int) -> Output:
        return self._ran(self._do(p.Start(self._number, epoch)), epoch)

    def run(
        self,
        epoch: int,
        inputs: Mapping[str, Input],
        answers: Mapping[int, Sequence[LookupAnswer]] | None = None,
        at_us: int = 0,
    ) -> Output:
        self.begin(Work(epoch, at_us, inputs, answers or {}))
        return self.end()

    def begin(self, work: Work) -> None:
        """Let the workers do an epoch; another may begin before it ends. Once more what has begun is nothing."""
        assert not work.answers, "lookups are made in the server"
        if any(begun.command.epoch == work.epoch for begun in self._begun):
            return
        parts, given = [], []
        for name, change in work.inputs.items():
            if change.delta is None or change.delta.num_rows == 0:
                parts.append(p.Part(name, change.watermark, None))
            else:
                part, rows = _sent(name, change, self._columns[name])
                parts.append(part)
                given.append(slices(rows, self.workers))
        command = p.Run(self._number, work.epoch, work.at_us, tuple(parts))
        begun = _Begun(command, list(zip(*given, strict=True)) if given else None)
        self._begun.append(begun)
        self._send(begun)

    def end(self) -> Output:
        """What the epoch came to that began first."""
        begun = self._begun[0]
        told = self._surely(begun.collect)
        self._begun.popleft()
        self._journal.add(begun.command, begun.batches)
        output = self._ran(told, begun.command.epoch)
        if self._journal.bytes > self._most_bytes and not self._begun:
            self._write_down()
        return output

    def _send(self, begun: _Begun) -> None:
        """If there are no workers now that know the graph, they are told of it when it is waited for."""
        if self._generation == self._pool.generation:
            with suppress(WorkerLost):
                begun.replies = self._pool.send(self._generation, begun.command, begun.batches)

    def fed(self, relation: str, epoch: int) -> None:
        self._do(p.Fed(self._number, relation, epoch))

    def unfed(self) -> None:
        self._do(p.Unfed(self._number))

    def let_go(self) -> None:
        """Any thread may go on with it."""

    def close(self) -> None:
        self._pool.drop(self._number)

    def _ran(self, told: Sequence[Told], epoch: int) -> Output:
        self._epoch = epoch
        output = Output(None, NO_WATERMARK)
        deltas, placed, dues, watermarks = [], [], [], []
        meters: dict[int, list[p.NodeMeter]] = {}
        parts: dict[int, list[Part | None]] = {}
        for worker, (ran, beside) in enumerate(told):
            assert isinstance(ran, p.Ran)
            batches = list(beside)
            if ran.delta:
                delta = batches.pop(0)
                deltas.append(delta)
                if ran.gone is not None:
                    slots = batches.pop(0).column(0).to_numpy()
                    old = batches.pop(0).column(0).to_numpy() if ran.renumbered else None
                    placed.append(Placed(worker, self._generation, delta, ran.gone, slots, old))
            for part in ran.parts:
                parts.setdefault(part.node, []).append(None if part.part is None else Part(*part.part))
                if part.answer:
                    self._answers[part.node] = batches.pop(0)
            output.late += batches
            output.errors += ran.errors
            output.used += ran.used
            output.windowed += ran.windows
            output.dropped += ran.dropped
            watermarks.append(ran.watermark)
            if ran.due_us is not None:
                dues.append(ran.due_us)
            for node, (used, late) in ran.windowed.items():
                before = self.windowed[node]
                self.windowed[node] = before[0] + used, before[1] + late
            for meter in ran.meters:
                meters.setdefault(meter.node, []).append(meter)
            if ran.state is not None:
                self._state[worker] = ran.state
            self._watermarks = ran.watermarks
        for node, several in meters.items():
            self.meters[node] = Meter(
                sum(m.rows for m in several),
                sum(m.late for m in several),
                sum(m.errors for m in several),
                sum(m.busy_ns for m in several),
            )
        self._parts = parts
        self._due_us = min(dues, default=None)
        output.delta = zset.concat(deltas)
        output.placed = placed if self._load.unique is not None else None
        output.watermark = min(watermarks)
        return output

    # -- commands ------------------------------------------------------------------------------

    def _do(self, command: p.Command, batches: Beside = None) -> list[Told]:
        """What every worker answers; all of it is done again when a worker is lost meanwhile."""
        told = self._surely(lambda: self._pool.call(self._generation, command, batches))
        self._journal.add(command, batches)
        return told

    def _surely(self, call: Callable[[], list[Message]]) -> list[Told]:
        losses = 0
        while True:
            try:
                if self._generation != (generation := self._pool.generation):
                    self._set_up(generation)
                messages = call()
                break
            except WorkerLost as lost:
                self._generation = _NONE
                losses += lost.guilty
                if losses >= _MOST_LOSSES:
                    raise InternalError(
                        f"a worker process died {losses} times over the same epoch",
                        hint="See the server's log for how it ended: it may have run out of memory.",
                    ) from lost
        return [_read(message) for message in messages]

    def _set_up(self, generation: int) -> None:
        """On workers that do not know it: as it was, and what has been done since, without telling anybody again."""

        def call(command: p.Command | Sequence[p.Command], batches: Beside = None) -> None:
            for message in self._pool.call(generation, command, batches):
                _read(message)

        call(self._load)
        if (state := self._journal.state()) is not None:
            call(*self._given(state))
        for entry in self._journal.since:
            call(entry.command, entry.batches)
        self._generation = generation
        for begun in self._begun:
            begun.replies = self._pool.send(generation, begun.command, begun.batches)

    # -- checkpoints ---------------------------------------------------------------------------

    def _write_down(self) -> None:
        """For itself: what came since the last state is not needed any more."""
        if self._journal.is_long:
            self.snapshot()
        else:
            self._journal.changed(self._taken(changes=True), self._watermarks, self._epoch)
        self._untold = True

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._untold = False
        whole = self._taken(changes=False).whole
        self._journal.whole(whole, self._watermarks, self._epoch)
        return whole

    def changes(self) -> GraphChanges:
        if self._journal.is_long or self._untold:
            whole = self.snapshot()
            return GraphChanges(whole, {}, {f"{node.id}/{w}/" for node in self._nodes for w in range(self.workers)})
        found = self._taken(changes=True)
        self._journal.changed(found, self._watermarks, self._epoch)
        return found

    def _taken(self, *, changes: bool) -> GraphChanges:
        found = GraphChanges({}, {}, set())
        for taken, beside in self._surely(lambda: self._pool.call(self._generation, p.Snapshot(self._number, changes))):
            assert isinstance(taken, p.Taken)
            batches = iter(beside)
            found.whole.update((name, next(batches)) for name in taken.whole)
            found.changed.update((name, next(batches)) for name in taken.changed)
            found.anew.update(taken.anew)
        return found

    def watermarks(self) -> dict[str, int]:
        return dict(self._watermarks)

    def restore(
        self,
        state: Mapping[str, pa.RecordBatch],
        watermarks: Mapping[str, int],
        epoch: int,
        later: Sequence[Mapping[str, pa.RecordBatch]] = (),
    ) -> None:
        self._journal.whole(state, watermarks, epoch)
        for changes in later:
            self._journal.changed(GraphChanges({}, dict(changes), set()), watermarks, epoch)
        self._watermarks, self._epoch = dict(watermarks), epoch
        self._surely(list)  # nothing but to set it up

    def _given(self, state: State) -> tuple[list[p.Command], list[list[pa.RecordBatch]]]:
        """What each worker is told of a state that it has to go on from: its own part."""
        commands: list[p.Command] = []
        batches = []
        for worker in range(self.workers):
            whole, *later = [_own(parts, worker) for parts in (state.whole, *state.later)]
            names = tuple(tuple(parts) for parts in later)
            commands.append(p.Restore(self._number, state.epoch, dict(state.watermarks), tuple(whole), names))
            batches.append([batch for parts in (whole, *later) for batch in parts.values()])
        return commands, batches

    # -- what is told of it --------------------------------------------------------------------

    def windows(self) -> Iterator[tuple[plan.Windowing, int, int, int]]:
        for node in self._nodes:
            if isinstance(node, plan.Windowing):
                yield node, self._watermarks[f"node/{node.id}"], *self.windowed[node.id]

    def measured(self) -> Iterator[Measured]:
        kept: dict[int, Footprint] = {}
        for node, _, found in self.kept():
            before = kept.get(node.id, Footprint())
            kept[node.id] = Footprint(before.rows + found.rows, before.bytes + found.bytes)
        for node in self._nodes:
            meter = self.meters[node.id]
            rows_in = sum(self.meters[child.id].rows for child in node.children)
            yield Measured(node, rows_in, meter.rows, meter.late, meter.errors, meter.busy_ns,
                           kept.get(node.id, Footprint()), self._watermarks[f"node/{node.id}"])  # fmt: skip

    def kept(self) -> Iterator[tuple[plan.AnyNode, int, Footprint]]:
        """As the workers said last, some time ago."""
        nodes = {node.id: node for node in self._nodes}
        for worker, states in sorted(self._state.items()):
            for state in states:
                yield nodes[state.node], worker, Footprint(state.rows, state.bytes)

    def merged(self) -> Iterator[Merged]:
        for node in self._nodes:
            if isinstance(node, plan.Aggregate) and isinstance(node.input, plan.PartialAggregate):
                parts = self._parts.get(node.id, [None] * self.workers)
                yield Merged(node, tuple(parts), self._answers.get(node.id))

    def lookups(self) -> Iterator[tuple[plan.LookupJoin, LookupJoinOperator]]:
        yield from ()

    def outstanding(self) -> list[LookupRequest]:
        return []


def _read_of(nodes: Sequence[plan.AnyNode], relation: str) -> tuple[int, ...]:
    """The columns of a relation that are read."""
    return tuple(sorted({c for n in nodes if isinstance(n, plan.Scan) and n.relation == relation for c in n.columns}))


def _sent(name: str, change: Input, columns: tuple[int, ...]) -> tuple[p.Part, pa.RecordBatch]:
    """What workers are told of an input, and the rows: only the columns that they read."""
    delta = change.delta
    assert delta is not None
    width, weighted = zset.data_width(delta), zset.is_weighted(delta)
    places = [*columns, width] if weighted else list(columns)
    rows = delta.select(places) if places else zset.rows_of_nothing(delta.num_rows)
    return p.Part(name, change.watermark, columns, width, weighted), rows


def _own(parts: Mapping[str, pa.RecordBatch], worker: int) -> dict[str, pa.RecordBatch]:
    """Those of one worker: the second piece of the name."""
    return {name: batch for name, batch in parts.items() if name.split("/", 2)[1] == str(worker)}


def _read(message: Message) -> Told:
    """What a worker answered; raises what went wrong there."""
    answer = p.answer_of(message.head)
    if isinstance(answer, p.Failed) and answer.error is not None:
        error = pickle.loads(answer.error)
        raise error if isinstance(error, Exception) else InternalError(str(error))
    return answer, message.batches
