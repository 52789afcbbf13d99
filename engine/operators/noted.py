"""The changes of a multiset of rows, noted as they are made, for the next checkpoint."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta

_NET_ABOVE = 65_536


class NotedChanges:
    """Nothing is noted before ``begin``. What is undone by a later change is forgotten when there is much of it."""

    def __init__(self) -> None:
        self._parts: list[pa.RecordBatch] | None = None
        self._rows = 0
        self._net_above = _NET_ABOVE

    @property
    def known(self) -> bool:
        """Whether ``take`` can tell all that has changed since the last time."""
        return self._parts is not None

    def begin(self) -> None:
        """Everything is written as it is now."""
        self._parts, self._rows, self._net_above = [], 0, _NET_ABOVE

    def note(self, delta: Delta) -> None:
        if self._parts is None or delta is None or not delta.num_rows:
            return
        self._parts.append(zset.weighted(delta))
        self._rows += delta.num_rows
        if self._rows > self._net_above:
            net = _net(self._parts)
            self._parts, self._rows = ([], 0) if net is None else ([net], net.num_rows)
            self._net_above = max(_NET_ABOVE, 2 * self._rows)

    def take(self) -> Delta:
        """The sum of what was noted, and begin anew."""
        assert self._parts is not None, "who is asked for changes has written everything before"
        net = _net(self._parts)
        self.begin()
        return net


def _net(parts: list[pa.RecordBatch]) -> Delta:
    whole = zset.concat(parts)
    return None if whole is None else zset.netted(whole)
