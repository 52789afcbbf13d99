"""Rows in order, by slot: an ordered multiset for every key, where rows come and go.

Each row is an entry of its own, equal rows too. Entries that have left their
slot's tree keep their place until they are more than half of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.entry_changes import EntryChanges
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.firstrows import absorb, collect, hopeful, renumber, trim
from constellationdb.engine.kernels.groupby import touched
from constellationdb.engine.kernels.orderedtrees import (
    CHANCE,
    FACTS,
    GONE,
    LEFT,
    LISTED,
    MISSING,
    NODE,
    NONE,
    RIGHT,
    SIZE,
    WORD,
)
from constellationdb.engine.kernels.orderkeys import OrderKeys, order_keys
from constellationdb.engine.kernels.prefixes import behead, spare
from constellationdb.engine.kernels.rows import I64, U8, Bool
from constellationdb.engine.kernels.spans import FAR, LANE, displace, reach, read
from constellationdb.engine.rowstore import RowStore
from constellationdb.errors import InternalError
from constellationdb.planner.plan import Order

_COMPACT_ABOVE = 4096
_SIDE_BY_SIDE = 16


class Reached(NamedTuple):
    """Entries in order, by span: its number, that of their peers, and whether they are to be computed.

    ``carries``: of each span the entry before it, -1 where it begins its slot.
    """

    entries: I64
    spans: I64
    peers: I64
    computed: Bool
    carries: I64


class OrderedRows:
    """``bounded``: nothing is ever taken away, so that what comes behind the rows asked for is let go at once."""

    def __init__(
        self, schema: pa.Schema, order: Sequence[Order], ties: Sequence[Order], *, bounded: bool = False
    ) -> None:
        self._schema, self._order, self._ties, self._bounded = schema, order, ties, bounded
        self._changes = EntryChanges()
        self._clear()

    def _clear(self) -> None:
        self._rows = RowStore(self._schema)
        self._used = 0  # bytes of keys
        self._data: U8 = np.zeros(1024, np.uint8)
        self._offsets: I64 = np.zeros(65, np.int64)
        self._peers: I64 = np.zeros(64, np.int64)
        self._nodes: I64 = np.zeros(64 * NODE, np.int64)
        self._live: Bool = np.zeros(64, np.bool_)
        self._change: I64 = np.zeros(64, np.int64)
        self._shown: I64 = np.zeros(64, np.int64)
        self._roots: I64 = np.full(64, NONE, np.int64)
        self._last: I64 = np.full(64, NONE, np.int64)
        self._counts: I64 = np.zeros(64, np.int64)
        self._low: I64 = np.full(64, FAR, np.int64)
        self._tail: I64 = np.full(64, FAR, np.int64)
        self._facts: I64 = np.zeros(FACTS, np.int64)
        self._dead = 0

    def reserve(self, slots: int) -> None:
        self._roots, self._last = grow(self._roots, slots, NONE), grow(self._last, slots, NONE)
        self._counts = grow(self._counts, slots)
        self._low, self._tail = grow(self._low, slots, FAR), grow(self._tail, slots, FAR)

    @property
    def entries(self) -> int:
        """How many there are, those that are gone included."""
        return self._rows.rows

    @property
    def chunks(self) -> Sequence[pa.RecordBatch]:
        """The rows of all entries."""
        return self._rows.chunks

    def take(self, entries: I64) -> pa.RecordBatch:
        return self._rows.take(entries)

    def live_entries(self) -> I64:
        return np.flatnonzero(self._live[: self._rows.rows])

    def snapshot(self) -> pa.RecordBatch:
        """All rows; from now on it is noted which come and go."""
        self.follow()
        return self._rows.take(self.live_entries())

    def follow(self) -> None:
        """All rows are written as they are now."""
        self._changes.begin(self._live[: self._rows.rows])

    def changes(self) -> pa.RecordBatch | None:
        """What turns the last snapshot, with the changes since, into the rows there are; None: not known."""
        return self._changes.take(self._live[: self._rows.rows], self.take)

    def used(self, slots: int) -> Bool:
        """Which of the slots have rows."""
        used: Bool = self._roots[:slots] != NONE
        return used

    # -- changes -------------------------------------------------------------------------------

    def change_window(self, rows: pa.RecordBatch, slots: I64, first: int, end: int) -> tuple[I64, I64]:
        """Take in a delta; the entries that come to the ranks from ``first`` to before ``end`` or leave them."""
        listed, _, _ = self._absorb(rows, slots, first, end, shows=True)
        entries, weights = np.empty(len(listed), np.int64), np.empty(len(listed), np.int64)
        count = collect(listed, self._change, entries, weights)
        return entries[:count], weights[:count]

    def change_numbers(
        self, rows: pa.RecordBatch, slots: I64, kind: int, limit: int, *, trims: bool
    ) -> tuple[I64, I64, I64]:
        """Take in a delta; the entries whose number up to ``limit`` changed: (entry, number, weight).

        ``trims``: nothing is ever taken away, so that entries without a number are let go.
        """
        _, gone, gone_slots = self._absorb(rows, slots, 0, limit, shows=False)
        were = self._shown[gone] != 0
        left, numbers = gone[were], self._shown[gone[were]]
        np.subtract.at(self._counts, gone_slots[were], 1)
        self._shown[left] = 0
        distinct, _ = touched(slots, len(self._roots))
        entries, now, weights = self._renumbered(distinct, kind, limit)
        if trims:
            self._trim(distinct, self._counts)
        return (
            np.concatenate([left, entries]),
            np.concatenate([numbers, now]),
            np.concatenate([np.full(len(left), -1, np.int64), weights]),
        )

    def _renumbered(self, slots: I64, kind: int, limit: int) -> tuple[I64, I64, I64]:
        state = self._roots, self._nodes, self._data, self._offsets, self._peers, self._shown, self._counts
        none: I64 = np.zeros(0, np.int64)
        count = renumber(slots, kind, limit, *state, none, none, none)
        out, numbers, weights = (np.empty(count, np.int64) for _ in range(3))
        if count:
            renumber(slots, kind, limit, *state, out, numbers, weights)
        return out, numbers, weights

    def _arrive(self, rows: pa.RecordBatch, slots: I64) -> tuple[I64, I64, int]:
        """Entries and their slots: first of no row, but equal to what is to be removed, and how many; then new ones."""
        weights = zset.weights(rows)
        rows = zset.data(rows)
        keys = order_keys(rows, self._order, self._ties)
        removals: I64 = np.zeros(0, np.int64)
        added = None
        if weights is not None:
            removals = np.repeat(np.arange(len(weights)), np.maximum(-weights, 0))
            added = np.repeat(np.arange(len(weights)), np.maximum(weights, 0))
        if self._bounded:
            assert not len(removals), "a row was taken away where rows only come"
            places = slots if added is None else slots[added]
            added = self._hopeful(places, keys if added is None else keys.take(added), added)
        start = self._rows.rows
        if added is not None:
            rows = rows if len(added) == rows.num_rows and not len(removals) else zset.take(rows, added)
        if rows.num_rows:
            self._rows.append(zset.named_like(rows, self._rows.schema))
        if added is not None:
            chosen = np.concatenate([added, removals])
            keys, slots = keys.take(chosen), slots[chosen]
        count = self._rows.rows
        self._put(start, keys)
        self._live[start:count] = True
        absent = np.arange(count, count + len(removals))
        entries = np.concatenate([absent, np.arange(start, count)])
        slots = np.ascontiguousarray(np.roll(slots, len(removals)))
        return entries, slots, len(removals)

    def _absorb(self, rows: pa.RecordBatch, slots: I64, first: int, end: int, *, shows: bool) -> tuple[I64, I64, I64]:
        entries, slots, removals = self._arrive(rows, slots)
        listed = np.empty(2 * len(entries) if shows else 0, np.int64)
        gone, gone_slots = np.empty(len(entries), np.int64), np.empty(len(entries), np.int64)
        self._facts[LISTED:] = 0, 0, -1
        absorb(
            entries, slots, removals, first, end, self._bounded, shows, self._roots, self._nodes, self._data,
            self._offsets, self._last, self._change, listed, gone, gone_slots, self._facts,
            np.empty(_SIDE_BY_SIDE, np.int64),
        )  # fmt: skip
        gone = self._settled(gone)
        return listed[: self._facts[LISTED]], gone, gone_slots[: len(gone)]

    def displace(self, rows: pa.RecordBatch, slots: I64) -> I64:
        """Take in a delta and note where; the entries that are gone."""
        entries, slots, removals = self._arrive(rows, slots)
        gone = np.empty(removals, np.int64)
        self._facts[LISTED:] = 0, 0, -1
        displace(
            entries, slots, removals, self._roots, self._nodes, self._data, self._offsets, self._low, self._tail, gone,
            self._facts, np.empty(_SIDE_BY_SIDE, np.int64),
        )  # fmt: skip
        return self._settled(gone)

    def reached(self, displaced: I64, before: int, after: int, *, running: bool, tied: bool) -> Reached:
        """The rows that frames bring what was displaced to, and those that they are computed from."""
        slots, _ = touched(displaced, len(self._roots))
        spans = np.empty(4 * len(slots), np.int64)
        trees = self._roots, self._nodes, self._data, self._offsets, self._peers
        walks = np.empty(2 * _SIDE_BY_SIDE, np.int64)
        total = reach(slots, before, after, running, tied, *trees, self._low, self._tail, spans, walks)
        entries, slices, groups = (np.empty(total, np.int64) for _ in range(3))
        computed, carries = np.empty(total, np.bool_), np.empty(len(slots), np.int64)
        lanes = np.empty(LANE * min(_SIDE_BY_SIDE, len(slots)), np.int64)
        read(slots, spans, tied, *trees, entries, slices, groups, computed, carries, lanes)
        return Reached(entries, slices, groups, computed, carries)

    def _settled(self, gone: I64) -> I64:
        if self._facts[MISSING] >= 0:
            raise InternalError("a row was taken away that is not there")
        gone = gone[: self._facts[GONE]]
        self._bury(gone)
        return gone

    def _hopeful(self, slots: I64, keys: OrderKeys, rows: I64 | None) -> I64:
        """The rows that come before the last of the rows that are kept."""
        passes = np.empty(len(slots), np.bool_)
        hopeful(slots, keys.words, keys.data, keys.offsets, self._last, self._nodes, self._data, self._offsets, passes)
        kept = np.flatnonzero(passes)
        return kept if rows is None else rows[kept]

    def _put(self, start: int, keys: OrderKeys) -> None:
        """The keys of entries from ``start`` on."""
        end = start + len(keys.words)
        self._used = int(self._offsets[start])
        self._data = grow(self._data, self._used + len(keys.data))
        self._data[self._used : self._used + len(keys.data)] = keys.data
        self._offsets = grow(self._offsets, end + 1)
        self._offsets[start + 1 : end + 1] = self._used + keys.offsets[1:]
        self._peers, self._live = grow(self._peers, end), grow(self._live, end, False)
        self._change, self._shown = grow(self._change, end), grow(self._shown, end)
        self._peers[start:end] = keys.peers
        self._shown[start:end] = 0
        self._nodes = grow(self._nodes, NODE * end)
        fresh = self._nodes[NODE * start : NODE * end].reshape(-1, NODE)
        fresh[:, WORD], fresh[:, LEFT], fresh[:, RIGHT], fresh[:, SIZE] = keys.words.view(np.int64), NONE, NONE, 1

    # -- letting go ----------------------------------------------------------------------------

    def free(self, slots: I64) -> I64:
        """Keep nothing of these slots. The entries gone."""
        gone = self._trim(slots, np.zeros(len(self._roots), np.int64))
        self._last[slots] = NONE
        self._counts[slots] = 0
        return gone

    def behead(
        self, slots: I64, ends: I64, watermark: int, before: int, after: int, *, running: bool, tied: bool
    ) -> I64:
        """Let go of what frames of rows behind all closed ones cannot reach; ``ends`` by entry. The entries gone."""
        counts = np.empty(len(slots), np.int64)
        trees = self._roots, self._nodes, self._data, self._offsets, self._peers
        total = spare(slots, watermark, ends, before, after, running, tied, *trees, counts)
        gone = np.empty(total, np.int64)
        self._facts[GONE] = 0
        behead(slots, counts, self._roots, self._nodes, gone, self._facts)
        self._bury(gone)
        return gone

    def _trim(self, slots: I64, counts: I64) -> I64:
        roots = self._roots[slots]
        sizes = np.where(roots == NONE, 0, self._nodes[NODE * roots + SIZE])
        gone = np.empty(int((sizes - counts[slots]).clip(0).sum()), np.int64)
        self._facts[GONE] = 0
        trim(slots, counts, self._roots, self._nodes, gone, self._facts)
        self._bury(gone)
        return gone

    def _bury(self, gone: I64) -> None:
        self._live[gone] = False
        self._dead += len(gone)

    @property
    def count(self) -> int:
        """How many rows are in order."""
        return self._rows.rows - self._dead

    @property
    def unused(self) -> int:
        """See ``footprint``."""
        return self._dead

    @property
    def wasteful(self) -> bool:
        return self._dead > _COMPACT_ABOVE and self._dead * 2 > self._rows.rows

    def compact(self, slots: I64) -> I64:
        """Drop the entries that are gone, and say which are kept; the slots become these old ones, in this order."""
        self._changes.compacting(self._live[: self._rows.rows], self.take)
        kept = np.flatnonzero(self._live[: self._rows.rows])
        moved = np.full(self._rows.rows + 1, NONE, np.int64)  # the last for NONE itself
        moved[kept] = np.arange(len(kept))
        keys = OrderKeys(
            self._nodes[NODE * np.arange(self._rows.rows)].view(np.uint64), self._data,
            self._offsets[: self._rows.rows + 1], self._peers,
        ).take(kept)  # fmt: skip
        links = self._nodes.reshape(-1, NODE)[kept].copy()
        links[:, LEFT], links[:, RIGHT] = moved[links[:, LEFT]], moved[links[:, RIGHT]]
        roots, last, counts, shown = (
            moved[self._roots[slots]],
            moved[self._last[slots]],
            self._counts[slots],
            self._shown[kept],
        )
        rows, chance = self.take(kept), self._facts[CHANCE]
        self._clear()
        self.reserve(len(slots))
        if len(kept):
            self._rows.append(rows)
        self._put(0, keys)
        self._nodes[: NODE * len(kept)] = links.ravel()
        self._live[: len(kept)], self._shown[: len(kept)] = True, shown
        self._roots[: len(slots)], self._last[: len(slots)], self._counts[: len(slots)] = roots, last, counts
        self._facts[CHANCE] = chance
        return kept
