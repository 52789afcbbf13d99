"""What a relation held at an earlier epoch: its contents now, with the changes since then undone."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import Change
from constellationdb.engine.contents import Version
from constellationdb.engine.relation import RelationState
from constellationdb.errors import HistoryExpired


def changes_since(state: RelationState, epoch: int) -> list[Change]:
    """Under the engine's lock: the changes later than ``epoch``; HistoryExpired when some are no longer kept."""
    check_kept(state, epoch)
    return state.log.all_after(epoch, state.frontier)


def check_kept(state: RelationState, epoch: int) -> None:
    """Under the engine's lock: HistoryExpired when some changes later than ``epoch`` are no longer kept."""
    if state.log.begins > epoch:
        raise HistoryExpired(
            f'epoch {epoch} of "{state.name}" is no longer kept',
            detail=f"changes are kept from epoch {state.log.begins} on",
            hint="ask for a later epoch, or create it WITH (retain_history = '1 hour')",
        )


def rewound(version: Version, now: int, changes: Sequence[Change]) -> pa.RecordBatch:
    """The rows before ``changes``, which lead to ``version`` at epoch ``now``, with their weights."""
    undone = [zset.negate(change.delta) for change in changes if change.delta is not None]
    rows = version.weighted(now)
    if not undone:
        return rows
    whole = pa.concat_batches([rows, *(zset.named_like(delta, rows.schema) for delta in undone)])
    return zset.netted(whole) or rows.slice(0, 0)
