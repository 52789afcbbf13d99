"""The rows of what never ends by itself, a SUBSCRIBE or a continuous query, taken as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.contents import AppendedRows
from constellationdb.engine.job import Job
from constellationdb.engine.sources import SourceState
from constellationdb.engine.subscription import Subscription

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


# A query with a LIMIT ends so long after everything that was there has been read, with what has come.
QUIET_SECONDS = 1.0
_LOOK_SECONDS = 0.1


class Stream:
    """``schema`` without the columns ``_epoch`` and ``_diff``: rows that only come, at most ``limit`` of them.

    ``job``: that of a query nobody named, which ends with its stream. With a ``limit`` it also ends soon after all that
    is there was read: who asks for a hundred rows wants a look, and not to wait for the hundredth.
    """

    def __init__(
        self,
        engine: Engine,
        subscription: Subscription,
        schema: pa.Schema,
        *,
        job: Job | None = None,
        limit: int | None = None,
    ) -> None:
        self._engine = engine
        self._subscription = subscription
        self._plain = len(schema) < len(subscription.schema)
        self._job = job
        self._left = limit
        self._began = engine.clock.monotonic()
        self._read: float | None = None  # when all that was there had been
        self._last: int | None = None  # the epoch with which a look ends
        self.schema = schema

    @property
    def subscription(self) -> Subscription | None:
        """If it is nothing but that: every batch as it comes."""
        return self._subscription if self._job is None and self._left is None and not self._plain else None

    @property
    def over(self) -> bool:
        """Whether no row can come any more."""
        return self._left == 0 or self._subscription.over

    def start(self) -> None:
        """What is there now is the snapshot; without this it is what is there at the first ``next``."""
        self._subscription.start()

    def next(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """The next rows; None after ``timeout`` seconds and at the end. A cancelled call has taken nothing."""
        if self._left == 0:
            return None
        batch = self._subscription.next(timeout) if self._left is None else self._next_or_end(timeout)
        if batch is None:
            return None
        self._let_go()
        rows = pa.RecordBatch.from_arrays(batch.columns[2:], schema=self.schema) if self._plain else batch
        if self._left is not None:
            rows = rows.slice(0, self._left)
            self._left -= rows.num_rows
        return rows

    def _let_go(self) -> None:
        """A stream may go on for ever: what it has read of its own job's rows is kept no longer."""
        contents = self._subscription.relation.contents
        if self._job is not None and isinstance(contents, AppendedRows):
            contents.unneeded = self._subscription.epoch

    def _next_or_end(self, timeout: float | None) -> pa.RecordBatch | None:
        while True:
            last = self._has_seen_all()  # asked before the rows are taken, so that there are none it does not know of
            wait = 0.0 if last else _LOOK_SECONDS if timeout is None else min(timeout, _LOOK_SECONDS)
            batch = self._subscription.next(wait)
            if batch is not None or self._subscription.over:
                return batch
            if last:
                self._left = 0
                return None
            if timeout is not None and (timeout := timeout - wait) <= 0:
                return None

    def _has_seen_all(self) -> bool:
        """Whether the sources had been read to their ends a while ago, and the job has done all of it."""
        job, now = self._job, self._engine.clock.monotonic()
        if job is None:
            return True
        with self._engine.lock:
            if self._read is None:
                sources = (state for state in job.inputs.values() if isinstance(state, SourceState))
                if all(source.is_read(self._began) for source in sources):
                    self._read = now
            if self._read is None or now - self._read < QUIET_SECONDS:
                return False
            if self._last is None:
                self._last = self._engine.epoch
            return not job.starting and job.reached() >= self._last and not job.graph.outstanding()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            while (batch := self.next()) is not None:
                yield batch
        finally:
            self.close()

    def close(self) -> None:
        self._subscription.leave()
        job, self._job = self._job, None
        if job is not None:
            self._engine.drop_transient(job)
