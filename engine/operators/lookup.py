"""LookupJoin: each row of the stream with the row its key has in a lookup table.

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
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.base import Context, LookupAnswer, LookupRequest
from constellationdb.engine.operators.condition import Condition
from constellationdb.engine.operators.emitted import EmittedRows
from constellationdb.engine.rowstore import RowStore, empty
from constellationdb.planner import plan

I64: TypeAlias = NDArray[np.int64]


class LookupJoinOperator:
    """State: the answers by key, the rows that wait, and (retractable input) what was emitted per row.

    ``ttl_us``: how long an answer is good for; None for ever.
    """

    def __init__(self, node: plan.LookupJoin, table: pa.Schema, ttl_us: int | None) -> None:
        self._node = node
        self._schema = node.schema
        self._input = node.input.schema
        self._keys = pa.schema([table.field(name) for name in node.table_keys])
        self._columns = pa.schema([table.field(name) for name in node.columns])
        self._ttl_us = ttl_us
        self._right_filter = self._condition(node.right_filter, self._columns)
        self._residual = self._condition(node.residual, self._schema)
        self._known = KeyIndex()
        self._key_rows = RowStore(self._keys)
        self._entry: I64 = np.full(64, -1, np.int64)  # key slot → its answer, -1: asked but not answered, -2: no row
        self._fetched_us: I64 = np.zeros(64, np.int64)
        self._answers = RowStore(self._columns)
        self._asked: set[int] = set()
        self._waiting: pa.RecordBatch | None = None
        self._held: int | None = None
        self._emitted = None if node.input.append_only else EmittedRows(self._input, self._columns)

    def _condition(self, substrait: bytes | None, schema: pa.Schema) -> Condition | None:
        return None if substrait is None else Condition(self._node.id, substrait, schema)

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def hold(self) -> int | None:
        return self._held

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        for answer in context.answers:
            self._learn(answer, context)
        parts: list[pa.RecordBatch] = []
        incoming = inputs[0]
        if incoming is not None and incoming.num_rows:
            incoming = self._cancel(incoming, parts)
        pending = zset.concat([b for b in (self._waiting, incoming) if b is not None])
        self._waiting = None
        if pending is not None:
            self._join_or_wait(pending, context, parts)
        if self._waiting is None:
            self._held = None
        elif self._held is None:
            self._held = context.watermark_before
        return zset.concat(parts)

    # -- retractions ---------------------------------------------------------------------------

    def _cancel(self, incoming: pa.RecordBatch, parts: list[pa.RecordBatch]) -> Delta:
        """Take away what the delta takes away: from the waiting rows first, else from what was emitted."""
        if self._emitted is None or not zset.is_weighted(incoming):
            return incoming
        parts_in = [zset.weighted(b) for b in (self._waiting, incoming) if b is not None]
        netted = zset.netted(pa.concat_batches([zset.named_like(b, parts_in[0].schema) for b in parts_in]))
        self._waiting = None
        if netted is None:
            return None
        weights = zset.weights(netted)
        assert weights is not None
        if bool((weights < 0).any()):
            gone = zset.take(netted, np.flatnonzero(weights < 0))
            retracted = self._emitted.retract(zset.data(gone), -weights[weights < 0], self._schema)
            if retracted is not None:
                parts.append(retracted)
        come = np.flatnonzero(weights > 0)
        return zset.take(netted, come) if len(come) else None

    # -- answers -------------------------------------------------------------------------------

    def _learn(self, answer: LookupAnswer, context: Context) -> None:
        keys = zset.named_like(answer.keys, self._keys)
        slots = self._slots(keys)
        self._entry[slots] = -2
        self._fetched_us[slots] = context.at_us
        self._asked.difference_update(int(s) for s in slots)
        if not answer.rows.num_rows:
            return
        rows = answer.rows
        columns = pa.RecordBatch.from_arrays([rows.column(c.name) for c in self._columns], schema=self._columns)
        found = pa.RecordBatch.from_arrays([rows.column(k.name) for k in self._keys], schema=self._keys)
        if self._right_filter is not None:
            passing = np.flatnonzero(self._right_filter.run(columns, context))
            columns, found = zset.take(columns, passing), zset.take(found, passing)
        if not columns.num_rows:
            return
        start = self._answers.rows
        self._answers.append(columns)
        self._entry[self._slots(found)] = np.arange(start, self._answers.rows, dtype=np.int64)

    def _slots(self, keys: pa.RecordBatch) -> I64:
        """The slot of each key, made on first sight."""
        before = len(self._known)
        slots, new = self._known.upsert(encode_rows(keys, range(len(self._keys))))
        if new:
            first = np.full(new, -1, np.int64)
            fresh = np.flatnonzero(slots >= before)
            first[slots[fresh[::-1]] - before] = fresh[::-1]
            self._key_rows.append(zset.take(keys, first))
            self._entry = grow(self._entry, len(self._known), -1)
            self._fetched_us = grow(self._fetched_us, len(self._known), 0)
        return slots

    # -- joining -------------------------------------------------------------------------------

    def _join_or_wait(self, pending: pa.RecordBatch, context: Context, parts: list[pa.RecordBatch]) -> None:
        keys = pa.RecordBatch.from_arrays(
            [_as(pending.column(i), f.type) for i, f in zip(self._node.input_keys, self._keys, strict=True)],
            schema=self._keys,
        )
        nullable = _any_null(keys)
        slots = self._slots(keys)
        entry = np.where(nullable, -2, self._entry[slots])
        if self._ttl_us is not None:
            stale = (context.at_us - self._fetched_us[slots] > self._ttl_us) & ~nullable
            entry = np.where(stale, -1, entry)
        ready = entry != -1
        if not ready.all():
            late = np.flatnonzero(~ready)
            self._waiting = zset.take(pending, late)
            self._ask(slots[late], context)
        if ready.any():
            chosen = np.flatnonzero(ready)
            rows = pending if len(chosen) == pending.num_rows else zset.take(pending, chosen)
            joined = self._join(rows, entry[chosen], context)
            if joined is not None:
                parts.append(joined)

    def _ask(self, slots: I64, context: Context) -> None:
        missing = [s for s in dict.fromkeys(int(s) for s in slots) if s not in self._asked]
        if missing:
            self._asked.update(missing)
            keys = self._key_rows.take(np.array(missing, np.int64))
            context.requests.append(LookupRequest(self._node.id, self._node.table, keys))

    def _join(self, rows: pa.RecordBatch, entry: I64, context: Context) -> Delta:
        """Every row with its answer; ``entry`` -2 is no answer: dropped by INNER, NULLs by LEFT."""
        mine = zset.data(rows)
        found = entry >= 0
        theirs = self._take(entry)
        combined = pa.RecordBatch.from_arrays([*mine.columns, *theirs.columns], schema=self._schema)
        if self._residual is not None and found.any():
            candidates = np.flatnonzero(found)
            passing = self._residual.run(zset.take(combined, candidates), context)
            if not passing.all():
                found[candidates[~passing]] = False
                theirs = self._take(np.where(found, entry, -2))
                combined = pa.RecordBatch.from_arrays([*mine.columns, *theirs.columns], schema=self._schema)
        weights = zset.weights(rows)
        kept = found if self._node.join_type == "inner" else np.ones(len(found), np.bool_)
        if self._emitted is not None:
            self._emitted.remember(mine, theirs, kept, weights, context.epoch)
        if weights is not None or not self._node.append_only:
            combined = zset.with_weights(combined, 1 if weights is None else weights)
        if kept.all():
            return combined
        return zset.take(combined, np.flatnonzero(kept)) if kept.any() else None

    def _take(self, entry: I64) -> pa.RecordBatch:
        """The answers' columns; NULLs where the entry is negative."""
        if not len(self._columns):
            return zset.rows_of_nothing(len(entry))
        absent = entry < 0
        if absent.all():
            return pa.RecordBatch.from_arrays(
                [pa.nulls(len(entry), f.type) for f in self._columns], schema=self._columns
            )
        taken = self._answers.take(np.where(absent, 0, entry))
        if not absent.any():
            return taken
        mask = pa.array(absent)
        columns = [pc.if_else(mask, pa.scalar(None, c.type), c) for c in taken.columns]
        return pa.RecordBatch.from_arrays(columns, schema=self._columns)

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        count = len(self._known)
        every = np.arange(count, dtype=np.int64)
        facts = pa.record_batch({"entry": self._entry[:count], "fetched_us": self._fetched_us[:count]})
        keys = self._key_rows.take(every) if count else empty(self._keys)
        rows = np.arange(self._answers.rows, dtype=np.int64)
        state = {"keys": keys, "facts": facts}
        state["answers"] = self._answers.take(rows) if len(rows) else empty(self._columns)
        state["held"] = pa.record_batch({"value": pa.array([self._held], pa.int64())})
        if self._waiting is not None:
            state["waiting"] = self._waiting
        if self._emitted is not None:
            state["emitted"] = self._emitted.snapshot()
        return state

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        """What was asked and not answered is asked again, when the first epoch finds its rows waiting."""
        if state["keys"].num_rows:
            self._slots(state["keys"])
            count = state["keys"].num_rows
            self._entry[:count] = state["facts"].column("entry").to_numpy()
            self._fetched_us[:count] = state["facts"].column("fetched_us").to_numpy()
        if state["answers"].num_rows:
            self._answers.append(state["answers"])
        self._held = state["held"].column(0)[0].as_py()
        self._waiting = state.get("waiting")
        if self._emitted is not None:
            self._emitted.restore(state["emitted"], epoch)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else column.cast(kind)


def _any_null(keys: pa.RecordBatch) -> NDArray[np.bool_]:
    mask = np.zeros(keys.num_rows, np.bool_)
    for column in keys.columns:
        if column.null_count:
            mask |= column.is_null().to_numpy(zero_copy_only=False)
    return mask
