"""How often each step of a recursion derived a row, and which of its rows count: all, or those new to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import I64
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.followed import FollowedArrangement

Revisit: TypeAlias = Callable[[pa.RecordBatch, I64], None]
_NEVER = np.iinfo(np.int64).max
MOST = 1 << 20  # copies of one row in one step: in a circle they double, or more, with every step


class Derivations(Protocol):
    def apply(self, step: int, delta: pa.RecordBatch, revisit: Revisit, epoch: int) -> Delta:
        """The change of the rows that count in ``step``, when ``delta`` is the change of those it derived.

        The steps before it must have been told their changes. Later steps that are to be told again, with a delta
        that may be empty of weight, are handed to ``revisit``.
        """
        ...

    def beyond(self) -> list[tuple[list[object], int]]:
        """The rows that since the last question came to count more often than can be counted, or no longer do."""
        ...

    def compact(self, epoch: int) -> None: ...

    def snapshot(self) -> dict[str, pa.RecordBatch]: ...

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None: ...

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        """See ``Incremental``."""
        ...

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None: ...


class Counted:
    """UNION ALL: every derivation counts."""

    def __init__(self, schema: pa.Schema, iteration: int) -> None:  # noqa: ARG002
        self._derived = FollowedArrangement(schema)
        self._beyond: list[tuple[list[object], int]] = []

    def apply(self, step: int, delta: pa.RecordBatch, revisit: Revisit, epoch: int) -> Delta:  # noqa: ARG002
        changed = zset.netted(delta)
        if changed is None:
            return None
        rows, weights = zset.data(changed), zset.weights(changed)
        assert weights is not None
        self._derived.apply(changed, epoch)
        after = self._derived.find(rows, epoch)
        before = after - weights
        for place in np.flatnonzero((after >= MOST) != (before >= MOST)):
            row = list(rows.slice(int(place), 1).to_pylist()[0].values())
            self._beyond.append((row, 1 if after[place] >= MOST else -1))
        change = np.where(after < MOST, after, 0) - np.where(before < MOST, before, 0)
        kept = np.flatnonzero(change)
        return zset.with_weights(zset.take(rows, kept), change[kept]) if len(kept) else None

    def beyond(self) -> list[tuple[list[object], int]]:
        found, self._beyond = self._beyond, []
        return found

    def compact(self, epoch: int) -> None:
        self._derived.compact(epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"derived": self._derived.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._derived.restore(state["derived"], epoch)

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        derived = self._derived.news()
        return None if derived is None else {"derived": derived}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._derived.patch(changes["derived"], epoch)


class First:
    """UNION: a row counts once, in the first step that derived it."""

    def __init__(self, schema: pa.Schema, iteration: int) -> None:
        self._iteration = iteration
        self._columns = [i for i in range(len(schema)) if i != iteration]
        self._derived = FollowedArrangement(schema, tuple(self._columns))
        self._counting = FollowedArrangement(schema, tuple(self._columns))

    def apply(self, step: int, delta: pa.RecordBatch, revisit: Revisit, epoch: int) -> Delta:
        changed = zset.netted(delta)
        if changed is not None:
            self._derived.apply(changed, epoch)
        rows = zset.data(delta)
        encoded = encode_rows(rows, self._columns)
        different, _ = consolidate(encoded, np.arange(1, len(encoded) + 1))  # positive: none cancels another
        rows, keys = zset.take(rows, different), encoded.take(different)
        which, entries = self._derived.lookup(keys, epoch)
        first = np.full(len(keys), _NEVER)
        np.minimum.at(first, which, self._steps(self._derived, entries))
        which, entries = self._counting.lookup(keys, epoch)
        at = self._steps(self._counting, entries)
        counts = np.zeros(len(keys), np.bool_)
        counts[which[at == step]] = True
        stale = which[(at > step) & (first[which] <= step)]
        revisit(zset.take(rows, stale), at[(at > step) & (first[which] <= step)])
        later = np.flatnonzero((first > step) & (first < _NEVER))
        revisit(zset.take(rows, later), first[later])
        change = (first == step).astype(np.int64) - counts
        kept = np.flatnonzero(change)
        if not len(kept):
            return None
        found = zset.with_weights(zset.take(rows, kept), change[kept])
        self._counting.apply(found, epoch, netted=True)
        return found

    def _steps(self, rows: FollowedArrangement, entries: I64) -> I64:
        numbers: I64 = rows.take(entries).column(self._iteration).to_numpy(zero_copy_only=False)
        return numbers

    def beyond(self) -> list[tuple[list[object], int]]:
        return []

    def compact(self, epoch: int) -> None:
        self._derived.compact(epoch)
        self._counting.compact(epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"derived": self._derived.snapshot(), "counting": self._counting.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._derived.restore(state["derived"], epoch)
        self._counting.restore(state["counting"], epoch)

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        derived, counting = self._derived.news(), self._counting.news()
        return None if derived is None or counting is None else {"derived": derived, "counting": counting}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._derived.patch(changes["derived"], epoch)
        self._counting.patch(changes["counting"], epoch)
