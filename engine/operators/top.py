"""TopN: the first rows of every key in an order, from an ordered multiset, putting out what changes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.closing_keys import ClosingKeys
from constellationdb.engine.operators.incremental import Summed
from constellationdb.engine.operators.punctual import punctual
from constellationdb.engine.ordered import OrderedRows
from constellationdb.planner import plan

_KINDS = ("row_number", "rank", "dense_rank")


class TopNOperator(Summed, Unheld):
    """State: the rows by key, in order; of an input that only grows those that are shown or stand before them.

    A key that the watermark closes is freed: what was said of it stays said.
    """

    def __init__(self, node: plan.TopN) -> None:
        self._node = node
        self._schema = node.schema
        self._numbered = node.numbered or node.rank != "row_number"
        self._late = plan.late_by(node)
        closing = min(node.closing, key=lambda c: (c.offset_us, c.index), default=None)
        self._closing = ClosingKeys(node.expiry or closing)
        self._end = node.offset + node.limit
        self._index = KeyIndex()
        grows, by_place = node.input.append_only, node.rank == "row_number"
        self._trims = grows and not by_place
        self._rows = OrderedRows(node.input.schema, node.order, node.ties, bounded=grows and by_place)

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch = punctual(inputs[0], self._late, context)
        changed = self._absorb(batch) if batch is not None and batch.num_rows else None
        closed = self._closing.closed(context.watermark, len(self._index))
        if closed is not None:
            self._rows.free(closed)
        if self._rows.wasteful:
            self._compact()
        return changed

    def _absorb(self, batch: pa.RecordBatch) -> Delta:
        if zset.is_weighted(batch):
            netted = zset.netted(batch)
            if netted is None:
                return None
            batch = netted
        slots = self._slots(zset.data(batch))
        if self._numbered:
            kind = _KINDS.index(self._node.rank)
            entries, numbers, weights = self._rows.change_numbers(batch, slots, kind, self._end, trims=self._trims)
        else:
            entries, weights = self._rows.change_window(batch, slots, self._node.offset, self._end)
            numbers = entries
        if not len(entries):
            return None
        columns = self._rows.take(entries).columns
        if self._node.numbered:
            columns.append(pa.array(numbers).cast(self._schema.types[-1]))
        return zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=self._schema), weights)

    def _slots(self, rows: pa.RecordBatch) -> I64:
        if not self._node.keys:
            self._rows.reserve(1)
            return np.zeros(rows.num_rows, np.int64)
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, self._node.keys))
        if new:
            self._rows.reserve(len(self._index))
            self._closing.opened(rows, slots, known, known + new)
        return slots

    def _compact(self) -> None:
        if not self._node.keys:
            self._rows.compact(np.zeros(1, np.int64))
            return
        keep = self._rows.used(len(self._index))
        self._index, _ = self._index.compact(keep)
        slots = np.flatnonzero(keep)
        self._rows.compact(slots)
        self._closing.compact(slots)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"rows": self._rows.snapshot()}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        rows = self._rows.changes()
        return None if rows is None else {"rows": rows}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        if state["rows"].num_rows:
            self._absorb(state["rows"])
        self._rows.follow()
