"""Fetching for lookup joins: off the engine's threads, in batches, until the source answers.

    keys asked for ──▶ queue ──▶ a thread: one fetch of many keys ──▶ answer ──▶ an epoch
                         ▲                        │ it fails
                         └──── later, with a growing pause; in halves when single keys are answered

Every lookup table has a fetcher of its own, so a source that hangs keeps no
other waiting. A failure never becomes an answer: the keys are asked again for
as long as it takes, and ``trouble`` says what the source said last. One key
that cannot be answered (a value that does not fit, a key found twice) is
found by halving its batch, and the others get their answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.connectors.api import LookupPredicate
from constellationdb.connectors.pushdown import PushdownAdapter
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.record import Answer, AnswerHeader
from constellationdb.errors import UniqueViolation
from constellationdb.planner import plan
from constellationdb.planner.lower.predicates import values_of

_THREADS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_BATCH_KEYS = 10_000

Deliver = Callable[[Answer], None]


@dataclass(frozen=True)
class Asker:
    """The lookup join that waits: a node of a job. ``oid`` tells jobs of one name apart."""

    job: str
    oid: int
    node: plan.LookupJoin


@dataclass
class _Batch:
    asker: Asker
    keys: pa.RecordBatch
    attempts: int = 0
    due: float = 0.0  # by the monotonic clock


class Fetcher:
    """The queue of one lookup table and the threads that serve it, which start when they are needed."""

    def __init__(self, table: str, source: PushdownAdapter, deliver: Deliver) -> None:
        self._table = table
        self._source = source
        self._deliver = deliver
        self._most_keys = min(source.source.capabilities.max_keys, _BATCH_KEYS)
        self._queue: list[_Batch] = []
        self._serving: list[_Batch] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self.trouble: str | None = None

    @property
    def waiting_keys(self) -> int:
        """Keys asked for and not answered yet."""
        with self._changed:
            return sum(batch.keys.num_rows for batch in [*self._queue, *self._serving])

    def ask(self, asker: Asker, keys: pa.RecordBatch) -> None:
        with self._changed:
            self._queue.append(_Batch(asker, keys))
            if not self._idle and len(self._threads) < _THREADS:
                name = f"lookup {self._table}"
                self._threads.append(threading.Thread(target=self._serve, name=name, daemon=True))
                self._threads[-1].start()
            self._changed.notify()

    def forget(self, oid: int) -> None:
        """Nobody waits for this job's keys any more."""
        with self._changed:
            self._queue = [batch for batch in self._queue if batch.asker.oid != oid]
            self._settle()

    def close(self) -> None:
        """End the threads; a fetch under way is cut off where its source can be."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._source.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            try:
                answer = self._fetch(batch.asker, batch.keys)
            except Exception as error:
                self._retry(batch, error)
                continue
            with self._changed:
                self._serving.remove(batch)
                self._settle()
            self._deliver(answer)

    def _next(self) -> _Batch | None:
        """The next batch that is due, made as large as its first attempt may be; None at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                due = next((batch for batch in self._queue if batch.due <= now), None)
                if due is not None:
                    batch = self._gathered(due)
                    self._serving.append(batch)
                    return batch
                first = min((batch.due for batch in self._queue), default=None)
                self._idle += 1
                self._changed.wait(None if first is None else first - now)
                self._idle -= 1
            return None

    def _gathered(self, first: _Batch) -> _Batch:
        """``first`` with what else its join asks for, as one fetch; what is too much stays in the queue."""
        self._queue.remove(first)
        if first.attempts == 0:
            others = [b for b in self._queue if b.attempts == 0 and b.asker == first.asker]
            self._queue = [b for b in self._queue if b not in others]
            first.keys = pa.concat_batches([first.keys, *(b.keys for b in others)])
        if first.keys.num_rows > self._most_keys:
            rest = _Batch(first.asker, first.keys.slice(self._most_keys), first.attempts, first.due)
            self._queue.append(rest)
            first.keys = first.keys.slice(0, self._most_keys)
            self._changed.notify()
        return first

    def _fetch(self, asker: Asker, keys: pa.RecordBatch) -> Answer:
        node = asker.node
        predicates = [LookupPredicate(p.column, p.op, tuple(values_of(p))) for p in node.predicates]  # type: ignore[arg-type]
        found = self._source.fetch(keys, list(node.columns), predicates).combine_chunks()
        rows = (found.to_batches() or [pa.RecordBatch.from_pylist([], schema=found.schema)])[0]
        refuse_repeated(self._table, rows, keys.schema.names)
        return Answer(AnswerHeader(asker.job, node.id, self._table, asker.oid), keys, rows)

    def _retry(self, batch: _Batch, error: Exception) -> None:
        """Ask again later: in halves when a key of the batch is answered by itself, so it is not the source."""
        halves = [batch.keys]
        if batch.keys.num_rows > 1 and not self._closed and self._answers_one(batch):
            middle = batch.keys.num_rows // 2
            halves = [batch.keys.slice(0, middle), batch.keys.slice(middle)]
        pause = min(_FIRST_PAUSE_S * 2**batch.attempts, _LONGEST_PAUSE_S) if len(halves) == 1 else 0.0
        with self._changed:
            self.trouble = str(error)
            self._serving.remove(batch)
            due = time.monotonic() + pause
            attempts = batch.attempts + 1 if len(halves) == 1 else 1
            self._queue += [_Batch(batch.asker, keys, attempts, due) for keys in halves]
            self._changed.notify_all()

    def _answers_one(self, batch: _Batch) -> bool:
        one = batch.keys.slice(batch.attempts % batch.keys.num_rows, 1)
        try:
            self._fetch(batch.asker, one)
        except Exception:
            return False
        return True

    def _settle(self) -> None:
        """No trouble any more once nothing is left that failed."""
        if not any(batch.attempts for batch in [*self._queue, *self._serving]):
            self.trouble = None


def refuse_repeated(table: str, rows: pa.RecordBatch, key: Sequence[str]) -> None:
    """UniqueViolation when two rows have one key: which of them to join would be a guess."""
    if rows.num_rows < 2:
        return
    names = rows.schema.names
    keys = encode_rows(rows, [names.index(name) for name in key], nulls_equal=False)
    first, counts = consolidate(keys, np.ones(rows.num_rows, np.int64))
    repeated = np.flatnonzero(counts > 1)
    repeated = repeated[~keys.null_mask[first[repeated]]]
    if len(repeated):
        row = rows.slice(int(first[repeated[0]]), 1).to_pylist()[0]
        raise UniqueViolation(
            f'lookup table "{table}" has more than one row with ({", ".join(key)})='
            f"({', '.join(str(row[name]) for name in key)})",
            hint="its primary key must be unique in the source",
        )
