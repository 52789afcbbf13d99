"""Arrangement: a multiset of rows, indexed by key, readable as of any recent epoch.

    apply(delta, e)     rows of weight +n and -n take effect at epoch e
    lookup(keys, e)     the entries of these keys that are live at e
    version             an immutable view for other threads; scan(e) reads it

Every entry is a row with a positive weight and two stamps: it is live at e when
``born <= e < died``. Changing a weight ends one entry and begins another. Readers
on other threads need no lock: the writer only appends entries and stamps deaths
with epochs later than theirs, and growth or compaction swaps whole arrays.

A row's identity is its canonical bytes, found through an index of all columns,
or of those that are unique among the rows, where such are known; append-only
arrangements have no such index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.chunks import Chunks
from constellationdb.engine.kernels import chains
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows
from constellationdb.engine.places import Placed, Places
from constellationdb.engine.rowstore import RowStore, empty
from constellationdb.errors import InternalError

I64: TypeAlias = NDArray[np.int64]

FOREVER = np.int64(np.iinfo(np.int64).max)
_COMPACT_ABOVE = 8192
_PIECE = 1 << 18  # rows that compaction moves at a time


@dataclass(frozen=True)
class Version:
    """What another thread may read: rows ``[0, rows)`` as of an epoch in ``[floor, …]``."""

    schema: pa.Schema
    chunks: tuple[pa.RecordBatch, ...]
    rows: int
    weight: I64
    born: I64
    died: I64
    floor: int
    generation: int  # entries keep their numbers within one
    written: int = -1  # compactions kept whatever died after this epoch, if it lived then

    def scan(self, epoch: int) -> pa.Table:
        """The rows live at ``epoch``, each as often as its weight says."""
        if self.rows == 0:
            return self.schema.empty_table()
        live = (self.born[: self.rows] <= epoch) & (self.died[: self.rows] > epoch)
        weight = self.weight[: self.rows]
        table = pa.Table.from_batches(self.chunks, self.schema)
        if bool(live.all()) and bool((weight == 1).all()):
            return table
        return table.take(pa.array(np.repeat(np.flatnonzero(live), weight[live]), pa.int64()))

    def weighted(self, epoch: int) -> pa.RecordBatch:
        """The rows live at ``epoch``, once each, with their weights."""
        live = np.flatnonzero((self.born[: self.rows] <= epoch) & (self.died[: self.rows] > epoch))
        return zset.with_weights(self._take(live), self.weight[live])

    def knows_since(self, epoch: int) -> bool:
        """Whether ``between`` can tell all changes since then."""
        return epoch >= self.floor or epoch == self.written

    def between(self, since: int, until: int) -> pa.RecordBatch:
        """What turns the rows live at one epoch into those live at another, later one; netted."""
        born, died = self.born[: self.rows], self.died[: self.rows]
        came = np.flatnonzero((born > since) & (born <= until) & (died > until))
        went = np.flatnonzero((born <= since) & (died > since) & (died <= until))
        both = np.concatenate([came, went])
        if len(both) == 0:
            return zset.with_weights(empty(self.schema), 1)
        weights = np.concatenate([self.weight[came], -self.weight[went]])
        changed = zset.netted(zset.with_weights(self._take(both), weights))
        return zset.with_weights(empty(self.schema), 1) if changed is None else changed

    def stamped(self, since: int, until: int) -> pa.RecordBatch:
        """Every entry that lived at some epoch from ``since`` to ``until``, in order, as it was known at the latter."""
        born, died = self.born[: self.rows], self.died[: self.rows]
        kept = np.flatnonzero((died > since) & (born <= until))
        ends = np.where(died[kept] > until, FOREVER, died[kept])
        return with_stamps(self._take(kept), self.weight[kept], born[kept], ends)

    def _take(self, entries: I64) -> pa.RecordBatch:
        """Any thread may: a store's chunks never change."""
        if len(entries) == 0:
            return empty(self.schema)
        chunks = Chunks(self.schema)
        chunks.follow(self.chunks)
        return chunks.take(entries)


class Arrangement:
    """``keys``: the columns ``lookup`` goes by (may be empty: everything is one key); None: no lookup.

    ``unique``: columns in which no two rows that live at one epoch agree, and every weight is 1. A row is then found
    by these alone: that the one taken away is the one that was brought is its writer's promise.

    ``deferred``: no index of whole rows before the first row is taken away; until then equal rows have entries of
    their own. For what is mostly added to, and not many times the same.
    """

    def __init__(
        self,
        schema: pa.Schema,
        keys: tuple[int, ...] | None = None,
        *,
        append_only: bool = False,
        unique: tuple[int, ...] | None = None,
        deferred: bool = False,
    ) -> None:
        self.schema = schema
        self._append_only = append_only
        self.keys = keys
        self.unique = unique
        self._identifying = tuple(range(len(schema))) if unique is None else unique
        self._identity: KeyIndex | None = None if append_only or deferred else KeyIndex()
        self._live_entry = np.full(16, -1, np.int64)  # identity slot → its live entry, or -1
        self._places = Places()  # of the live entries that are in no identity slot
        self._index = KeyIndex() if keys is not None else None
        self._head = np.full(16, -1, np.int64)  # key slot → its newest entry
        self._following = np.full(16, -1, np.int64)  # entry → the next older one of its key
        self._store = RowStore(schema)
        self._weight = np.zeros(16, np.int64)
        self._born = np.zeros(16, np.int64)
        self._died = np.zeros(16, np.int64)
        self._dead = 0
        self._floor = 0
        self._written = -1
        self._generation = 0
        self.changes = 0  # deltas applied: whether a checkpoint must write it again
        self.version = self._publish()

    def __len__(self) -> int:
        """Entries, dead ones included."""
        return self._store.rows

    @property
    def live(self) -> int:
        return self._store.rows - self._dead

    @property
    def unused(self) -> int:
        """Rows of its store that no epoch from now on has."""
        return self._dead

    # -- writing -------------------------------------------------------------------------------

    def apply(self, delta: pa.RecordBatch, epoch: int, *, netted: bool = False) -> None:
        """Take ``delta`` into effect at ``epoch``; InternalError when a row would get a negative count."""
        self.changes += 1
        if self._places:
            self._identify(epoch)
        rows = zset.data(delta)
        own = zset.weights(delta)
        adds = own is None or not bool((own < 0).any())
        if self._identity is None and not adds:
            if self._append_only:
                raise InternalError("a row was taken away from an append-only arrangement")
            self._identify(epoch)
        if self._identity is None:
            self._append(rows, np.ones(rows.num_rows, np.int64) if own is None else own, epoch)
        elif self.unique is not None:
            changed = zset.weighted(delta) if netted else zset.netted(delta)
            if changed is not None:
                self._replace(changed, epoch)
        else:
            counts = np.ones(rows.num_rows, np.int64) if own is None else own
            encoded = encode_rows(rows, self._identifying)
            if not netted:
                first, counts = consolidate(encoded, counts)
                if len(first) < len(encoded):
                    encoded, rows = encoded.take(first), zset.take(rows, first)
            self._apply_netted(rows, encoded, counts, epoch)
        self.version = self._publish()

    def place(self, parts: Sequence[Placed], epoch: int) -> None:
        """Take changes into effect at ``epoch`` whose writers know where the rows are: they need not be looked up.

        A row that its writer has not placed, it was there before, is found by its key.
        """
        self.changes += 1
        for part in parts:
            if part.generation != self._places.generation:
                if self._places:
                    self._identify(epoch)
                self._places = Places(part.generation)
            if part.renumbered is not None:
                self._places.renumber(part.worker, part.renumbered)
        for part in parts:
            self._end(part, epoch)
        for part in parts:
            rows, slots = zset.data(part.delta).slice(part.gone), part.slots[part.gone :]
            start = self._store.rows
            free = self._places.at(part.worker, slots) < 0
            _check(rows, np.arange(len(slots)), free, "a unique key would occur twice")
            self._append(rows, 1, epoch)
            self._places.put(part.worker, slots, np.arange(start, self._store.rows, dtype=np.int64))
        self.version = self._publish()

    def _end(self, part: Placed, epoch: int) -> None:
        """The rows of a placed change that go."""
        rows, slots = zset.data(part.delta).slice(0, part.gone), part.slots[: part.gone]
        entries = self._places.at(part.worker, slots)
        elsewhere = np.flatnonzero(entries < 0)
        if len(elsewhere):
            assert self._identity is not None
            found = self._identity.probe(encode_rows(zset.take(rows, elsewhere), self._identifying))
            entries[elsewhere] = np.where(found >= 0, self._live_entry[np.maximum(found, 0)], -1)
            self._live_entry[found[found >= 0]] = -1
        there = entries >= 0
        there &= self._died[np.maximum(entries, 0)] == FOREVER
        _check(rows, np.arange(part.gone), there, "a row would occur -1 times")
        self._places.put(part.worker, slots, -1)
        self._died[entries] = epoch
        self._dead += part.gone

    def _identify(self, epoch: int) -> None:
        """Index the rows that were added so far; those that occur several times become one entry at ``epoch``."""
        self._places = Places(self._places.generation)
        live = np.flatnonzero(self._died[: self._store.rows] == FOREVER)
        self._identity = KeyIndex(len(live))
        slots, _ = self._identity.upsert(encode_rows(self.take(live), self._identifying))
        self._live_entry = np.full(len(self._identity), -1, np.int64)
        self._live_entry[slots] = live
        several = np.bincount(slots, minlength=len(self._identity)) > 1
        if not several.any():
            return
        twice = several[slots]
        weight = np.zeros(len(self._identity), np.int64)
        np.add.at(weight, slots[twice], self._weight[live[twice]])
        self._died[live[twice]] = epoch
        self._dead += int(twice.sum())
        merged = np.flatnonzero(several)
        start = self._store.rows
        self._append(self.take(self._live_entry[merged]), weight[merged], epoch)
        self._live_entry[merged] = np.arange(start, self._store.rows, dtype=np.int64)

    def _apply_netted(self, rows: pa.RecordBatch, encoded: Rows, net: I64, epoch: int) -> None:
        assert self._identity is not None
        if len(encoded) == 0:
            return
        slots, _ = self._identity.upsert(encoded)
        self._live_entry = grow(self._live_entry, len(self._identity), -1)
        current = self._live_entry[slots]
        known = current >= 0
        before = np.where(known, self._weight[np.maximum(current, 0)], 0)
        after = before + net
        if bool((after < 0).any()):
            row = rows.slice(int(np.argmax(after < 0)), 1).to_pylist()[0]
            raise InternalError(f"a row would occur {int(after.min())} times", detail=str(row))
        self._died[current[known]] = epoch
        self._dead += int(known.sum())
        remains = after > 0
        self._live_entry[slots[~remains]] = -1
        if bool(remains.any()):
            kept = np.flatnonzero(remains)
            start = self._store.rows
            self._append(rows if len(kept) == rows.num_rows else zset.take(rows, kept), after[remains], epoch)
            self._live_entry[slots[remains]] = np.arange(start, self._store.rows, dtype=np.int64)

    def _replace(self, delta: pa.RecordBatch, epoch: int) -> None:
        """A netted change of rows with a unique key: those that go, then those that come, one a key each."""
        assert self._identity is not None
        rows, weights = zset.data(delta), zset.weights(delta)
        assert weights is not None
        slots, _ = self._identity.upsert(encode_rows(rows, self._identifying))
        self._live_entry = grow(self._live_entry, len(self._identity), -1)
        gone, come = np.flatnonzero(weights < 0), np.flatnonzero(weights > 0)
        entries = self._live_entry[slots[gone]]
        known = self._put(slots[gone], np.arange(len(gone))) & (entries >= 0) & (weights[gone] == -1)
        _check(rows, gone, known, "a row would occur -1 times")
        self._live_entry[slots[gone]] = -1
        self._died[entries] = epoch
        self._dead += len(gone)
        free = self._live_entry[slots[come]] < 0
        start = self._store.rows
        free &= self._put(slots[come], np.arange(start, start + len(come))) & (weights[come] == 1)
        _check(rows, come, free, "a unique key would occur twice")
        self._append(rows if len(come) == rows.num_rows else zset.take(rows, come), 1, epoch)

    def _put(self, slots: I64, numbers: I64) -> NDArray[np.bool_]:
        """Note a number by slot; False where another took its place, for the slot came twice."""
        self._live_entry[slots] = numbers
        only: NDArray[np.bool_] = self._live_entry[slots] == numbers
        return only

    def _append(self, rows: pa.RecordBatch, weight: I64 | int, epoch: int) -> None:
        start, end = self._store.rows, self._store.rows + rows.num_rows
        self._store.append(zset.named_like(rows, self.schema))
        self._weight = grow(self._weight, end, 0)
        self._born = grow(self._born, end, 0)
        self._died = grow(self._died, end, 0)
        self._weight[start:end] = weight
        self._born[start:end] = epoch
        self._died[start:end] = FOREVER
        if self._index is not None:
            assert self.keys is not None
            slots, _ = self._index.upsert(encode_rows(rows, self.keys))
            self._head = grow(self._head, len(self._index), -1)
            self._following = grow(self._following, end, -1)
            chains.append(self._head, self._following, slots, start)

    def evict(self, dead: NDArray[np.bool_], epoch: int) -> None:
        """Stop keeping the entries of a mask over all entries: freed, not retracted. Their rows read as gone."""
        gone = np.flatnonzero(dead & (self._died[: self._store.rows] == FOREVER))
        if len(gone) == 0:
            return
        self._died[gone] = epoch
        self._dead += len(gone)
        if self._identity is not None:
            slots = self._identity.probe(encode_rows(self._store.take(gone), self._identifying))
            self._live_entry[slots] = -1
        self.version = self._publish()

    def column(self, index: int) -> pa.ChunkedArray:
        """One column over all entries, dead ones included."""
        return pa.chunked_array([c.column(index) for c in self._store.chunks], self.schema.field(index).type)

    def identify_by(self, unique: tuple[int, ...] | None, epoch: int) -> None:
        """From now on rows are found by other columns, in which no two that are live agree; None: by all of them."""
        if unique == self.unique and self._identity is not None and not self._places:
            return
        self.unique = unique
        self._identifying = tuple(range(len(self.schema))) if unique is None else unique
        self._identify(epoch)
        self.version = self._publish()

    # -- reading (the writer's thread) ---------------------------------------------------------

    def lookup(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        """(which of ``keys``, entry) for every entry of theirs that is live at ``epoch``; oldest first per key."""
        assert self._index is not None
        return chains.gather(self._head, self._following, self._index.probe(keys), self._born, self._died, epoch)

    def take(self, entries: I64) -> pa.RecordBatch:
        return self._store.take(entries) if len(entries) else empty(self.schema)

    def weight_of(self, entries: I64) -> I64:
        return self._weight[entries]

    def find(self, rows: pa.RecordBatch, epoch: int) -> I64:
        """The weight each of ``rows`` has at ``epoch``, the current one; 0 where it is not there."""
        if self._identity is None:
            self._identify(epoch)
            self.version = self._publish()
        assert self._identity is not None
        assert self.unique is None, "a key does not tell whether the row is there"
        slots = self._identity.probe(encode_rows(rows, self._identifying))
        entries = np.where(slots >= 0, self._live_entry[np.maximum(slots, 0)], -1)
        return np.where(entries >= 0, self._weight[np.maximum(entries, 0)], 0)

    # -- versions and compaction ---------------------------------------------------------------

    def _publish(self) -> Version:
        return Version(
            self.schema, self._store.chunks, self._store.rows, self._weight, self._born, self._died, self._floor,
            self._generation, self._written,
        )  # fmt: skip

    def compact(self, floor: int, written: int = -1) -> None:
        """Drop entries that died at or before ``floor``, when they are many: nobody reads below it any more.

        ``written``: of those that lived at this epoch it is still asked which have died since.
        """
        if self._dead <= _COMPACT_ABOVE or self._dead * 2 < self._store.rows:
            return
        rows = self._store.rows
        born, died = self._born[:rows], self._died[:rows]
        keep = np.flatnonzero((died > floor) | ((born <= written) & (died > written)))
        if len(keep) * 2 > rows:
            return
        known = self.version.knows_since(written)
        weight, born, died = self._weight[keep], self._born[keep], self._died[keep]
        deferred = self._identity is None
        fresh = Arrangement(
            self.schema, self.keys, append_only=self._append_only, unique=self.unique, deferred=deferred
        )
        if self._index is not None:
            fresh._index = KeyIndex(len(self._index))  # as many may come again
        fresh.changes, fresh._generation = self.changes, self._generation + 1
        fresh._written = written if known else -1
        if self._places:
            entries = np.full(rows, -1, np.int64)
            entries[keep] = np.arange(len(keep))
            fresh._places = self._places.moved(entries)
        pieces = (self._store.take(keep[i : i + _PIECE]) for i in range(0, len(keep), _PIECE))
        fresh._fill(pieces, weight, born, died, floor)  # before the swap: another thread may read it at any time
        self.__dict__.update(fresh.__dict__)

    def _fill(self, pieces: Iterable[pa.RecordBatch], weight: I64, born: I64, died: I64, floor: int) -> None:
        """Put entries with their stamps into an empty arrangement."""
        start, living = 0, died == FOREVER
        living[self._places.entries()] = False
        for rows in pieces:
            end = start + rows.num_rows
            self._append(rows, weight[start:end], 0)
            self._born[start:end], self._died[start:end] = born[start:end], died[start:end]
            if self._identity is not None and rows.num_rows:
                alive = np.flatnonzero(living[start:end])
                slots, _ = self._identity.upsert(encode_rows(zset.take(rows, alive), self._identifying))
                self._live_entry = grow(self._live_entry, len(self._identity), -1)
                self._live_entry[slots] = start + alive
            start = end
        self._dead = int((died != FOREVER).sum())
        self._floor = floor
        self.version = self._publish()

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> pa.RecordBatch:
        """Every live row with its weight."""
        rows = self._store.rows
        alive = np.flatnonzero(self._died[:rows] == FOREVER)
        return zset.with_weights(self.take(alive), self._weight[alive])

    def restore(self, rows: pa.RecordBatch, epoch: int, later: Sequence[pa.RecordBatch] = ()) -> None:
        """Fill an empty arrangement with a snapshot's rows and the changes ``later``, live from ``epoch`` on."""
        for part in (rows, *later):
            if part.num_rows:
                self.apply(part, epoch)
        self._floor = epoch
        self.version = self._publish()

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        """Fill an empty arrangement with what ``stamped`` gave, readable as of any epoch from ``since`` on."""
        rows, weight, born, died = stamps_of(entries)
        self.changes += 1
        self._fill([rows], weight, born, died, since)


_BORN, _DIED = "__born", "__died"


def with_stamps(rows: pa.RecordBatch, weight: I64 | int, born: I64, died: I64) -> pa.RecordBatch:
    return zset.with_weights(rows, weight).append_column(_BORN, pa.array(born)).append_column(_DIED, pa.array(died))


def stamps_of(entries: pa.RecordBatch) -> tuple[pa.RecordBatch, I64, I64, I64]:
    """(rows, weight, born, died) of what ``with_stamps`` put together."""
    *columns, weight, born, died = entries.columns
    rows = pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(entries.schema)[:-3]))
    if not columns:
        rows = zset.rows_of_nothing(entries.num_rows)
    return rows, weight.to_numpy(), born.to_numpy(), died.to_numpy()


def _check(rows: pa.RecordBatch, places: I64, right: NDArray[np.bool_], trouble: str) -> None:
    if not right.all():
        row = rows.slice(int(places[np.argmin(right)]), 1).to_pylist()[0]
        raise InternalError(trouble, detail=str(row))
