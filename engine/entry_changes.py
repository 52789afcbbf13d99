"""Which entries of a store came and which went since all of them were last written down.

    entries    0 … n-1 were there when it was written ┊ n … came since
    went       of the former, those that lived then and do not now; their rows are kept when the store is compacted

A store only appends entries, and marks those that are gone; none comes to life again. It costs nothing until
somebody writes for the first time, and then a byte an entry.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.rows import I64, Bool

Take = Callable[[I64], pa.RecordBatch]
_FEW = 4096


class EntryChanges:
    """``live``: of all entries, whether they are there."""

    def __init__(self) -> None:
        self._were: Bool | None = None  # the entries that were written: which of them lived
        self._dropped: list[pa.RecordBatch] = []  # rows that were written, whose entries the store has given up

    def begin(self, live: Bool) -> None:
        """All that is there is written."""
        self._were, self._dropped = live.copy(), []

    def take(self, live: Bool, take: Take) -> pa.RecordBatch | None:
        """The rows that came, and those that went, as a Z-set; None: it is not known. Then begin anew."""
        if self._were is None:
            return None
        count = len(self._were)
        came, went = take(count + np.flatnonzero(live[count:])), [*self._dropped, take(self._gone(live))]
        self.begin(live)
        parts = [zset.with_weights(came, 1), *(zset.with_weights(rows, -1) for rows in went)]
        whole = pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts])
        return (zset.netted(whole) if whole.num_rows else None) or whole.slice(0, 0)

    def compacting(self, live: Bool, take: Take) -> None:
        """Only the live entries are going to be there, in their order."""
        if self._were is None:
            return
        gone = self._gone(live)
        dropped = sum(rows.num_rows for rows in self._dropped) + len(gone)
        if dropped > max(_FEW, int(live.sum())):  # by now it takes less to write all of it
            self._were, self._dropped = None, []
            return
        self._dropped.append(take(gone))
        self._were = np.ones(int(live[: len(self._were)].sum()), np.bool_)

    def _gone(self, live: Bool) -> I64:
        assert self._were is not None
        return np.flatnonzero(self._were & ~live[: len(self._were)])
