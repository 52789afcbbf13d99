"""ASOF join: each row of the left with the row of the right that is closest in time.

    new rows of the left     meet the right as it is after the epoch
    changes of the right     the left's rows of their keys, as they met it before and as they meet it now

A row of the right that comes late and is closer takes the place of the match
there was: -old, +new. The match is a function of the rows alone, so what was
said before is computed again instead of being kept. The cost of an epoch is
that of the rows of the keys it touches.

Where both sides only grow and have watermarks, rows that can meet nothing new
are freed. A row from before the watermark could then not be answered right: it
is late, counted, and left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.closest import NOTHING, Bool, Timeline, ticks
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.asof_side import AsofSide
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.incremental import Patched
from constellationdb.engine.operators.punctual import punctual
from constellationdb.planner import plan

_NONE: I64 = np.zeros(0, np.int64)


class AsofOperator(Patched, Unheld):
    """State: both sides by key. A row without a time or without a key can match nothing and is not kept."""

    def __init__(self, node: plan.Asof) -> None:
        self._match = node.match
        self._schema = node.schema
        self._expires = node.expires
        match = node.match
        self._late = [plan.Column(t, 1) if node.expires else None for t in (match.left_time, match.right_time)]
        self._left = AsofSide(node.left, match.left_keys, match.left_time, match.null_safe)
        self._right = AsofSide(node.right, match.right_keys, match.right_time, match.null_safe)

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        left, right = (punctual(b, late, context) for b, late in zip(inputs, self._late, strict=True))
        parts: list[pa.RecordBatch] = []
        if right is not None and right.num_rows:
            self._correct(right, context.epoch, parts)
        if left is not None and left.num_rows:
            self._add(left, context.epoch, parts)
        if self._expires and context.watermark > context.watermark_before:
            self._free(context)
        whole = zset.concat(parts)
        return None if whole is None else zset.netted(whole)

    def _add(self, delta: pa.RecordBatch, epoch: int, parts: list[pa.RecordBatch]) -> None:
        """New rows of the left (and those that go) with what they meet now."""
        rows, weights = zset.data(delta), zset.weights(zset.weighted(delta))
        assert weights is not None
        matchable = self._left.matchable(rows)
        index = KeyIndex()
        keys = np.full(rows.num_rows, NOTHING, np.int64)
        some = np.flatnonzero(matchable)
        if len(some):
            kept = zset.take(rows, some)
            keys[some], _ = index.upsert(self._left.encode(kept))
            self._left.apply(zset.with_weights(kept, weights[some]), epoch)
        entries = self._find(_keys_of(index), keys, rows, epoch)
        self._emit(rows, entries, weights, parts)

    def _correct(self, delta: pa.RecordBatch, epoch: int, parts: list[pa.RecordBatch]) -> None:
        """Take a change of the right in: the left's rows that meet another row now."""
        kept = np.flatnonzero(self._right.matchable(zset.data(delta)))
        if not len(kept):
            return
        delta = zset.take(zset.weighted(delta), kept)
        index = KeyIndex()
        changed, _ = index.upsert(self._right.encode(zset.data(delta)))
        touched = _keys_of(index)
        assert touched is not None
        keys, mine = self._left.lookup(touched, epoch)
        near = self._near(delta, changed, keys, mine, len(index)) if len(mine) else np.zeros(0, np.bool_)
        keys, mine = keys[near], mine[near]
        rows = self._left.take(mine)
        before = self._find(touched, keys, rows, epoch)
        old = self._right.take(before[before >= 0])
        self._right.apply(delta, epoch, compact=False)
        after = self._find(touched, keys, rows, epoch)
        differ = np.flatnonzero(before != after)
        if len(differ):
            weights = self._left.weight_of(mine)[differ]
            known = before[differ] >= 0
            places = np.cumsum(before >= 0)[differ] - 1
            self._say(zset.take(rows, differ), zset.take(old, places[known]), known, -weights, parts)
            self._emit(zset.take(rows, differ), after[differ], weights, parts)
        self._right.compact(epoch)

    def _near(self, delta: pa.RecordBatch, changed: I64, keys: I64, mine: I64, count: int) -> Bool:
        """The left's rows that the change can concern: those not before, or not behind, the first or last of it."""
        direction = self._match.direction
        moments, _ = ticks(delta.column(self._right.time))
        own, _ = ticks(self._left.column(mine, self._left.time))
        if direction == "backward":
            first = np.full(count, np.iinfo(np.int64).max)
            np.minimum.at(first, changed, moments)
            near: Bool = own >= first[keys]
        elif direction == "forward":
            last = np.full(count, np.iinfo(np.int64).min)
            np.maximum.at(last, changed, moments)
            near = own <= last[keys]
        else:
            near = np.ones(len(mine), np.bool_)
        return near

    def _find(self, touched: Rows | None, keys: I64, rows: pa.RecordBatch, epoch: int) -> I64:
        """For each row the entry of the right it meets now; ``keys`` number the touched keys."""
        found = np.full(len(keys), NOTHING, np.int64)
        asked = np.flatnonzero(keys >= 0)
        if touched is None or not len(asked):
            return found
        theirs, entries = self._right.lookup(touched, epoch)
        if not len(entries):
            return found
        times, _ = ticks(self._right.column(entries, self._right.time))
        line = Timeline(theirs, times, self._right.rows(entries))
        own, _ = ticks(rows.column(self._left.time))
        at = line.find(keys[asked], own[asked], self._match.direction, inclusive=self._match.inclusive)
        found[asked] = np.where(at >= 0, entries[np.maximum(at, 0)], NOTHING)
        return found

    def _emit(self, rows: pa.RecordBatch, entries: I64, weights: I64, parts: list[pa.RecordBatch]) -> None:
        known = entries >= 0
        self._say(rows, self._right.take(entries[known]), known, weights, parts)

    def _say(
        self, rows: pa.RecordBatch, theirs: pa.RecordBatch, known: Bool, weights: I64, parts: list[pa.RecordBatch]
    ) -> None:
        """Rows beside their matches; ``theirs`` are those of the ``known`` ones, in order."""
        if self._match.join_type == "inner" and not known.all():
            kept = np.flatnonzero(known)
            rows, weights, known = zset.take(rows, kept), weights[kept], known[kept]
        if not rows.num_rows:
            return
        places = pa.array(np.cumsum(known) - 1, pa.int64(), mask=~known)
        columns = [*rows.columns, *(c.take(places) for c in theirs.columns)]
        parts.append(zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=self._schema), weights))

    # -- state that the watermark frees ----------------------------------------------------------

    def _free(self, context: Context) -> None:
        """Not every time: when there is twice as much as was left the last time."""
        if not (self._left.has_grown() or self._right.has_grown()):
            return
        mark, epoch = context.watermark, context.epoch
        mine, theirs = self._left.live(), self._right.live()
        index = KeyIndex()
        right_keys, _ = index.upsert(self._right.encode(self._right.take(theirs)))
        left_keys = index.probe(self._left.encode(self._left.take(mine)))
        moments, _ = ticks(self._right.column(theirs, self._right.time))
        own, _ = ticks(self._left.column(mine, self._left.time))
        at = Timeline(right_keys, moments, self._right.take(theirs)).find(
            left_keys, own, self._match.direction, inclusive=self._match.inclusive
        )
        matched = np.where(at >= 0, moments[np.maximum(at, 0)] if len(moments) else 0, 0)
        final = self._final(own, at >= 0, matched, mark)
        needed = np.full(max(len(index), 1), np.iinfo(np.int64).max)  # the earliest match of a row that waits, by key
        waits = ~final & (at >= 0)
        np.minimum.at(needed, left_keys[waits], matched[waits])
        useless = self._useless(right_keys, moments, mark, len(index)) & (moments < needed[right_keys])
        self._left.free(mine[final], epoch)
        self._right.free(theirs[useless], epoch)

    def _final(self, own: I64, found: Bool, matched: I64, mark: int) -> Bool:
        """The left's rows that no row of the right from the watermark on can come closer to."""
        if self._match.direction == "backward":
            return own < mark
        if self._match.direction == "forward":
            return (own < mark) & found & (matched < mark)
        distance = np.where(matched > own, matched - own, own - matched)
        return (own < mark) & found & (distance < mark - own)

    def _useless(self, keys: I64, moments: I64, mark: int, count: int) -> Bool:
        """The right's rows that no row of the left from the watermark on can meet."""
        if self._match.direction == "forward":
            return moments < mark
        past = moments < mark
        latest = np.full(max(count, 1), np.iinfo(np.int64).min)
        np.maximum.at(latest, keys[past], moments[past])
        return past & (moments < latest[keys])

    # -- checkpoints -----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"left": self._left.snapshot(), "right": self._right.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._left.restore(state["left"], epoch)
        self._right.restore(state["right"], epoch)

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        left, right = self._left.changes(), self._right.changes()
        return None if left is None or right is None else {"left": left, "right": right}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._left.patch(changes["left"], epoch)
        self._right.patch(changes["right"], epoch)


def _keys_of(index: KeyIndex) -> Rows | None:
    return index.keys_at(np.arange(len(index), dtype=np.int64)) if len(index) else None
