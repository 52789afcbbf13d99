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


# So long may nothing come before a query with a LIMIT ends with what has come.
QUIET_SECONDS = 1.0


class Stream:
    """``schema`` without the columns ``_epoch`` and ``_diff``: rows that only come, at most ``limit`` of them.

    ``job``: that of a query nobody named, which ends with its stream. With a ``limit`` it also ends when all that is
    there was read and nothing follows: who asks for a hundred rows wants a look, and not to wait for the hundredth.
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
        self._read = 0  # by the job, when nothing had come for a while
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
            wait = QUIET_SECONDS if timeout is None else min(timeout, QUIET_SECONDS)
            batch = self._subscription.next(wait)
            if batch is not None or self._subscription.over:
                return batch
            if wait == QUIET_SECONDS and self._is_quiet():
                self._left = 0
                return None
            if timeout is not None and (timeout := timeout - wait) <= 0:
                return None

    def _is_quiet(self) -> bool:
        """Whether the job has nothing to do, and has had nothing since this was asked last."""
        job = self._job
        if job is None:
            return True
        with self._engine.lock:
            before, self._read = self._read, job.counters.rows_in
            sources = [state for state in job.inputs.values() if isinstance(state, SourceState)]
            read = all(source.is_read for source in sources)
            return read and job.idle and not job.graph.outstanding() and before == self._read

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
