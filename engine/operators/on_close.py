"""OnClose: hold each row until the watermark passes the end of its window, then let it go, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.incremental import Summed
from constellationdb.engine.operators.noted import NotedChanges
from constellationdb.engine.operators.punctual import ends_of
from constellationdb.planner import plan


class OnCloseOperator(Summed, Unheld):
    """State: the netted rows of windows still open. Changes to a closed window (within its lateness) pass at once.

    A row without a time is let go at once by a join in time, which it meets nothing in; in an order of times it is
    behind all that may come.
    """

    def __init__(self, node: plan.OnClose) -> None:
        self._node = node
        self._pending: pa.RecordBatch | None = None
        self._noted = NotedChanges()

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        self._noted.note(inputs[0])
        parts = [b for b in (self._pending, inputs[0]) if b is not None and b.num_rows]
        if not parts:
            return None
        held = zset.netted(pa.concat_batches([zset.weighted(p) for p in parts]))
        if held is None:
            self._pending = None
            return None
        closed = self._ends(held) <= context.watermark
        self._pending = zset.take(held, np.flatnonzero(~closed)) if not closed.all() else None
        if not closed.any():
            return None
        out = zset.take(held, np.flatnonzero(closed))
        self._noted.note(zset.negate(out))
        return zset.expanded(out) if self._node.append_only else out

    def _ends(self, rows: pa.RecordBatch) -> NDArray[np.int64]:
        column = self._node.column
        if self._node.holds_nulls:
            return ends_of(rows.column(column.index), column.offset_us)
        return zset.micros(rows.column(column.index)) + column.offset_us

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._noted.begin()
        return {} if self._pending is None else {"pending": self._pending}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        if not self._noted.known:
            return None
        changed = self._noted.take()
        return {} if changed is None else {"pending": changed}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        pending = state.get("pending")
        self._pending = pending if pending is not None and pending.num_rows else None
        self._noted.begin()
