"""SUBSCRIBE: the snapshot of a relation, then its changes, epoch after epoch.

    _epoch bigint, _diff bigint, columns …      a row of weight n is one row with _diff n

With progress, a row whose ``_diff`` is NULL says that its epoch is complete. A
subscriber keeps its own place in the relation's log; one that falls behind what
the log keeps is told the epoch to resume from, never skipped ahead. One whose
relation is dropped is told so, after what there was to tell.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.bell import Bell
from constellationdb.engine.cancellation import Cancellation
from constellationdb.engine.history import changes_since, check_kept, rewound
from constellationdb.engine.job import Job
from constellationdb.engine.operators.base import ENDED
from constellationdb.engine.relation import RelationState
from constellationdb.engine.stopped import failed_under, refuse_stopped
from constellationdb.errors import ConstellationError, RelationUnusable, SubscriberTooSlow, UndefinedRelation

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_LARGE_ROWS = 16_384
_MOST_ROWS = 262_144  # taken from the log at once, by one who is far behind


class Subscription:
    """``next`` gives one batch of change rows at a time. One thread at a time, except ``cancel``.

    ``job``: that of a query nobody named; the subscription ends when its inputs have ended, and fails with it.
    """

    def __init__(
        self,
        engine: Engine,
        state: RelationState,
        *,
        snapshot: bool = True,
        progress: bool = False,
        as_of: int | None = None,
        at_least: bool = False,
        job: Job | None = None,
        cancelled: Cancellation | None = None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._progress = progress
        self._job = job
        self.cancelled = cancelled or Cancellation()
        self._snapshot = snapshot and state.contents is not None
        self._started = False
        self._pending: deque[tuple[pa.RecordBatch, int]] = deque()  # not handed out yet; the epoch each completes
        self._as_of = as_of
        self._at_least = at_least
        self.epoch = 0  # everything up to here was handed out: the token to resume from
        self.schema = pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *state.schema])

    def start(self, timeout: float | None = 0.0) -> bool:
        """Begin at the epoch that is now, once the relation has one; False when it is not soon, and ``next`` begins."""
        if not self._started and (first := self._begin(timeout)) is not None:
            self._pending.append((first, self.epoch))
        return self._started

    def next(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """The next batch; None after ``timeout`` seconds, at shutdown, at the end. QueryCanceled after ``cancel``."""
        self.cancelled.check()
        while True:
            if not self._started:
                first = self._begin(timeout)
                if first is not None:
                    return first
                if not self._started:
                    return None
            if self._pending:
                batch, self.epoch = self._pending.popleft()
                return batch
            if not self._wait(timeout):
                return None
            self._fetch()

    def _begin(self, timeout: float | None) -> pa.RecordBatch | None:
        """Register at an epoch: what is contained there comes as the snapshot, what follows as changes."""
        if self._as_of is not None:
            return self._resume(self._as_of, timeout)
        if not self._engine.wait(lambda: self._state.ready or self._is_over(), self.cancelled, timeout):
            return None
        self._check()
        with self._engine.lock:
            self.epoch = self._state.frontier
            version = self._state.version() if self._snapshot else None
            self._enroll()
        return self._snapshot_rows(version.weighted(self.epoch) if version is not None else None)

    def _resume(self, epoch: int, timeout: float | None) -> pa.RecordBatch | None:
        """AS OF EPOCH n: as it stood at n, then what follows; without a snapshot only what follows."""

        def there() -> bool:
            return (self._state.ready and self._state.frontier >= epoch) or self._is_over()

        if not self._engine.wait(there, self.cancelled, timeout):
            return None
        self._check()
        with self._engine.lock:
            if self._at_least:
                epoch = max(epoch, self._state.log.begins)
            if self._snapshot:
                changes, version, now = changes_since(self._state, epoch), self._state.version(), self._state.frontier
            else:
                check_kept(self._state, epoch)
            self.epoch = epoch
            self._enroll()
        return self._snapshot_rows(rewound(version, now, changes)) if self._snapshot else None

    def _enroll(self) -> None:
        """Under the engine's lock. A source is read, and its changes kept, only while somebody wants them."""
        self._started = True
        if self._state.contents is None:
            self._state.subscribers.add(self)
            self._engine.nudge()

    def _snapshot_rows(self, rows: zset.Delta) -> pa.RecordBatch | None:
        parts = [] if rows is None or not rows.num_rows else [self._stamped(rows, self.epoch)]
        if self._progress:
            parts.append(self._progress_row(self.epoch))
        return pa.concat_batches(parts) if parts else None

    def _wait(self, timeout: float | None) -> bool:
        """Until there is more; False when there is none, or no more."""
        alone = not self._progress and self._job is None  # nothing but a change of the relation can bring more
        relation = self._state if alone else None
        if not self._engine.waiting.wait(lambda: self._more() or self._is_over(), self.cancelled, timeout, relation):
            return False
        with self._engine.lock:
            more = self._more()
        if not more:
            self._check()
        return more

    def _more(self) -> bool:
        behind = self._state.log.begins > self.epoch
        return behind or self._has_changes() or (self._progress and self._state.frontier > self.epoch)

    def _is_over(self) -> bool:
        """Whether nothing can come any more."""
        job = self._job
        if job is None:
            return self._state.dropped or failed_under((self._state,)) is not None
        ended = job.idle and bool(job.inputs) and all(s.watermark == ENDED for s in job.inputs.values())
        return ended or job.failure is not None

    # -- together with others ----------------------------------------------------------------------

    @property
    def shareable(self) -> bool:
        """Whether all that are where this one is get the same from here on."""
        return self._started and not self._progress and self._job is None and not self._pending

    @property
    def relation(self) -> RelationState:
        return self._state

    def another(self) -> Subscription:
        """One that goes on from the same place."""
        made = Subscription(self._engine, self._state, snapshot=False)
        made.epoch = self.epoch
        with self._engine.lock:
            made._enroll()
        return made

    def is_where(self, other: Subscription) -> bool:
        """Whether nothing of the relation lies between the two."""
        first, last = sorted((self.epoch, other.epoch))
        with self._engine.lock:
            change = self._state.log.after(first)
            return self._state.log.begins <= first and (change is None or change.epoch > last)

    def poll(self) -> pa.RecordBatch | None:
        """What ``next`` would give at once."""
        if not self._pending:
            with self._engine.lock:
                more = self._more()
            if more:
                self._fetch()
            elif self._is_over():
                self._check()
        if not self._pending:
            return None
        batch, self.epoch = self._pending.popleft()
        return batch

    def call(self, bell: Bell) -> bool:
        """Ring ``bell`` once there is more to ``poll``; False, and it will not ring, when there is now."""
        with self._engine.lock:
            if self._more() or self._is_over():
                return False
            self._state.readers.add(bell)
            return True

    def uncall(self, bell: Bell) -> None:
        with self._engine.lock:
            self._state.readers.discard(bell)

    # -- its end -----------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether ``next`` has nothing more to give, for good."""
        with self._engine.lock:
            return self._engine.waiting.stopping or (not self._pending and self._is_over() and not self._more())

    def _check(self) -> None:
        """What a subscriber is told at the end, if it was not a natural one."""
        if self._state.dropped:
            raise _gone(self._state, self.epoch)
        if self._job is not None and self._job.failure is not None:
            raise self._job.failure
        with self._engine.lock:
            refuse_stopped(self._engine, (self._state,))

    def _has_changes(self) -> bool:
        change = self._state.log.after(self.epoch)
        while change is not None and change.delta is None:
            change = self._state.log.after(change.epoch)
        return change is not None and change.epoch <= self._state.frontier

    def _fetch(self) -> None:
        """What came since: small epochs joined to one batch, a large one as it is."""
        with self._engine.lock:
            state = self._state
            if state.log.begins > self.epoch:
                raise SubscriberTooSlow(
                    f'the subscription to "{state.name}" fell behind the changes that are kept',
                    hint=f"it ended after epoch {self.epoch}; subscribe anew, or WITH (retain_history = …) on creation",
                )
            changes, frontier = state.log.some_after(self.epoch, state.frontier, _MOST_ROWS)
        parts: list[pa.RecordBatch] = []
        for change in changes:
            if change.delta is not None:
                parts.append(self._stamped(change.delta, change.epoch))
                if self._progress:
                    parts.append(self._progress_row(change.epoch))
                if change.delta.num_rows >= _LARGE_ROWS:
                    self._pending.append((_joined(parts), change.epoch))
                    parts = []
        if self._progress and (not changes or changes[-1].epoch < frontier or changes[-1].delta is None):
            parts.append(self._progress_row(frontier))
        if parts:
            self._pending.append((_joined(parts), frontier))
        elif self._pending:
            self._pending.append((self._pending.pop()[0], frontier))
        else:
            self.epoch = frontier

    def _stamped(self, delta: pa.RecordBatch, epoch: int) -> pa.RecordBatch:
        own = zset.weights(delta)
        count = delta.num_rows
        diff = _ones(count) if own is None else pa.array(own)
        columns = [pa.array(np.full(count, epoch, np.int64)), diff, *zset.data(delta).columns]
        return pa.RecordBatch.from_arrays(columns[: len(self.schema)], schema=self.schema)

    def _progress_row(self, epoch: int) -> pa.RecordBatch:
        nulls = [pa.nulls(1, f.type) for f in list(self.schema)[1:]]
        return pa.RecordBatch.from_arrays([pa.array([epoch], pa.int64()), *nulls], schema=self.schema)

    def cancel(self) -> None:
        """Any thread: make ``next`` raise QueryCanceled."""
        self.cancelled.set()

    def leave(self) -> None:
        """It wants nothing more."""
        with self._engine.lock:
            self._state.subscribers.discard(self)

    def close(self) -> None:
        self.leave()
        self.cancelled.set()


def _gone(state: RelationState, epoch: int) -> ConstellationError:
    """What who has seen all up to ``epoch`` is told when there is no more, and how to go on where there is."""
    if state.end_reason is not None:
        return state.end_reason
    if state.successor is None:
        return UndefinedRelation(f'"{state.name}" was dropped')
    token = "" if state.contents is None else f" AS OF EPOCH {state.successor.log.begins}"
    return RelationUnusable(
        f'"{state.name}" has other columns now',
        detail=f"The subscription ended after epoch {epoch}.",
        hint=f"SUBSCRIBE {state.name}{token} goes on from there with the columns it has now.",
    )


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


@cache
def _many_ones() -> pa.Array:
    return pa.array(np.ones(1 << 16, np.int64))


def _ones(count: int) -> pa.Array:
    """The weights of rows that only come: one array serves all."""
    return _many_ones().slice(0, count) if count <= 1 << 16 else pa.array(np.ones(count, np.int64))
