"""LookupJoin: each row of the stream with the row its key has in a lookup table that is asked by key.

    row ──▶ key known?  yes ─▶ join now, with the answer that is known
                        no  ─▶ ask (once per key), wait here, join when the answer arrives

An answer is an input: it comes with an epoch, is logged, and takes effect then.
Waiting rows hold the output's watermark, and nothing else: no other relation
waits. Where the input can retract, what was emitted for each row is remembered
and retracted from memory, never by asking again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.answers import UNKNOWN, AnswerCache
from constellationdb.engine.operators.base import Context, LookupAnswer, LookupRequest
from constellationdb.engine.operators.condition import Condition
from constellationdb.engine.operators.enriched import Enrichment
from constellationdb.engine.operators.incremental import Patched
from constellationdb.engine.operators.key_types import fitted
from constellationdb.planner import plan

I64: TypeAlias = NDArray[np.int64]

_NO_SLOTS = np.zeros(0, np.int64)


class LookupJoinOperator(Patched):
    """State: the answers by key, the rows that wait, and (retractable input) what was emitted per row.

    ``ttl_us``: how long an answer is good for; ``max_rows``: how many are kept. None: no bound.
    """

    def __init__(
        self, node: plan.LookupJoin, table: pa.Schema, ttl_us: int | None, max_rows: int | None = None
    ) -> None:
        self._node = node
        self._keys = pa.schema([table.field(name) for name in node.table_keys])
        self._columns = pa.schema([table.field(name) for name in node.columns])
        self._cache = AnswerCache(self._keys, self._columns, ttl_us, max_rows)
        self._out = Enrichment(node, self._columns, remembers=not node.input.append_only)
        self._right_filter: Condition | None = None
        if node.right_filter is not None:
            slot = pa.schema([pa.field(f"c{i}", f.type) for i, f in enumerate(self._columns)])
            self._right_filter = Condition(node.id, node.right_filter, slot)
        self._waiting: Delta = None
        self._waiting_slots = _NO_SLOTS  # of the waiting rows, one each
        self._held: int | None = None

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def hold(self) -> int | None:
        return self._held

    @property
    def waiting_rows(self) -> int:
        return 0 if self._waiting is None else self._waiting.num_rows

    def outstanding(self) -> LookupRequest | None:
        """What was asked for and not answered yet: to ask again after a restart."""
        keys = self._cache.outstanding()
        return None if keys is None else LookupRequest(self._node.id, self._node.table, keys)

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        learned = [self._learn(answer, context) for answer in context.answers]
        parts: list[pa.RecordBatch] = []
        incoming = inputs[0]
        if incoming is not None and incoming.num_rows:
            incoming = self._cancel(incoming, parts, context.epoch)
        if any(learned) and self._waiting is not None:
            waiting, slots = self._waiting, self._waiting_slots
            self._waiting, self._waiting_slots = None, _NO_SLOTS
            self._join_or_wait(waiting, slots, context, parts)
        if incoming is not None and incoming.num_rows:
            self._join_or_wait(incoming, self._slots(incoming), context, parts)
        self._forget()
        if self._waiting is None:
            self._held = None
        elif self._held is None:
            self._held = context.watermark_before
        return zset.concat(parts)

    def _cancel(self, incoming: pa.RecordBatch, parts: list[pa.RecordBatch], epoch: int) -> Delta:
        """Take away what the delta takes away: from the waiting rows first, else from what was emitted."""
        weights = zset.weights(incoming)
        if weights is None or not bool((weights < 0).any()):
            return incoming
        both = [zset.weighted(b) for b in (self._waiting, incoming) if b is not None]
        self._waiting, self._waiting_slots = None, _NO_SLOTS
        netted = zset.netted(pa.concat_batches([zset.named_like(b, both[0].schema) for b in both]))
        return None if netted is None else self._out.retract(netted, parts, epoch)

    def _learn(self, answer: LookupAnswer, context: Context) -> bool:
        keys = zset.named_like(answer.keys, self._keys)
        rows = answer.rows
        columns = zset.rows_of_nothing(rows.num_rows)
        if len(self._columns):
            columns = pa.RecordBatch.from_arrays([rows.column(c.name) for c in self._columns], schema=self._columns)
        found = pa.RecordBatch.from_arrays([rows.column(k.name) for k in self._keys], schema=self._keys)
        if self._right_filter is not None and rows.num_rows:
            passing = np.flatnonzero(self._right_filter.run(columns, context))
            columns, found = zset.take(columns, passing), zset.take(found, passing)
        return self._cache.learn(keys, found, columns, context.at_us)

    def _slots(self, rows: pa.RecordBatch) -> I64:
        """The cache's slot for each row's key; -1 for one that no row of the table can have."""
        pairs = [fitted(rows.column(i), f.type) for i, f in zip(self._node.input_keys, self._keys, strict=True)]
        keys = pa.RecordBatch.from_arrays([column for column, _ in pairs], schema=self._keys)
        inexact = [exact for _, exact in pairs if exact is not None]
        if not inexact:
            return self._cache.slots(keys)
        possible = np.flatnonzero(np.logical_and.reduce(inexact))
        slots = np.full(rows.num_rows, -1, np.int64)
        slots[possible] = self._cache.slots(zset.take(keys, possible))
        return slots

    def _join_or_wait(self, rows: pa.RecordBatch, slots: I64, context: Context, parts: list[pa.RecordBatch]) -> None:
        entries = self._cache.entries(slots, context.at_us)
        late = np.flatnonzero(entries == UNKNOWN)
        if len(late):
            self._wait(zset.take(rows, late), slots[late], context)
            ready = np.flatnonzero(entries != UNKNOWN)
            rows, entries = zset.take(rows, ready), entries[ready]
        if len(entries):
            joined = self._out.join(rows, entries, self._cache.take, context)
            parts += [joined] if joined is not None else []

    def _wait(self, rows: pa.RecordBatch, slots: I64, context: Context) -> None:
        self._waiting = rows if self._waiting is None else zset.concat([self._waiting, rows])
        self._waiting_slots = np.concatenate([self._waiting_slots, slots])
        keys = self._cache.ask(slots)
        if keys is not None:
            context.requests.append(LookupRequest(self._node.id, self._node.table, keys))

    def _forget(self) -> None:
        moved = self._cache.evict()
        if moved is not None:
            self._waiting_slots = moved[self._waiting_slots]

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        state = {**self._cache.snapshot(), **self._passing()}
        if self._out.emitted is not None:
            state["emitted"] = self._out.emitted.snapshot()
        return state

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        """Rows that wait do so for a moment: they are written as they are."""
        answers = self._cache.changes()
        emitted = None if self._out.emitted is None else self._out.emitted.changes()
        if answers is None or (emitted is None and self._out.emitted is not None):
            return None
        return {**answers, **self._passing(), **({} if emitted is None else {"emitted": emitted})}

    def _passing(self) -> dict[str, pa.RecordBatch]:
        state = {"held": pa.record_batch({"value": pa.array([self._held], pa.int64())})}
        return state if self._waiting is None else {**state, "waiting": self._waiting}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._cache.restore(state)
        if self._out.emitted is not None:
            self._out.emitted.restore(state["emitted"], epoch)
        self._let_wait(state)

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._cache.patch(changes)
        if self._out.emitted is not None:
            self._out.emitted.patch(changes["emitted"], epoch)
        self._let_wait(changes)

    def _let_wait(self, state: Mapping[str, pa.RecordBatch]) -> None:
        self._held = state["held"].column(0)[0].as_py()
        self._waiting = state.get("waiting")
        self._waiting_slots = _NO_SLOTS if self._waiting is None else self._slots(self._waiting)
