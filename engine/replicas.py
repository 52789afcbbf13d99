"""Copies of lookup tables: relations whose one writer is a thread that reads their source again when it changed.

    source changed? ──▶ read it whole ──▶ what is different ──▶ an epoch's change, logged as rows

So a copy is like a table: at an epoch it holds one version, every view that
joins it meets that version, and a replay finds the same rows without asking
the source. A source that cannot be read leaves the copy as it was; ``trouble``
says why.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.connectors.api import TableSource
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.fetching import refuse_repeated
from constellationdb.engine.operators.base import ENDED
from constellationdb.engine.relation import Follower, RelationState
from constellationdb.engine.reply import Reply
from constellationdb.engine.sequencer import Epoch
from constellationdb.errors import ConnectorFailure, ConstellationError

Submit = Callable[[Callable[[Epoch], None]], "Reply[Any]"]

_LOOK_EVERY_S = 1.0
_READS = 5


class ReplicaState(RelationState):
    """The copy's contents and log. Its watermark is at the end: time does not pass through it."""

    contents: Arrangement

    def __init__(self, relation: Relation, epoch: int, writer: Follower) -> None:
        super().__init__(relation.name, relation.schema, Arrangement(relation.schema), epoch, writer)
        self.relation = relation
        self.watermark = ENDED


def read_copy(relation: Relation, source: TableSource) -> tuple[Hashable, pa.RecordBatch]:
    """(version, rows) of a source as it is now; its keys are unique, or UniqueViolation says which is not."""
    for _ in range(_READS):
        version = source.version()
        rows = _one_batch(source.table())
        if source.version() == version:  # else it changed while it was read
            refuse_repeated(relation.name, rows, relation.primary_key)
            return version, rows
    raise ConnectorFailure(f'the source of lookup table "{relation.name}" changes while it is read')


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


@dataclass(frozen=True)
class FirstCopy:
    """What a copy begins with, in the epoch that creates its table: no join finds it empty."""

    version: Hashable
    rows: pa.RecordBatch


@dataclass
class _Copy:
    state: ReplicaState
    source: TableSource
    every_s: float
    version: Hashable = None
    due: float = math.inf  # when to look next, by the monotonic clock; not before it has begun


class Replicas:
    """The thread that looks whether the sources of the copies have changed; it runs while there is one that can."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._copies: dict[str, _Copy] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.trouble: dict[str, str] = {}

    def add(self, state: ReplicaState, source: TableSource, ttl_us: int | None) -> None:
        every_s = _LOOK_EVERY_S if ttl_us is None else ttl_us / 1e6
        with self._changed:
            self._copies[state.name] = _Copy(state, source, every_s)

    def begin(self, epoch: Epoch, state: ReplicaState, first: FirstCopy) -> None:
        """On the sequencer's thread: fill a copy that was added now; its source is read again when it has changed."""
        if first.rows.num_rows:
            fill(epoch, state, first.rows)
        with self._changed:
            copy = self._copies.get(state.name)
            if copy is not None:
                copy.version, copy.due = first.version, time.monotonic() + copy.every_s
        self._wake()

    def start(self) -> None:
        """Look at the sources of the copies that were restored, now that epochs can be submitted."""
        with self._changed:
            for copy in self._copies.values():
                copy.due = time.monotonic()
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            if self._copies and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="lookup copies", daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, name: str) -> None:
        with self._changed:
            self._copies.pop(name, None)
            self.trouble.pop(name, None)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (copy := self._next()) is not None:
            try:
                self._refresh(copy)
            except ConstellationError as error:
                self.trouble[copy.state.name] = error.message
            except Exception as error:
                self.trouble[copy.state.name] = str(error)
            else:
                self.trouble.pop(copy.state.name, None)

    def _next(self) -> _Copy | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                first = min(self._copies.values(), key=lambda copy: copy.due, default=None)
                if first is not None and first.due <= now:
                    first.due = now + first.every_s
                    return first
                self._changed.wait(None if first is None or first.due == math.inf else first.due - now)
            return None

    def _refresh(self, copy: _Copy) -> None:
        if copy.source.version() == copy.version:
            return
        version, rows = read_copy(copy.state.relation, copy.source)
        delta = _difference(copy.state, rows)
        if delta is not None:
            self._submit(lambda epoch: self._change(epoch, copy, delta)).result()
        copy.version = version

    def _change(self, epoch: Epoch, copy: _Copy, delta: pa.RecordBatch) -> None:
        with self._changed:
            dropped = self._copies.get(copy.state.name) is not copy
        if not dropped:
            fill(epoch, copy.state, delta)


def fill(epoch: Epoch, state: ReplicaState, delta: pa.RecordBatch) -> None:
    """On the sequencer's thread: a change of the copy as part of this epoch."""
    state.contents.apply(delta, epoch.number)
    epoch.change(state.name, delta)


def _difference(state: ReplicaState, rows: pa.RecordBatch) -> pa.RecordBatch | None:
    """What turns the contents into ``rows``. This thread alone writes them, so they stand still."""
    before = state.contents.snapshot()
    parts = [zset.negate(before), zset.with_weights(zset.named_like(rows, state.schema), 1)]
    parts = [part for part in parts if part.num_rows]
    return zset.netted(pa.concat_batches(parts)) if parts else None
