"""The different values of each group, counted, and the first of them in an order.

A value is an entry: its group's slot, the value, how many rows have it. What
DISTINCT aggregates take in is which entries appear and vanish; min and max are
the first entry of the group's heap. Entries whose count is zero keep their
place until they are more than half of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.aggregates.accumulator import I64, Bool
from constellationdb.engine.aggregates.heap import Heap
from constellationdb.engine.kernels.accumulate import add_count, grow
from constellationdb.engine.kernels.groupby import first_rows, touched
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.rowstore import RowStore

_COMPACT_ABOVE = 4096


@dataclass(frozen=True)
class Turns:
    """Values that appeared in their groups (weight 1), and values that vanished (-1)."""

    slots: I64
    values: pa.Array
    weights: I64


class Multiset:
    """``least``, ``greatest``: which ends of each group's values can be asked for.

    ``growing``: nothing is ever taken back, so that a value is there or not, and is not counted.
    """

    def __init__(
        self, kind: pa.DataType, *, least: bool = False, greatest: bool = False, growing: bool = False
    ) -> None:
        self._growing = growing
        self._schema = pa.schema([pa.field("slot", pa.int64()), pa.field("value", kind)])
        self._least, self._greatest = least, greatest
        self._slot_count = 64
        self._changed: Bool | None = None  # by entry, since the last ``dump`` or ``changes``; None: nobody asked yet
        self._clear()

    def _clear(self) -> None:
        self._index = KeyIndex()
        self._rows = RowStore(self._schema)
        self._counts: I64 = np.zeros(64, np.int64)
        self._dead = 0
        self._changed = None  # entries have other numbers
        kind = self._schema.field(1).type
        self._heaps = {last: Heap(kind, last) for last in (False, True) if (self._greatest if last else self._least)}
        self.reserve(self._slot_count)

    @property
    def unused(self) -> int:
        """Values that no row has, whose place is kept."""
        return self._dead

    def reserve(self, slots: int) -> None:
        self._slot_count = max(slots, self._slot_count)
        for heap in self._heaps.values():
            heap.reserve(slots)

    def update(self, slots: I64, values: pa.Array, weights: I64 | None, valid: Bool | None) -> Turns:
        """Add (or take back) the values that are ``valid``."""
        if valid is not None:
            kept = np.flatnonzero(valid)
            slots, values = slots[kept], values.take(pa.array(kept))
            weights = None if weights is None else weights[kept]
        rows = zset.canonical_floats(pa.RecordBatch.from_arrays([pa.array(slots), values], schema=self._schema))
        known = len(self._index)
        entries = self._upsert(rows)
        if self._changed is not None:
            self._changed = grow(self._changed, len(self._index), False)
            self._changed[slice(known, len(self._index)) if self._growing else entries] = True
        if self._growing:
            return self._grown(known)
        unique, _ = touched(entries, len(self._index))
        before = self._counts[unique] > 0
        add_count(self._counts, entries, weights)
        after = self._counts[unique] > 0
        changed = unique[before != after]
        turns = self._turns(changed, np.where(after[before != after], 1, -1))
        self._dead -= int(turns.weights.sum())
        self._order(changed, turns)
        if self._dead > _COMPACT_ABOVE and self._dead * 2 > len(self._index):
            self._refill(self._live())
        return turns

    def _grown(self, known: int) -> Turns:
        """The entries from ``known`` on have come, to stay."""
        fresh = np.arange(known, len(self._index))
        self._counts[fresh] = 1
        self._dead = 0
        turns = self._turns(fresh, np.ones(len(fresh), np.int64))
        self._order(fresh, turns)
        return turns

    def _upsert(self, rows: pa.RecordBatch) -> I64:
        known = len(self._index)
        entries, new = self._index.upsert(encode_rows(rows, (0, 1)))
        if new:
            fresh = rows.take(pa.array(first_rows(entries, known, known + new)))
            self._rows.append(fresh)
            self._counts = grow(self._counts, known + new)
            self._dead += new
            for heap in self._heaps.values():
                heap.add(fresh.column(1))
        return entries

    def _turns(self, entries: I64, weights: I64) -> Turns:
        rows = self._rows.take(entries)
        return Turns(rows.column(0).to_numpy(), rows.column(1), weights)

    def _order(self, entries: I64, turns: Turns) -> None:
        if not self._heaps or not len(entries):
            return
        came = turns.weights > 0
        for heap in self._heaps.values():
            heap.push(entries[came], turns.slots[came])
            heap.settle(turns.slots, self._counts)

    def first(self, slots: I64, *, greatest: bool) -> pa.Array:
        """The least or greatest value of each of some groups; NULL where there is none."""
        entries = self._heaps[greatest].first(slots)
        return self._rows.pick(pa.array(entries, mask=entries < 0)).column(1)

    # -- state ---------------------------------------------------------------------------------

    def all(self) -> Turns:
        """Every value there is, as if it had just appeared."""
        live = np.flatnonzero(self._counts[: len(self._index)])
        return self._turns(live, np.ones(len(live), np.int64))

    def dump(self, slots: I64) -> pa.RecordBatch:
        """The entries of some slots, renumbered in their order."""
        places = np.full(self._slot_count, -1, np.int64)
        places[slots] = np.arange(len(slots))
        rows = self._live()
        renumbered = places[rows.column(0).to_numpy()]
        rows = rows.set_column(0, "slot", pa.array(renumbered))
        return rows if bool((renumbered >= 0).all()) else rows.filter(pa.array(renumbered >= 0))

    def load(self, rows: pa.RecordBatch, slots: int) -> None:
        """Replace everything by what ``dump`` gave."""
        self._slot_count = max(slots, 64)
        self._refill(rows)

    def follow_changes(self) -> None:
        """From now on note which entries change."""
        self._changed = np.zeros(len(self._index), np.bool_)

    def changes(self, slots: I64) -> pa.RecordBatch | None:
        """Like ``dump``, of the entries that have changed: those that are gone with a count of 0. None: not known."""
        if self._changed is None:
            return None
        entries = np.flatnonzero(self._changed[: len(self._index)])
        self.follow_changes()
        places = np.full(self._slot_count, -1, np.int64)
        places[slots] = np.arange(len(slots))
        rows = self._rows.take(entries).append_column("count", pa.array(self._counts[entries]))
        renumbered = places[rows.column(0).to_numpy()]
        rows = rows.set_column(0, "slot", pa.array(renumbered))
        return rows.filter(pa.array(renumbered >= 0))

    def put(self, rows: pa.RecordBatch, slots: I64) -> Turns:
        """Take what ``changes`` gave, of groups that are at ``slots`` here."""
        own: I64 = slots[rows.column(0).to_numpy()]
        values, counts = rows.column(1), rows.column(2).to_numpy()
        keyed = zset.canonical_floats(pa.RecordBatch.from_arrays([pa.array(own), values], schema=self._schema))
        entries = self._index.probe(encode_rows(keyed, (0, 1)))
        known = np.where(entries >= 0, self._counts[np.maximum(entries, 0)], 0)
        changed = np.flatnonzero(known != counts)
        return self.update(own[changed], values.take(pa.array(changed)), (counts - known)[changed], None)

    def _live(self) -> pa.RecordBatch:
        live = np.flatnonzero(self._counts[: len(self._index)])
        return self._rows.take(live).append_column("count", pa.array(self._counts[live]))

    def _refill(self, rows: pa.RecordBatch) -> None:
        self._clear()
        if rows.num_rows:
            counts: I64 = rows.column(2).to_numpy()
            self.update(rows.column(0).to_numpy(), rows.column(1), counts, None)
