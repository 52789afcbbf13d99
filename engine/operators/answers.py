"""The answers of a lookup source by key, kept for later rows, within bounds.

A key is unknown, missing (the source has no such row) or has one row. With a
time to live an answer older than that is unknown again; with a limit the
answers that were used longest ago are forgotten. Both are judged by the
epoch's logged clock and by the order of epochs, so a replay forgets the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.incremental import ChangedSlots
from constellationdb.engine.rowstore import RowStore

I64: TypeAlias = NDArray[np.int64]

UNKNOWN, MISSING = -1, -2


class AnswerCache:
    """Everything known of a key lies in arrays at its slot. ``asked``: a request is under way."""

    def __init__(self, keys: pa.Schema, columns: pa.Schema, ttl_us: int | None, max_rows: int | None) -> None:
        self._keys = keys
        self._columns = columns
        self._ttl_us = ttl_us
        self._max_rows = max_rows
        self._index = KeyIndex()
        self._key_rows = RowStore(keys)
        self._answers = RowStore(columns)
        self._entry: I64 = np.full(64, UNKNOWN, np.int64)
        self._fetched_us: I64 = np.zeros(64, np.int64)
        self._used: I64 = np.zeros(64, np.int64)
        self._asked = np.zeros(64, np.bool_)
        self._turn = 0
        self._changed = ChangedSlots()

    def __len__(self) -> int:
        """Keys whose answer is kept."""
        return int((self._entry[: len(self._index)] != UNKNOWN).sum())

    @property
    def unused(self) -> int:
        """Keys have rows, too; what it keeps are answers."""
        return self._key_rows.rows + self._answers.rows - len(self)

    def slots(self, keys: pa.RecordBatch) -> I64:
        """The slot of each key, made on first sight; -1 for a key with a NULL."""
        before = len(self._index)
        slots, new = self._index.upsert(encode_rows(keys, range(len(self._keys)), nulls_equal=False))
        if new:
            fresh = np.flatnonzero(slots >= before)
            first = np.empty(new, np.int64)
            first[slots[fresh[::-1]] - before] = fresh[::-1]
            self._key_rows.append(zset.take(keys, first))
            count = len(self._index)
            self._entry, self._fetched_us = grow(self._entry, count, UNKNOWN), grow(self._fetched_us, count)
            self._used, self._asked = grow(self._used, count), grow(self._asked, count, False)
            self._changed.mark(np.arange(before, count), count)
        return slots

    def entries(self, slots: I64, at_us: int) -> I64:
        """The row of each slot's answer, MISSING (a NULL key, too), or UNKNOWN: to be asked."""
        self._turn += 1
        found = self._entry[slots]
        if self._ttl_us is not None:
            found[at_us - self._fetched_us[slots] > self._ttl_us] = UNKNOWN
        keyed = slots[slots >= 0]
        self._used[keyed] = self._turn
        if self._max_rows is not None:  # else it is of no interest
            self._changed.mark(keyed, len(self._index))
        found[slots < 0] = MISSING
        return found

    def ask(self, slots: I64) -> pa.RecordBatch | None:
        """The keys of ``slots`` that no request is under way for; now one is."""
        missing = np.unique(slots[~self._asked[slots]])
        self._asked[missing] = True
        self._changed.mark(missing, len(self._index))
        return self._key_rows.take(missing) if len(missing) else None

    def outstanding(self) -> pa.RecordBatch | None:
        """The keys that requests are under way for."""
        slots = np.flatnonzero(self._asked[: len(self._index)])
        return self._key_rows.take(slots) if len(slots) else None

    def learn(self, keys: pa.RecordBatch, found: pa.RecordBatch, rows: pa.RecordBatch, at_us: int) -> bool:
        """What the source said of ``keys``: ``rows`` for the keys ``found``. False when none was asked for here."""
        slots = self._index.probe(encode_rows(keys, range(len(self._keys)), nulls_equal=False))
        slots = slots[slots >= 0]
        slots = slots[self._asked[slots]]
        if not len(slots):
            return False
        self._turn += 1
        self._changed.mark(slots, len(self._index))
        self._asked[slots] = False
        self._entry[slots], self._fetched_us[slots], self._used[slots] = MISSING, at_us, self._turn
        mine = np.zeros(len(self._index), np.bool_)
        mine[slots] = True
        at = self._index.probe(encode_rows(found, range(len(self._keys)), nulls_equal=False))
        kept = np.flatnonzero((at >= 0) & mine[at])
        if len(kept):
            start = self._answers.rows
            self._answers.append(rows if len(kept) == rows.num_rows else zset.take(rows, kept))
            self._entry[at[kept]] = np.arange(start, self._answers.rows)
        return True

    def take(self, entries: pa.Array) -> pa.RecordBatch:
        """The columns of some answers; NULLs for a NULL entry."""
        if not len(self._columns):
            return zset.rows_of_nothing(len(entries))
        return self._answers.pick(entries)

    # -- bounds --------------------------------------------------------------------------------

    def evict(self) -> I64 | None:
        """Keep within the limit; then every slot has moved, to where the result says (-1: forgotten)."""
        count = len(self._index)
        known = np.flatnonzero(self._entry[:count] != UNKNOWN)
        if self._max_rows is not None and len(known) > self._max_rows:
            latest = known[np.argsort(self._used[known], kind="stable")]
            keep = self._asked[:count].copy()
            keep[latest[len(latest) - self._max_rows + self._max_rows // 8 :]] = True  # some room, or every row evicts
            self._changed = ChangedSlots()
            return self._compact(keep)
        if self._answers.rows > 2 * len(known) + 1024:  # answers that newer ones have replaced
            return self._compact(np.ones(count, np.bool_))
        return None

    def _compact(self, keep: NDArray[np.bool_]) -> I64:
        self._index, moved = self._index.compact(keep)
        kept = np.flatnonzero(keep)
        entry = self._entry[kept]
        rows = np.flatnonzero(entry >= 0)
        key_rows, answers = RowStore(self._keys), RowStore(self._columns)
        if len(kept):
            key_rows.append(self._key_rows.take(kept))
        if len(rows):
            answers.append(self._answers.take(entry[rows]))
        entry[rows] = np.arange(len(rows))
        self._key_rows, self._answers, self._entry = key_rows, answers, entry
        self._fetched_us, self._used, self._asked = self._fetched_us[kept], self._used[kept], self._asked[kept]
        return moved

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._changed.begin()
        return self._dump(np.arange(len(self._index)))

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        slots = self._changed.take(len(self._index))
        return None if slots is None else self._dump(slots)

    def _dump(self, slots: I64) -> dict[str, pa.RecordBatch]:
        entry = self._entry[slots]
        known = np.flatnonzero(entry >= 0)
        answers = self._answers.take(entry[known])
        entry[known] = np.arange(len(known))
        columns = (entry, self._fetched_us[slots], self._used[slots], self._asked[slots])
        return {
            "keys": self._key_rows.take(slots),
            "facts": pa.record_batch(list(map(pa.array, columns)), ["entry", "fetched_us", "used", "asked"]),
            "answers": answers,
            "turn": pa.record_batch({"value": pa.array([self._turn], pa.int64())}),
        }

    def restore(self, state: Mapping[str, pa.RecordBatch]) -> None:
        self.patch(state)
        self._changed.begin()

    def patch(self, changes: Mapping[str, pa.RecordBatch]) -> None:
        """What ``changes`` gave: keys with all that is known of them."""
        keys, facts, answers = changes["keys"], changes["facts"], changes["answers"]
        if keys.num_rows:
            slots = self.slots(keys)
            entry = facts.column("entry").to_numpy()
            self._entry[slots] = np.where(entry >= 0, entry + self._answers.rows, entry)
            self._fetched_us[slots] = facts.column("fetched_us").to_numpy()
            self._used[slots] = facts.column("used").to_numpy()
            self._asked[slots] = facts.column("asked").to_numpy(zero_copy_only=False)
        if answers.num_rows:
            self._answers.append(answers)
        self._turn = changes["turn"].column(0)[0].as_py()
