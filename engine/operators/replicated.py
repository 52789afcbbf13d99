"""ReplicatedLookup: each row of the stream with the row its key has in the copy of a lookup table.

    change of the table ──▶ the copy          (puts out nothing: rows met it as it was)
    row ──▶ its key in the copy ──▶ out, in the same epoch; nothing waits

Both come from relation logs, so an epoch's answer is a function of the epochs:
a replay finds the same copy at the same epoch. The copy is not part of the
state: it is the table's contents, which are fed in again after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.enriched import Enrichment
from constellationdb.engine.operators.incremental import Patched
from constellationdb.engine.operators.replica import Replica
from constellationdb.planner import plan


class ReplicatedLookupOperator(Patched, Unheld):
    """State: what was emitted per row, where the input can retract and the table can change.

    The constant rows of a new job are there before the copy: they wait until it is filled.
    """

    def __init__(self, node: plan.ReplicatedLookup) -> None:
        side = node.side.schema
        self._keys = node.input_keys
        self._replica = Replica(side, node.side_keys, node.width)
        columns = pa.schema(list(side)[: node.width])
        self._filling = False
        self._early: Delta = None
        self._out = Enrichment(node, columns, remembers=not (node.input.append_only or node.fixed))

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        side, rows = inputs
        if side is not None and side.num_rows:
            self._replica.apply(side)
        rows = zset.concat([part for part in (self._early, rows) if part is not None])
        self._early = rows if self._filling else None
        if self._filling or rows is None:
            return None
        parts: list[pa.RecordBatch] = []
        if self._out.emitted is not None:
            rows = self._undone(rows, parts, context.epoch)
        if rows is not None:
            joined = self._out.join(rows, self._replica.find(zset.data(rows), self._keys), self._replica.take, context)
            parts += [joined] if joined is not None else []
        return zset.concat(parts)

    def fill(self) -> None:
        """The copy's rows are going to be fed."""
        self._filling = True

    def filled(self) -> None:
        self._filling = False

    def _undone(self, rows: pa.RecordBatch, parts: list[pa.RecordBatch], epoch: int) -> Delta:
        """The rows to join; those to take back are undone from memory, once the delta is netted."""
        weights = zset.weights(rows)
        if weights is None or not bool((weights < 0).any()):
            return rows
        netted = zset.netted(rows)
        return None if netted is None else self._out.retract(netted, parts, epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        state = {} if self._out.emitted is None else {"emitted": self._out.emitted.snapshot()}
        return state if self._early is None else {**state, "early": self._early}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        if self._out.emitted is not None:
            self._out.emitted.restore(state["emitted"], epoch)
        self._early = state.get("early")

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        """What waits for the copy is gone for ever when the copy is there: not worth a difference."""
        changed = None if self._out.emitted is None else self._out.emitted.changes()
        return None if changed is None or self._early is not None else {"emitted": changed}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        assert self._out.emitted is not None
        self._out.emitted.patch(changes["emitted"], epoch)
        self._early = None
