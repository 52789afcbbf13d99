"""What the rows of one side of a join find on the other, counted, and which of them an epoch turned.

    KeyMatches   without a residual: by key, how many rows the other side has
    RowMatches   with one: by row, how many pairs match, and how many cannot be computed

A row is *met* when a pair of it matches, and *alone* when none does and none failed.
A row with failed pairs only is neither: its error rows stand for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.groupby import add_weights, touched
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.arranged import Arranged
from constellationdb.engine.operators.counts import Counts
from constellationdb.engine.operators.punctual import ends_of
from constellationdb.errors import InternalError
from constellationdb.planner import plan


@dataclass(frozen=True)
class Side:
    """One input of a join: what it is joined by, and the column by which its rows expire."""

    keys: tuple[int, ...]
    expiry: plan.Column | None

    def ends(self, rows: pa.RecordBatch) -> I64 | None:
        """When the watermark frees each row; None: never."""
        if self.expiry is None:
            return None
        return ends_of(rows.column(self.expiry.index), self.expiry.offset_us)


@dataclass(frozen=True)
class Turned:
    """Rows, and how many more (or fewer) times each is alone and met after the epoch than before."""

    rows: pa.RecordBatch
    alone: I64
    met: I64


@dataclass(frozen=True)
class Tally:
    """Rows, each with the weight of its pairs that match and of those that failed."""

    rows: pa.RecordBatch
    matched: I64
    failed: I64


class KeyMatches:
    """State: by key, the weight of the other side's rows."""

    def __init__(self, side: Side, other: Side) -> None:
        self._side, self._other = side, other
        self.counts = Counts(1)

    def change(self, delta: Delta, other: Delta, arranged: Arranged, epoch: int) -> Iterator[Turned]:
        """``arranged``: this side's rows, ``delta`` included.

        New rows as the other side was; then all rows of the keys for which the other side came or went.
        """
        if delta is not None:
            rows, weights = zset.data(delta), _weights(delta)
            met = self.counts.first_of(encode_rows(rows, self._side.keys)) > 0
            yield Turned(rows, np.where(met, 0, weights), np.where(met, weights, 0))
        if other is not None:
            yield from self._flipped(other, arranged, epoch)
            self.counts.compact()

    def _flipped(self, other: pa.RecordBatch, arranged: Arranged, epoch: int) -> Iterator[Turned]:
        rows = zset.data(other)
        keys = encode_rows(rows, self._other.keys)
        slots = self.counts.upsert(keys, self._other.ends(rows))
        unique, place = touched(slots, len(self.counts))
        count = self.counts.columns[0]
        before = count[unique]
        add_weights(count, slots, _weights(other))
        after = count[unique]
        if bool((after < 0).any()):
            raise InternalError("a key would have a negative number of rows")
        flipped = np.flatnonzero((before > 0) != (after > 0))
        if not len(flipped):
            return
        probe, entries = arranged.after(keys.take(first_of(place, len(unique))[flipped]), epoch)
        if not len(entries):
            return
        turned = np.where(after[flipped] > 0, 1, -1)[probe] * arranged.weight_of(entries)
        yield Turned(arranged.take(entries), -turned, turned)


class RowMatches:
    """State: by row, its own weight, and those of its pairs that match and that failed."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.counts = Counts(3)

    def change(self, delta: Delta, own: Tally | None, found: Tally | None) -> Turned | None:
        """``own``: what each row of ``delta`` finds if it is new; ``found``: what older rows find or lose.

        Of rows that look the same each finds the same, and they are counted as one.
        """
        parts = [zset.data(delta)] if delta is not None else []
        parts += [found.rows] if found is not None else []
        if not parts:
            return None
        slots = [self._slots(rows) for rows in parts]
        unique, place = touched(np.concatenate(slots), len(self.counts))
        before = self._standing(unique)
        weight, matched, failed = self.counts.columns
        if delta is not None:
            assert own is not None
            mine = slots.pop(0)
            new = weight[mine] == 0
            matched[mine[new]], failed[mine[new]] = own.matched[new], own.failed[new]
            add_weights(weight, mine, _weights(delta))
        if found is not None:
            known, same = touched(slots.pop(), len(self.counts))
            once = first_of(same, len(known))
            matched[known] += found.matched[once]
            failed[known] += found.failed[once]
        gone = unique[weight[unique] == 0]
        matched[gone] = failed[gone] = 0
        alone, met = (now - then for now, then in zip(self._standing(unique), before, strict=True))
        self.counts.compact()
        turned = np.flatnonzero((alone != 0) | (met != 0))
        if not len(turned):
            return None
        rows = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
        return Turned(zset.take(rows, first_of(place, len(unique))[turned]), alone[turned], met[turned])

    def _slots(self, rows: pa.RecordBatch) -> I64:
        return self.counts.upsert(encode_rows(rows, range(rows.num_columns)), self._side.ends(rows))

    def _standing(self, slots: I64) -> tuple[I64, I64]:
        """How many times the rows of these slots are alone, and met."""
        weight, matched, failed = (column[slots] for column in self.counts.columns)
        if bool((weight < 0).any() or (matched < 0).any() or (failed < 0).any()):
            raise InternalError("a row of a join would occur a negative number of times")
        return np.where((matched == 0) & (failed == 0), weight, 0), np.where(matched > 0, weight, 0)


def _weights(batch: pa.RecordBatch) -> I64:
    own = zset.weights(batch)
    return np.ones(batch.num_rows, np.int64) if own is None else own


def first_of(place: I64, count: int) -> I64:
    """The first row of each of ``count`` places."""
    first = np.empty(count, np.int64)
    first[place[::-1]] = np.arange(len(place) - 1, -1, -1)
    return first
