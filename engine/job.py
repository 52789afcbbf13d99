"""A job: the graph of one materialized view, consuming its inputs' logs epoch by epoch.

A new job is pinned to an epoch. It first runs the inputs' contents as of that
epoch through its graph in chunks, one chunk a step so that others run between
them, and shows nothing of it; when it has caught up its output is ready, at
the pinned epoch, and from then on every epoch is one ``step``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import FOREVER, Arrangement
from constellationdb.engine.backfills import BackfillProgress
from constellationdb.engine.batch import Delta
from constellationdb.engine.changelog import Change
from constellationdb.engine.first_answers import Chunks, first_answer
from constellationdb.engine.graph import CLOCK, Graph, Input, Output, Work
from constellationdb.engine.handover import Handover
from constellationdb.engine.operators.base import NO_WATERMARK, LookupAnswer, LookupRequest
from constellationdb.engine.places import Placed
from constellationdb.engine.processes.remote import RemoteGraph
from constellationdb.engine.relation import Progress, RelationState
from constellationdb.engine.side import ERRORS_SCHEMA
from constellationdb.errors import DiskFull
from constellationdb.planner.explain import Kind
from constellationdb.planner.plan import Plan, is_netted, unique_key

CHUNK_ROWS = 65_536

# What an input holds as of the pinned epoch.
Backfill = Callable[[RelationState, int], Chunks]


@dataclass
class Counters:
    """What a windowed job did with rows, since it was created: assigned = used + late."""

    used: int = 0
    late: int = 0
    rows_in: int = 0
    rows_out: int = 0
    epochs: int = 0


@dataclass(frozen=True)
class Answered:
    """A lookup answer on its way to a node of the job, taking effect at an epoch."""

    epoch: int
    at_us: int
    node: int
    answer: LookupAnswer


@dataclass
class Outputs:
    """The relations a job writes: its view, the rows that failed, the rows that came late."""

    view: RelationState
    errors: RelationState
    late: RelationState | None = None

    def all(self) -> list[RelationState]:
        return [r for r in (self.view, self.errors, self.late) if r is not None]


@dataclass
class Job:
    """``position``: the last epoch the job was taken to; ``failure`` stops it there for good.

    Epochs in which nothing of its inputs changes cost it nothing: ``reached`` counts them when somebody asks.
    While it is ``held`` it takes no step, and none beyond the epoch ``until``. ``steps``: those it has done,
    whether a checkpoint must write it again.
    """

    name: str
    plan: Plan
    graph: Graph | RemoteGraph
    inputs: dict[str, RelationState]
    outputs: Outputs
    position: int
    base: Progress = field(default_factory=Progress)
    backfill: Iterator[None] | None = None
    counters: Counters = field(default_factory=Counters)
    failure: BaseException | None = None
    answers: list[Answered] = field(default_factory=list)  # not yet processed, in epoch order
    requests: list[LookupRequest] = field(default_factory=list)  # not yet sent
    _taken: list[Answered] = field(default_factory=list)  # by the step under way
    oid: int = 0  # the view's; negative for a query's
    started_us: int = 0
    enough: int | None = None  # rows that only come: with so many its reader has all that it wants
    closed: bool = False
    kinds: dict[int, Kind] = field(default_factory=dict)  # what its operators are called, once somebody asked
    progress: BackfillProgress | None = None  # of its first answer, if this process has computed it
    held: bool = False
    paused: DiskFull | None = None  # what it keeps has no room: it goes on when there is some
    retry_at: float = 0.0  # when to look for it
    until: int = int(FOREVER)
    steps: int = 0
    ahead: dict[str, int] = field(default_factory=dict)  # inputs whose first epoch came with the first answer
    _nets: bool = field(init=False)  # an epoch's change leaves the graph netted
    _done: int = 0  # the epoch of the last step
    _stepping: bool = False
    _early: Work | None = None  # the epoch after the one that is stepped, which its workers have already
    _caught_up: bool = False
    due_us: int | None = None  # when the clock changes the answer
    _handover: Handover | None = None  # from the version of the view that it follows
    _known: tuple[int, int] = (-1, 0)  # what ``reached`` said, after so many moves

    def __post_init__(self) -> None:
        root = self.plan.root
        self._nets = root.append_only or is_netted(root)
        for state in self.outputs.all():
            state.writer = self

    @property
    def starting(self) -> bool:
        """Whether its first answer is still being computed."""
        return self.backfill is not None

    @property
    def at_rest(self) -> bool:
        """Whether it is between two steps, with nothing on its way from one version of its view to the next."""
        resting = not self._stepping and self._early is None
        return (resting or self.failure is not None) and self._handover is None

    @property
    def handing_over(self) -> bool:
        return self._handover is not None

    def begin(self, epoch: int, read: Backfill, progress: BackfillProgress) -> None:
        """Pin the job to ``epoch``; its first answer is computed by the following steps, or the rest of it."""
        self.position = epoch
        self.progress = progress
        if not progress.begun:  # the history of a source meets a copy that comes with the view as it is from then on
            self.ahead = {name: state.born for name, state in self.inputs.items() if state.born == epoch + 1}
        for state in self.outputs.all():
            state.ready = False
        for state in self.inputs.values():
            state.consumers.add(self)
        chunks = {name: read(state, self.ahead.get(name, epoch)) for name, state in self.inputs.items()}
        self.backfill = first_answer(self, epoch, chunks, progress)

    def has_enough(self) -> bool:
        contents = self.outputs.view.contents
        return self.enough is not None and contents is not None and contents.live >= self.enough

    def keep(self, output: Output, epoch: int) -> None:
        """Take an output into the contents, unseen as long as the job is not ready."""
        for state, delta in self._deltas(output):
            if delta is not None:
                self._apply(state, delta, epoch, output.placed)

    def _apply(
        self, state: RelationState, delta: pa.RecordBatch, epoch: int, placed: Sequence[Placed] | None = None
    ) -> None:
        assert state.contents is not None
        if placed is not None and state is self.outputs.view and isinstance(state.contents, Arrangement):
            state.contents.place(placed, epoch)
        else:
            state.contents.apply(delta, epoch, netted=state is self.outputs.view)

    def _deltas(self, output: Output) -> list[tuple[RelationState, Delta]]:
        self.counters.used += output.used
        self.requests += output.requests
        self.counters.late += output.dropped + sum(b.num_rows for b in output.late)
        view = output.delta if output.placed is not None else self._view_delta(output.delta)
        found = [(self.outputs.view, view), (self.outputs.errors, _error_rows(output))]
        if self.outputs.late is not None:
            late = zset.concat([zset.weighted(b) for b in output.late])
            schema = self.outputs.late.schema
            found.append((self.outputs.late, None if late is None else zset.netted(zset.conform(late, schema))))
        return found

    def _view_delta(self, delta: Delta) -> Delta:
        if delta is None or delta.num_rows == 0:
            return None
        delta = zset.conform(delta, self.outputs.view.schema)
        return delta if self._nets else zset.netted(delta)

    def runnable(self) -> bool:
        if self.failure is not None or self.closed or self.paused is not None:
            return False
        if self._early is not None:
            return True  # its workers have done it
        if self.held:
            return False
        if self.backfill is not None:
            return all(s.ready and s.frontier >= self.position for s in self.inputs.values())
        following = self.following()
        return following is not None and following <= min(self._limit(), self.until)

    def following(self) -> int | None:
        """The next epoch that one of the inputs changed in or a lookup was answered in."""
        changes = [c.epoch for s in self.inputs.values() if (c := s.log.after(self.position)) is not None]
        changes += [c.epoch for c in self.answers[:1]]
        if self._handover is not None:
            changes.append(self._handover.epoch)
        return min(changes, default=None)

    def _limit(self) -> int:
        """The last epoch that all inputs have reached; without inputs, the last one there is."""
        return min((s.frontier for s in self.inputs.values()), default=self.base.epoch)

    @property
    def idle(self) -> bool:
        """Whether it has done everything that there was to do."""
        return not (self._stepping or self.starting) and self.following() is None

    def reached(self) -> int:
        """The last epoch that is completely in the outputs, those that passed the job by included."""
        if self._stepping or self.backfill is not None or self.failure is not None:
            return self.position
        moves, found = self._known
        if moves != self.base.moves:
            following = self.following()
            limit = self._limit()
            found = max(self.position, limit if following is None else min(limit, following - 1))
            self._known = (self.base.moves, found)
        return found

    def take(self) -> Work | None:
        """Under the engine's lock: what the next epoch brings; None for a chunk of the first answer."""
        if self.backfill is not None:
            self._stepping = True
            return None
        work, self._early = self._early, None
        if work is None:
            epoch = self.following()
            assert epoch is not None
            work = self._work_of(epoch)
        self.position, self._stepping = work.epoch - 1, True
        if self.graph.takes_early:
            self._look_ahead(work.epoch)
        return work

    def _look_ahead(self, epoch: int) -> None:
        """While an epoch's change goes into the view, the workers do the next one, if there is one."""
        changes = [c.epoch for s in self.inputs.values() if (c := s.log.after(epoch)) is not None]
        following = min(changes, default=None)
        if following is not None and following <= min(self._limit(), self.until) and self._handover is None:
            self._early = self._work_of(following)

    def _work_of(self, epoch: int) -> Work:
        inputs, at_us = self._inputs_at(epoch)
        if self._handover is not None:
            at_us = max(at_us, self._handover.at_us)
        answers: dict[int, list[LookupAnswer]] = {}
        while self.answers and self.answers[0].epoch <= epoch:
            answered = self.answers.pop(0)
            self._taken.append(answered)
            answers.setdefault(answered.node, []).append(answered.answer)
            at_us = max(at_us, answered.at_us)
        return Work(epoch, at_us, inputs, answers)

    def step(self, work: Work | None) -> list[tuple[RelationState, Change]]:
        """Do what was taken: what to publish then, and ``settle``."""
        if work is None:
            assert self.backfill is not None
            self._caught_up = next(self.backfill, self) is self
            return []
        self.graph.begin(work)
        if self._early is not None:
            self.graph.begin(self._early)
        output = self.graph.end()
        self.counters.epochs += 1
        self._done = work.epoch
        return self._changes(output, work.epoch, work.at_us)

    def settle(self) -> None:
        """Under the engine's lock, with what the last step brought published: the job is that far."""
        self._stepping = False
        self._taken.clear()
        self.steps += 1
        if self.backfill is None:
            self.position = self._done
            if self._handover is not None and self._handover.epoch <= self._done:
                self._handover = None
                for state in self.outputs.all():
                    state.ready = True
        elif self._caught_up:
            self.backfill = None
            assert self.progress is not None
            self.progress.finished = True
        self.look_at_clock()

    def look_at_clock(self) -> None:
        if CLOCK in self.inputs:
            self.due_us = self.graph.due_us()

    def take_over(self, name: str, oid: int, outputs: Outputs, handover: Handover | None) -> None:
        """Under the engine's lock: go on as the job of the view that this is the next version of."""
        self.name, self.oid, self.outputs, self._handover = name, oid, outputs, handover
        for state in outputs.all():
            state.writer = self

    def _inputs_at(self, epoch: int) -> tuple[Mapping[str, Input], int]:
        inputs, at_us = {}, 0
        for name, state in self.inputs.items():
            change = state.log.after(epoch - 1)
            if self.ahead.get(name) == epoch:  # read with the first answer
                continue
            if change is not None and change.epoch == epoch:
                inputs[name] = Input(change.delta, change.watermark)
                at_us = max(at_us, change.at_us)
                self.counters.rows_in += 0 if change.delta is None else change.delta.num_rows
        return inputs, at_us

    def _changes(self, output: Output, epoch: int, at_us: int) -> list[tuple[RelationState, Change]]:
        made = []
        handover = self._handover if self._handover is not None and self._handover.epoch == epoch else None
        for state, delta in self._deltas(output):
            if handover is not None:
                delta = handover.difference(state, delta)
            if delta is not None:
                self._apply(state, delta, epoch, output.placed if handover is None else None)
                self.counters.rows_out += delta.num_rows if state is self.outputs.view else 0
            watermark = output.watermark if state is self.outputs.view else NO_WATERMARK
            made.append((state, Change(epoch, delta, watermark, at_us)))
        if handover is not None and isinstance(self.outputs.view.contents, Arrangement):
            self.outputs.view.contents.identify_by(unique_key(self.plan.root), epoch)
        return made

    def unprocessed(self, upto: int) -> list[Answered]:
        """Under the engine's lock: the lookup answers up to an epoch that are in no step that is done."""
        return [answered for answered in (*self._taken, *self.answers) if answered.epoch <= upto]

    def take_requests(self) -> list[LookupRequest]:
        """The lookups to send for; each is handed out once."""
        taken, self.requests = self.requests, []
        return taken

    def resume(self) -> None:
        """After recovery: ask again what no logged answer has come for."""
        self.requests = self.graph.outstanding()

    def reload(self, epoch: int, copied: Iterable[str]) -> None:
        """After its state was restored as of ``epoch``: give the joins their copies of lookup tables again."""
        copies = {name: self.inputs[name].version().weighted(self.ahead.get(name, epoch)) for name in copied}
        if copies:
            self.graph.run(epoch, {name: Input(rows) for name, rows in copies.items()})

    def close(self) -> None:
        self.closed = True
        self.graph.close()
        for state in self.inputs.values():
            state.consumers.discard(self)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def _error_rows(output: Output) -> Delta:
    if not output.errors:
        return None
    rows = pa.RecordBatch.from_pylist(
        [{"node": e.node, "sqlstate": e.sqlstate, "message": e.message, "payload": e.row} for e in output.errors],
        schema=ERRORS_SCHEMA,
    )
    return zset.netted(zset.with_weights(rows, np.array([e.weight for e in output.errors], np.int64)))
