"""What a lookup join puts out for rows whose answers are known: shared by both ways of knowing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context
from constellationdb.engine.operators.condition import Condition
from constellationdb.engine.operators.emitted import EmittedRows
from constellationdb.planner import plan

I64: TypeAlias = NDArray[np.int64]

# The answers' columns for some entries; a NULL entry gives NULLs.
Take: TypeAlias = Callable[[pa.Array], pa.RecordBatch]


class Enrichment:
    """Joins rows with their answers, and undoes it.

    ``remembers``: the answers may change while the input can take rows back, so
    what each row met is kept, and a retraction undoes that without asking again.
    """

    def __init__(self, node: plan.LookupJoin | plan.ReplicatedLookup, columns: pa.Schema, *, remembers: bool) -> None:
        self._schema = node.schema
        self._weighted = not node.append_only
        self._inner = node.join_type == "inner"
        self._residual = None if node.residual is None else Condition(node.id, node.residual, self._schema)
        self.emitted = EmittedRows(node.input.schema, columns) if remembers else None

    def retract(self, delta: pa.RecordBatch, parts: list[pa.RecordBatch], epoch: int) -> Delta:
        """Undo what the delta (netted) takes away, into ``parts``; what it adds comes back."""
        weights = zset.weights(delta)
        if self.emitted is None or weights is None or not bool((weights < 0).any()):
            return delta
        gone = np.flatnonzero(weights < 0)
        rows = zset.data(zset.take(delta, gone))
        retracted = self.emitted.retract(rows, -weights[gone], self._schema, epoch)
        if retracted is not None:
            parts.append(retracted)
        come = np.flatnonzero(weights > 0)
        return zset.take(delta, come) if len(come) else None

    def join(self, rows: pa.RecordBatch, entries: I64, take: Take, context: Context) -> Delta:
        """Every row with its answer; a negative entry is no answer: dropped by INNER, NULLs by LEFT."""
        found = entries >= 0
        if self._residual is not None and found.any():
            found = self._passing(rows, entries, found, take, context)
        if self.emitted is not None:
            return self._remembered(rows, entries, found, take, context)
        if self._inner and not found.all():
            kept = np.flatnonzero(found)
            if not len(kept):
                return None
            rows, entries, found = zset.take(rows, kept), entries[kept], found[kept]
        return self._out(rows, self._answers(entries, found, take))

    def _passing(
        self, rows: pa.RecordBatch, entries: I64, found: NDArray[np.bool_], take: Take, context: Context
    ) -> NDArray[np.bool_]:
        """Those found whose joined row passes the residual."""
        assert self._residual is not None
        candidates = np.flatnonzero(found)
        mine = rows if len(candidates) == rows.num_rows else zset.take(rows, candidates)
        combined = self._combined(mine, take(pa.array(entries[candidates])))
        own = zset.weights(mine)
        passing = self._residual.run(combined if own is None else zset.with_weights(combined, own), context)
        result = np.zeros(len(found), np.bool_)
        result[candidates[passing]] = True
        return result

    def _remembered(
        self, rows: pa.RecordBatch, entries: I64, found: NDArray[np.bool_], take: Take, context: Context
    ) -> Delta:
        assert self.emitted is not None
        theirs = self._answers(entries, found, take)
        kept = found if self._inner else np.ones(len(found), np.bool_)
        self.emitted.remember(zset.data(rows), theirs, kept, zset.weights(rows), context.epoch)
        if not kept.any():
            return None
        whole = self._out(rows, theirs)
        return whole if kept.all() else zset.take(whole, np.flatnonzero(kept))

    def _answers(self, entries: I64, found: NDArray[np.bool_], take: Take) -> pa.RecordBatch:
        return take(pa.array(entries) if found.all() else pa.array(entries, mask=~found))

    def _combined(self, rows: pa.RecordBatch, theirs: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([*zset.data(rows).columns, *theirs.columns], schema=self._schema)

    def _out(self, rows: pa.RecordBatch, theirs: pa.RecordBatch) -> pa.RecordBatch:
        combined = self._combined(rows, theirs)
        own = zset.weights(rows)
        return zset.with_weights(combined, 1 if own is None else own) if self._weighted else combined
