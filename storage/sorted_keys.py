"""An ordered set of byte strings: insertion in about √n moves, scans from any point in order.

The keys lie in chunks of at most 2,000, so that an insertion moves one chunk's tail instead of everything.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

_CHUNK = 1_000


class SortedKeys:
    """Not for several threads at once, and not to be changed while one of its iterators is in use."""

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        ordered = sorted(set(keys))
        self._chunks = [ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK)]
        self._highest = [chunk[-1] for chunk in self._chunks]  # invariant: _highest[i] == _chunks[i][-1]

    def copy(self) -> SortedKeys:
        """An independent set of the same keys."""
        twin = SortedKeys()
        twin._chunks, twin._highest = [chunk[:] for chunk in self._chunks], self._highest[:]
        return twin

    def add(self, key: bytes) -> None:
        """Adds a key that is not in the set."""
        if not self._chunks:
            self._chunks, self._highest = [[key]], [key]
            return
        at = min(bisect_left(self._highest, key), len(self._chunks) - 1)
        chunk = self._chunks[at]
        insort(chunk, key)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[at : at + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._highest.insert(at, chunk[_CHUNK - 1])
            at += 1
        self._highest[at] = self._chunks[at][-1]

    def remove(self, key: bytes) -> None:
        """Removes a key that is in the set."""
        at = bisect_left(self._highest, key)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._highest[at] = chunk[-1]
        else:
            del self._chunks[at], self._highest[at]

    def range(self, start: bytes, end: bytes | None) -> Iterator[bytes]:
        """The keys k with start <= k < end, in order; without ``end``, to the last."""
        at = bisect_left(self._highest, start)
        for chunk in self._chunks[at:]:
            low = bisect_left(chunk, start)
            high = len(chunk) if end is None else bisect_left(chunk, end)
            yield from chunk[low:high]
            if high < len(chunk):
                return
