"""Changes of a relation, one whole epoch at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.embedded.link import Feed
from constellationdb.embedded.relation import Row, rows_of
from constellationdb.errors import InvalidParameter

_ASYNC_WAIT_S = 0.2  # how long a closed or cancelled ``async for`` may hold its thread


@dataclass(frozen=True)
class Changes:
    """What one epoch changed: ``batch`` begins with ``_epoch`` and ``_diff``, the weight of the row.

    Applying every ``Changes`` up to here gives exactly the relation at ``epoch``.
    """

    epoch: int
    batch: pa.Table

    def arrow(self) -> pa.Table:
        return self.batch

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        """(weight, row): +1 a row that appeared, -1 one that went."""
        return ((int(row[1]), row[2:]) for row in rows_of(self.batch))

    def __len__(self) -> int:
        return int(self.batch.num_rows)


class Subscription:
    """First the contents, then what changes them; ends with ``close`` or by an error.

    ``resume_token`` names the last epoch that was handed over whole: passed to
    ``subscribe(…, resume=token)``, also after a restart, it goes on right behind it.
    """

    def __init__(self, relation: str, feed: Feed, token: str | None = None) -> None:
        self.relation = relation
        self._feed = feed
        self._pending: list[pa.RecordBatch] = []
        self._ready: list[Changes] = []
        self._token = token
        self._closed = False

    @property
    def resume_token(self) -> str | None:
        """None until the first epoch is complete."""
        return self._token

    def next(self, timeout: float | None = None) -> Changes | None:
        """The next epoch that changed something; None when ``timeout`` seconds brought none, or after the end."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._ready:
            left = None if until is None else until - time.monotonic()
            if self._closed or (left is not None and left < 0):
                return None
            batch = self._feed.next(left)
            if batch is None:
                return None
            self._take(batch)
        changes = self._ready.pop(0)
        self._token = token_of(self.relation, changes.epoch)
        return changes

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._feed.close()

    def __iter__(self) -> Iterator[Changes]:
        while (changes := self.next()) is not None:
            yield changes

    async def __aiter__(self) -> AsyncIterator[Changes]:
        while not self._closed:
            changes = await asyncio.to_thread(self.next, _ASYNC_WAIT_S)
            if changes is not None:
                yield changes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _take(self, batch: pa.RecordBatch) -> None:
        """Cut at progress rows: what stands before one belongs to the epochs that it completes."""
        start = 0
        for row in pc.indices_nonzero(batch.column(1).is_null()).to_pylist():
            if row > start:
                self._pending.append(batch.slice(start, row - start))
            self._complete(batch.column(0)[row].as_py())
            start = row + 1
        if start < batch.num_rows:
            self._pending.append(batch.slice(start))

    def _complete(self, epoch: int) -> None:
        if self._pending:
            self._ready.append(Changes(epoch, pa.Table.from_batches(self._pending)))
            self._pending = []
        elif not self._ready:
            self._token = token_of(self.relation, epoch)


def token_of(relation: str, epoch: int) -> str:
    return f"{relation}@{epoch}"


def epoch_of(token: str, relation: str) -> int:
    """The epoch behind which ``token`` resumes; InvalidParameter when it is not of this relation."""
    name, _, epoch = token.rpartition("@")
    if not epoch.isdigit() or name != relation:
        raise InvalidParameter(
            f'"{token}" is not a resume token of "{relation}"', hint="pass what its subscription's resume_token gave"
        )
    return int(epoch)
