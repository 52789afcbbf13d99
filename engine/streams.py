"""The rows of what never ends by itself, a SUBSCRIBE or a continuous query, taken as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.job import Job
from constellationdb.engine.subscription import Subscription

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


class Stream:
    """``schema`` without the columns ``_epoch`` and ``_diff``: rows that only come, at most ``limit`` of them.

    ``job``: that of a query nobody named, which ends with its stream.
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
        batch = self._subscription.next(timeout)
        if batch is None:
            return None
        rows = pa.RecordBatch.from_arrays(batch.columns[2:], schema=self.schema) if self._plain else batch
        if self._left is not None:
            rows = rows.slice(0, self._left)
            self._left -= rows.num_rows
        return rows

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            while (batch := self.next()) is not None:
                yield batch
        finally:
            self.close()

    def close(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._engine.drop_transient(job)
