"""An arrangement that knows what has changed in it since it was last written down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import FOREVER, Arrangement
from constellationdb.engine.rowstore import empty

_UNKNOWN = -1


class FollowedArrangement(Arrangement):
    """Of one operator. ``snapshot`` and ``news`` hand over everything up to the epoch that was applied last."""

    _last = 0
    _followed_from = _UNKNOWN  # what was applied after this epoch is not handed over yet

    def apply(self, delta: pa.RecordBatch, epoch: int, *, netted: bool = False) -> None:
        self._goes_on(epoch)
        super().apply(delta, epoch, netted=netted)

    def evict(self, dead: NDArray[np.bool_], epoch: int) -> None:
        self._goes_on(epoch)
        super().evict(dead, epoch)

    def _goes_on(self, epoch: int) -> None:
        if epoch <= self._followed_from:  # a further chunk of a first answer: stamps do not tell it from the last one
            self._followed_from = _UNKNOWN
        self._last = epoch

    def compact(self, floor: int, written: int = _UNKNOWN) -> None:
        super().compact(floor, max(self._followed_from, written))

    def snapshot(self) -> pa.RecordBatch:
        self._followed_from = self._last
        return super().snapshot()

    def news(self) -> pa.RecordBatch | None:
        """What turns the last snapshot, with the news since, into what there is; None where that is not known."""
        since, self._followed_from = self._followed_from, self._last
        if since == _UNKNOWN or not self.version.knows_since(since):
            return None
        return self.version.between(since, int(FOREVER) - 1)

    def restore(self, rows: pa.RecordBatch, epoch: int, later: Sequence[pa.RecordBatch] = ()) -> None:
        super().restore(rows, epoch, later)
        self._last = self._followed_from = epoch

    def patch(self, changes: pa.RecordBatch, epoch: int) -> None:
        """After ``restore``: what ``news`` gave."""
        if self._append_only:  # what the watermark freed cannot be taken away from it
            whole = zset.netted(pa.concat_batches([self.snapshot(), changes]))
            self.__dict__.update(Arrangement(self.schema, self.keys, append_only=True).__dict__)
            rows = empty(self.schema) if whole is None else zset.expanded(whole)  # equal rows are entries of their own
            super().restore(rows, epoch)
        elif changes.num_rows:
            super().apply(changes, epoch)
        self._last = self._followed_from = epoch
