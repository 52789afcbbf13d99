"""What a relation held at an earlier epoch: its contents now, with the changes since then undone.

The changes that are kept go into checkpoints, too: a token that was good before
a restart is good after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.contents import Version
from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.engine.relation import Change, RelationState
from constellationdb.errors import HistoryExpired


def changes_since(state: RelationState, epoch: int) -> list[Change]:
    """Under the engine's lock: the changes later than ``epoch``; HistoryExpired when some are no longer kept."""
    if state.log.forgotten > epoch:
        raise HistoryExpired(
            f'epoch {epoch} of "{state.name}" is no longer kept',
            detail=f"changes are kept from epoch {state.log.forgotten} on",
            hint="ask for a later epoch, or create it WITH (retain_history = '1 hour')",
        )
    return state.log.all_after(epoch, state.frontier)


def rewound(version: Version, now: int, changes: Sequence[Change]) -> pa.RecordBatch:
    """The rows before ``changes``, which lead to ``version`` at epoch ``now``, with their weights."""
    undone = [zset.negate(change.delta) for change in changes if change.delta is not None]
    rows = version.weighted(now)
    if not undone:
        return rows
    whole = pa.concat_batches([rows, *(zset.named_like(delta, rows.schema) for delta in undone)])
    return zset.netted(whole) or rows.slice(0, 0)


_EPOCH, _AT = "__epoch", "__at_us"


def packed(changes: Sequence[Change]) -> pa.RecordBatch | None:
    """Changes as one batch: rows, their weights, and the epoch and time of each."""
    parts = [
        zset.weighted(change.delta)
        .append_column(_EPOCH, _all(change.epoch, change.delta))
        .append_column(_AT, _all(change.at_us, change.delta))
        for change in changes
        if change.delta is not None
    ]
    return pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts]) if parts else None


def _all(value: int, rows: pa.RecordBatch) -> pa.Array:
    return pa.array(np.full(rows.num_rows, value, np.int64))


def unpacked(batch: pa.RecordBatch) -> Iterator[Change]:
    """The changes that ``packed`` took, in the order of their epochs."""
    epochs = batch.column(_EPOCH).to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(epochs)) + 1).tolist(), len(epochs)]
    width = batch.num_columns - 2
    for start, end in pairwise(edges):
        rows = batch.slice(start, end - start)
        yield Change(int(epochs[start]), rows.select(range(width)), NO_WATERMARK, rows.column(_AT)[0].as_py())
